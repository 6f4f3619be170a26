package serve

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

// overview is what the page of all topologies shows.
type overview struct {
	Summary, Found, At string
	Facts              []daemonProperty // what is wrong comes first
	Bad                bool             // a fact is
	Filter             filter
	Counts             []count
	Rows               []row
	Sites              []string
	all                int
	alarm              bool // a topology needs a person
}

// filter is what of the overview is wanted.
type filter struct{ Show, Query string }

// The filters that are no state of a topology.
const (
	showAll      = "all"
	showProblems = "problems"
	showFindings = "findings" // as Git says, and something is to be known
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
	condition                                     render.TopologyCondition
	text                                          string // what a search looks through
}

func overviewOf(s daemon.Snapshot, f filter) overview {
	v := overview{At: clock(s.At), Filter: f, all: len(s.Topologies), Facts: daemonProperties(s), Sites: sitesOf(s.Topologies...)}
	v.Bad = len(v.Facts) > 0 && v.Facts[0].Bad
	rows := make([]row, 0, len(s.Topologies))
	d := documentOf(s)
	for _, t := range s.Topologies {
		rows = append(rows, rowOf(d, t))
	}
	slices.SortStableFunc(rows, func(a, b row) int { // by name otherwise
		return cmp.Or(a.urgency()-b.urgency(), a.condition.Rank-b.condition.Rank, urgency(a.Tone)-urgency(b.Tone), stateOrder(a.state)-stateOrder(b.state))
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

// urgency puts what is bad first, even while a change that ends it is under way.
func (r row) urgency() int {
	if r.condition.Bad {
		return urgency(toneBad)
	}
	return urgency(r.Tone)
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

// shownAs is the one filter, of those for a state, that finds a topology. What has a problem
// is not counted as in sync too.
func (r row) shownAs() string {
	if r.state == daemon.StateInSync && r.Tone != toneGood {
		return showFindings
	}
	return r.state.String()
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
		if r.shownAs() != f.Show {
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

// filtersWorstFirst are the filters for a state.
func filtersWorstFirst() []string {
	var out []string
	for _, s := range statesWorstFirst {
		if s == daemon.StateInSync {
			out = append(out, showFindings)
		}
		out = append(out, s.String())
	}
	return out
}

// countsOf counts what each filter would find without the search.
func countsOf(rows []row, f filter) []count {
	out := []count{{Show: showAll, Name: "all", N: len(rows)}, {Show: showProblems, Name: showProblems, Tone: toneBad}}
	for _, r := range rows {
		if r.Tone != toneGood {
			out[1].N++
		}
	}
	for _, show := range filtersWorstFirst() {
		c := count{Show: show, Name: words(show)}
		if show == showFindings {
			c.Name = "in sync, with findings"
		}
		for _, r := range rows {
			if r.shownAs() != show {
				continue
			}
			if c.N++; c.N == 1 || urgency(r.Tone) < urgency(c.Tone) {
				c.Symbol, c.Tone = r.Symbol, r.Tone
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

// summary counts how the topologies stand, the worst first.
func summary(rows []row) (text string, alarm bool) {
	if len(rows) == 0 {
		return "No topology is known yet.", false
	}
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b row) int { return cmp.Compare(a.condition.Rank, b.condition.Rank) })
	count := map[string]int{}
	var labels, parts []string
	for _, r := range sorted {
		if count[r.condition.Label]++; count[r.condition.Label] == 1 {
			labels = append(labels, r.condition.Label)
		}
		alarm = alarm || r.Tone == toneBad
	}
	for _, l := range labels {
		parts = append(parts, number(count[l])+" "+l)
	}
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

func rowOf(d render.Document, t daemon.TopologyStatus) row {
	r := row{Name: t.Name, Primary: "not known", Lag: worstLag(t.Plan), state: t.State, condition: conditionOf(d, t)}
	r.Symbol, r.Tone = toneOf(t, r.condition)
	if w := writers(t.Plan); len(w) > 0 {
		r.Primary = safe(strings.Join(w, ", "))
	} else if r.condition.NoWriter {
		r.Primary = "none"
	}
	r.State = stateWords(t, r.condition)
	r.What, r.More = safe(r.condition.Words), r.condition.More
	r.text = strings.ToLower(r.searchText(t))
	return r
}

func (r row) searchText(t daemon.TopologyStatus) string {
	parts := []string{r.Name, r.State, words(t.State.String()), r.What, t.Commit, r.Primary}
	for _, c := range t.Plan.Clusters {
		parts = append(parts, c.ID)
	}
	for _, f := range t.Plan.Findings {
		parts = append(parts, string(f.Code))
	}
	return strings.Join(parts, "\n")
}

// conditionOf says how a topology stands, with what only the daemon knows.
func conditionOf(d render.Document, t daemon.TopologyStatus) render.TopologyCondition {
	if t.Plan.Name == "" {
		s := render.Unjudged("not observed yet", "Not observed yet.")
		if t.Error != "" {
			s.Words = "The newest pass failed: " + firstLine(t.Error)
		}
		return s
	}
	s := d.ConditionOf(t.Plan)
	switch {
	case t.State == daemon.StateApplying && t.Plan.UnderWay == nil && t.Plan.Transition != plan.TransitionNone:
		s.Words, s.More = "UNDER WAY: "+render.Transition(t.Plan), 0
	case t.Error != "" && !s.Bad:
		return render.Unjudged("whose newest pass failed", "The newest pass failed: "+firstLine(t.Error))
	case t.Error != "":
		s.Words, s.More = s.Words+". The newest pass failed: "+firstLine(t.Error), 0
	case t.Waits != "":
		s.Words, s.More = s.Words+"; "+firstLine(t.Waits), 0
	case s.Good && t.State == daemon.StateUnknown:
		return render.Unjudged("not judged", "It is not known whether it is as Git says.")
	case s.Good && t.State == daemon.StateSuspended:
		s.Words = "The configuration says to leave it alone. " + s.Words
	}
	return s
}

// toneOf returns the symbol of a topology, which is that of its page and its row on a
// terminal, and its colour class. It is well only if its state says so too.
func toneOf(t daemon.TopologyStatus, s render.TopologyCondition) (symbol, class string) {
	switch {
	case s.Bad:
		return s.Symbol, toneBad
	case s.Good && t.State == daemon.StateInSync && len(t.Drifts) == 0:
		return s.Symbol, toneGood
	default:
		return render.Unjudged("", "").Symbol, toneWarn
	}
}

// stateWords is the state of a topology. That it is as Git says is not said of one that
// something is wrong with.
func stateWords(t daemon.TopologyStatus, s render.TopologyCondition) string {
	switch {
	case t.State == daemon.StateInSync && !s.Good:
		return s.Label
	case s.Judged && t.State != daemon.StateSuspended:
		return "being judged"
	default:
		return words(t.State.String())
	}
}

func findingTone(f plan.Finding) string {
	switch {
	case f.Severity == plan.SeverityInfo, f.Accepted:
		return toneGood
	case f.Severity == plan.SeverityWarning, f.Code == plan.CodeChangeFrozen, f.Code == plan.CodeRebuildWaits:
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

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return safe(line)
}
