package serve

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

// overview is what the page of all topologies shows.
type overview struct {
	Summary, Found, At string
	Facts              []fact // what is wrong comes first
	Bad                bool   // a fact is
	Filter             filter
	Counts             []count
	Rows               []row
	all                int
	alarm              bool // a topology needs a person
}

// fact is something about the daemon itself.
type fact struct {
	Name, Value string
	Bad         bool
}

// filter is what of the overview is wanted.
type filter struct{ Show, Query string }

// The filters that are no state of a topology.
const (
	showAll      = "all"
	showProblems = "problems"
)

// maxQuery is how many bytes of a search are read.
const maxQuery = 200

func filterOf(q url.Values) filter {
	query := q.Get("q")
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	return filter{Show: cmp.Or(q.Get("show"), showAll), Query: strings.ToValidUTF8(strings.TrimSpace(query), "")}
}

// href is the address of the overview with another filter and the same search.
func (f filter) href(show string) string {
	q := url.Values{}
	if f.Query != "" {
		q.Set("q", f.Query)
	}
	if show != showAll {
		q.Set("show", show)
	}
	return "./?" + q.Encode()
}

// count is how many topologies a filter finds.
type count struct {
	Show, Name, Symbol, Tone, Href string
	N                              int
	Current                        bool
}

// Number is N as people read it.
func (c count) Number() string { return number(c.N) }

// row is the line of one topology.
type row struct {
	Name, State, Symbol, Tone, What, Primary, Lag string
	More                                          int // findings that What does not name
	state                                         daemon.State
	outage                                        bool // no cluster takes writes, or two do
	text                                          string
}

func overviewOf(s daemon.Snapshot, f filter) overview {
	v := overview{At: clock(s.At), Filter: f, all: len(s.Topologies), Facts: factsOf(s)}
	v.Bad = len(v.Facts) > 0 && v.Facts[0].Bad
	rows := make([]row, 0, len(s.Topologies))
	for _, t := range s.Topologies {
		rows = append(rows, rowOf(t))
	}
	slices.SortStableFunc(rows, func(a, b row) int { // by name otherwise
		return cmp.Or(order(a.outage, b.outage), urgency(a.Tone)-urgency(b.Tone), stateOrder(a.state)-stateOrder(b.state))
	})
	v.Counts = countsOf(rows, f)
	v.Summary, v.alarm = summary(rows)
	for _, r := range rows {
		if r.matches(f) {
			v.Rows = append(v.Rows, r)
		}
	}
	if f.Query != "" || f.Show != showAll {
		v.Found = fmt.Sprintf("%s of %s shown.", number(len(v.Rows)), number(v.all))
	}
	return v
}

// title shows in the tab of a browser that somebody is needed.
func (v overview) title() string {
	if v.alarm || v.Bad {
		return "(!) reconcile"
	}
	return "reconcile"
}

// order puts what is true first.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

var statesWorstFirst = []daemon.State{
	daemon.StateBlocked, daemon.StateDrifted, daemon.StateApplying, daemon.StatePending, daemon.StateUnknown, daemon.StateSuspended, daemon.StateInSync,
}

func stateOrder(s daemon.State) int { return slices.Index(statesWorstFirst, s) }

func (r row) matches(f filter) bool {
	switch f.Show {
	case showAll:
	case showProblems:
		if r.Tone == toneGood {
			return false
		}
	default:
		if r.state.String() != f.Show {
			return false
		}
	}
	for _, word := range strings.Fields(strings.ToLower(f.Query)) {
		if !strings.Contains(r.text, word) {
			return false
		}
	}
	return true
}

// countsOf counts what each filter would find without the search.
func countsOf(rows []row, f filter) []count {
	out := []count{{Show: showAll, Name: "all", N: len(rows)}, {Show: showProblems, Name: showProblems, Tone: toneBad}}
	for _, r := range rows {
		if r.Tone != toneGood {
			out[1].N++
		}
	}
	for _, s := range statesWorstFirst {
		c := count{Show: s.String(), Name: words(s.String())}
		c.Symbol, c.Tone = stateStyle(s)
		for _, r := range rows {
			if r.state == s {
				c.N++
			}
		}
		if c.N > 0 || f.Show == c.Show {
			out = append(out, c)
		}
	}
	if out[1].N == 0 {
		out[1].Tone = toneGood
	}
	for i := range out {
		out[i].Current, out[i].Href = out[i].Show == f.Show, f.href(out[i].Show)
	}
	return out
}

// summary is the headline of all. An outage comes first.
func summary(rows []row) (text string, alarm bool) {
	if len(rows) == 0 {
		return "No topology is known yet.", false
	}
	var without, two, problems int
	for _, r := range rows {
		switch {
		case r.outage && r.Primary == noWriter:
			without++
		case r.outage:
			two++
		case r.Tone != toneGood:
			problems++
		}
		alarm = alarm || r.Tone == toneBad
	}
	var parts []string
	add := func(n int, words string) {
		if n > 0 {
			parts = append(parts, number(n)+" "+words)
		}
	}
	add(without, "WITHOUT A PRIMARY")
	add(two, "with SEVERAL WRITERS")
	add(problems, "to look at")
	add(len(rows)-without-two-problems, "well")
	noun := "topologies"
	if len(rows) == 1 {
		noun = "topology"
	}
	return number(len(rows)) + " " + noun + ": " + strings.Join(parts, " · "), alarm
}

// number writes a count as people read it: 1,000.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// noWriter stands for the primary of a topology where no cluster takes writes.
const noWriter = "none"

func rowOf(t daemon.TopologyStatus) row {
	r := row{Name: t.Name, State: words(t.State.String()), Primary: "not known", Lag: worstLag(t.Plan), state: t.State}
	r.Symbol, r.Tone = toneOf(t)
	if w := writers(t.Plan); len(w) > 0 {
		r.Primary, r.outage = safe(strings.Join(w, ", ")), len(w) > 1
	} else if withoutPrimary(t) {
		r.Primary, r.outage = noWriter, true
	}
	if r.outage && t.State != daemon.StateApplying {
		r.Symbol, r.Tone = "✗", toneBad
	}
	r.What, r.More = whatIs(t)
	r.text = strings.ToLower(r.searchText(t))
	return r
}

func (r row) searchText(t daemon.TopologyStatus) string {
	parts := []string{r.Name, r.State, r.What, t.Commit, r.Primary}
	for _, c := range t.Plan.Clusters {
		parts = append(parts, c.ID)
	}
	for _, f := range t.Plan.Findings {
		parts = append(parts, string(f.Code))
	}
	return strings.Join(parts, "\n")
}

// withoutPrimary reports whether no cluster was seen to take writes although one should.
func withoutPrimary(t daemon.TopologyStatus) bool {
	p := t.Plan
	return len(writers(p)) == 0 && (p.Has(plan.CodeNoPrimary) || p.Transition == plan.TransitionFailover)
}

// toneOf returns the symbol and the colour class of a topology. Nothing is well while a
// finding or a failed pass says otherwise.
func toneOf(t daemon.TopologyStatus) (symbol, class string) {
	symbol, class = stateStyle(t.State)
	for _, f := range t.Plan.Findings {
		switch tone := findingTone(f); {
		case tone == toneBad && class != toneBad && t.State != daemon.StateApplying:
			symbol, class = "✗", toneBad
		case tone == toneWarn && class == toneGood:
			symbol, class = "!", toneWarn
		}
	}
	if class == toneGood && (t.Error != "" || len(t.Drifts) > 0) {
		symbol, class = "!", toneWarn
	}
	return symbol, class
}

func findingTone(f plan.Finding) string {
	switch {
	case f.Severity == plan.SeverityInfo, f.Accepted:
		return toneGood
	case f.Severity == plan.SeverityWarning:
		return toneWarn
	default:
		return toneBad
	}
}

// worstLag returns the lag of the standby that is furthest behind.
func worstLag(t plan.TopologyPlan) string {
	worst := "-"
	var upper int64 = -1
	for _, c := range t.Clusters {
		switch {
		case c.DesiredRole != plan.RoleStandby && c.Lag == nil:
		case c.Lag == nil || c.Lag.Upper == nil:
			return "unknown"
		case int64(*c.Lag.Upper) > upper:
			worst, upper = render.Lag(c), int64(*c.Lag.Upper)
		}
	}
	return worst
}

// whatIs says in one line how a topology stands, and how many findings more there are.
func whatIs(t daemon.TopologyStatus) (text string, more int) {
	p := t.Plan
	open := openFindings(p)
	switch {
	case t.Error != "":
		return "The newest pass failed: " + firstLine(t.Error), len(open)
	case p.Name == "":
		return "Not observed yet.", 0
	case t.State == daemon.StateApplying && p.Transition != plan.TransitionNone:
		return "Under way: " + render.Transition(p), 0
	case p.Transition != plan.TransitionNone:
		return upperFirst(render.Transition(p)) + ": " + waitsFor(t), 0
	case len(open) > 0:
		return findingLine(open[0]), len(open) - 1
	case t.State == daemon.StateSuspended:
		return "The configuration says to leave it alone.", 0
	case p.InSync:
		return "As Git says.", 0
	default:
		return "It could not be seen whether it is as Git says.", 0
	}
}

// waitsFor says what a change waits for.
func waitsFor(t daemon.TopologyStatus) string {
	var codes []string
	for _, f := range t.Plan.Blocking(t.Decision.Accepted) {
		if !slices.Contains(codes, string(f.Code)) {
			codes = append(codes, string(f.Code))
		}
	}
	switch {
	case t.Plan.AwaitsOnlyProbes():
		return "its rounds of evidence are being made"
	case len(codes) > 0:
		return "BLOCKED by " + strings.Join(codes, ", ")
	case t.Decision.Verdict == approval.VerdictDenied && t.Decision.Code == approval.CodeMissing:
		return "WAITS FOR APPROVAL"
	case t.Decision.Verdict == approval.VerdictDenied:
		return "NOT APPROVED, " + t.Decision.Code
	default:
		return "to be applied"
	}
}

// openFindings returns the findings that somebody should know of, worst first.
func openFindings(t plan.TopologyPlan) []plan.Finding {
	out := slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool { return findingTone(f) == toneGood })
	slices.SortStableFunc(out, func(a, b plan.Finding) int { return severityOrder(a) - severityOrder(b) })
	return out
}

func severityOrder(f plan.Finding) int {
	if f.Code == plan.CodeNoPrimary || f.Code == plan.CodeSplitBrain {
		return -1
	}
	return slices.Index([]plan.Severity{plan.SeverityBlocking, plan.SeverityCritical, plan.SeverityWarning, plan.SeverityInfo}, f.Severity)
}

func findingLine(f plan.Finding) string {
	s := string(f.Code)
	if f.Cluster != "" {
		s += " " + safe(f.Cluster)
	}
	return s + ": " + firstLine(f.Message)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return safe(line)
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// factsOf says how the daemon itself stands, what is wrong first.
func factsOf(s daemon.Snapshot) []fact {
	lead := "this process leads"
	if !s.Leader {
		lead = cmp.Or(s.Leading, "another process leads")
	}
	facts := []fact{
		{Name: "Mode", Value: s.Mode},
		{Name: "Leader", Value: safe(lead)},
		{Name: "Ledger", Value: s.Ledger.String()},
		{Name: "Commit", Value: orNone(safe(s.Commit))},
		{Name: "Git fetched", Value: cmp.Or(clock(s.GitFetch), "never")},
	}
	for name, problem := range map[string]string{
		cmp.Or(s.GitAsked, "Git"): s.GitError, "Copy of Git": s.GitCopy, "Configuration": s.Config,
		"Election": s.ElectionError, "Ledger": s.RecordError, "Files": s.FileError,
	} {
		if problem != "" {
			facts = append(facts, fact{name, safe(problem), true})
		}
	}
	for _, problem := range s.Problems {
		facts = append(facts, fact{"File", safe(problem), true})
	}
	slices.SortStableFunc(facts, func(a, b fact) int {
		if a.Bad && b.Bad {
			return strings.Compare(a.Name, b.Name)
		}
		return order(a.Bad, b.Bad)
	})
	return facts
}
