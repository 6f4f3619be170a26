package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Diagnosis answers whether a failover would work right now.
type Diagnosis struct {
	Commit     string
	At         time.Time
	Topologies []DiagnosedTopology // by name
	Checks     []Check             // in the order of their areas
	BreakGlass []string            // what to do when reconcile itself cannot act
	Upgrades   []plan.Upgrade      // by topology; nil without --upgrade-to
}

// DiagnosedTopology is one topology with its standbys.
type DiagnosedTopology struct {
	Name     string
	Primary  string
	Standbys []DiagnosedStandby // by cluster
	// PrimaryDown: the primary was seen not to serve when the diagnosis was made.
	PrimaryDown bool
	// TwoWriters says that more than one cluster takes writes now; nil: no.
	TwoWriters *Obstacle
}

// DiagnosedStandby is what a failover to one standby would come to.
type DiagnosedStandby struct {
	Cluster   string
	Excluded  bool // the document says 'promotable: false'
	Obstacles []Obstacle
	Loss      *plan.Window // what would be lost if the primary were lost now
	// Objective is the most that may be lost by the document.
	Objective time.Duration
}

// losesTooMuch reports whether more would be lost than the objective allows, or nobody
// knows how much.
func (s DiagnosedStandby) losesTooMuch() bool {
	return s.Loss != nil && (s.Loss.Upper == nil || s.Objective > 0 && *s.Loss.Upper > s.Objective)
}

// wellReady reports whether some standby could be promoted as things are, and would lose no
// more than the objective allows.
func (t DiagnosedTopology) wellReady() bool {
	return slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Verdict() == "ready" && !s.losesTooMuch() })
}

// Obstacle is one thing that would block a failover, or have it end badly.
type Obstacle struct {
	Code       plan.Code // empty: the planner cannot know of it
	Message    string
	Remedy     string
	Acceptable bool // an approver may accept it
	After      bool // the promotion would be done, and what follows it would not
}

// CheckState is how a check ended. The zero value is that it is not known.
type CheckState string

// The verdicts of checks.
const (
	CheckUnknown CheckState = ""
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
)

// String gives the word of the JSON.
func (v CheckState) String() string { return orElse(string(v), "unknown") }

// Check is the result of one check outside the planner.
type Check struct {
	Area    string // credentials, privileges, rpcs, channels, clocks, approvers, ledger, git, redirect, notify, location, certificates, permissions, restart
	Subject string // the cluster, topology, file or target that it is about
	Verdict CheckState
	Message string
	Remedy  string // empty when nothing is to be done
	Blocks  bool   // a failed one stops every failover
}

// Verdict says how a failover to the standby would end: "ready", "acceptable"
// (blocked by nothing that an approver may not accept), "blocked" or "excluded".
func (s DiagnosedStandby) Verdict() string {
	switch {
	case s.Excluded:
		return "excluded"
	case len(s.Obstacles) == 0:
		return "ready"
	case slices.ContainsFunc(s.Obstacles, func(o Obstacle) bool { return !o.Acceptable }):
		return "blocked"
	default:
		return "acceptable"
	}
}

// Promoted reports whether a failover to the standby would promote it, and only what
// follows would fail.
func (s DiagnosedStandby) Promoted() bool {
	return s.Verdict() == "blocked" && !slices.ContainsFunc(s.Obstacles, func(o Obstacle) bool { return !o.Acceptable && !o.After })
}

// Promotes reports whether a failover of a topology that is not ready would at least
// promote some standby.
func (t DiagnosedTopology) Promotes() bool {
	return slices.ContainsFunc(t.Standbys, DiagnosedStandby.Promoted)
}

// Ready reports whether some standby could be promoted as things are, and no two clusters
// take writes.
func (t DiagnosedTopology) Ready() bool {
	return t.TwoWriters == nil && slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Verdict() == "ready" })
}

// Acceptable reports whether some standby could be promoted if an approver accepts what
// stands against it.
func (t DiagnosedTopology) Acceptable() bool {
	return slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Verdict() == "acceptable" })
}

// Stopped reports whether something stops every failover, whatever the clusters do.
func (d Diagnosis) Stopped() bool {
	return slices.ContainsFunc(d.Checks, func(c Check) bool { return c.Blocks && c.Verdict == CheckFailed })
}

// Ready reports whether each topology could fail over now.
func (d Diagnosis) Ready() bool {
	blocked := slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return !t.Ready() })
	return !d.Stopped() && !blocked && len(d.Topologies) > 0
}

// Score counts the standbys that could be promoted now, of those that the
// documents let be promoted.
func (d Diagnosis) Score() (could, of int) {
	for _, t := range d.Topologies {
		for _, s := range t.Standbys {
			if s.Excluded {
				continue
			}
			of++
			could += one(s.Verdict() == "ready" && !d.Stopped())
		}
	}
	return could, of
}

// FixFirst lists what to do, the most urgent first: what stops every failover,
// what stops the only ways of a topology, then the rest that failed.
func (d Diagnosis) FixFirst() []string {
	var out []string
	add := func(subject, message, remedy string) {
		text := message
		if remedy != "" {
			text = remedy + " (" + message + ")"
		}
		if subject != "" {
			text = subject + ": " + text
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	told := map[string]bool{} // obstacles that a check says too
	checks := func(wanted func(Check) bool) {
		for _, c := range d.Checks {
			if wanted(c) && !told[c.Message] {
				add(c.Subject, c.Message, c.Remedy)
			}
		}
	}
	checks(func(c Check) bool { return c.Verdict == CheckFailed && c.Blocks })
	for _, ready := range []bool{false, true} {
		for _, t := range d.Topologies {
			if t.Ready() != ready {
				continue
			}
			if t.TwoWriters != nil {
				add(t.Name, t.TwoWriters.Message, t.TwoWriters.Remedy)
			}
			if len(t.Standbys) == 0 {
				add(t.Name, "it has no standby to fail over to", "add a standby")
			}
			for _, s := range t.Standbys {
				for _, o := range s.Obstacles {
					add(t.Name+"/"+s.Cluster, o.Message, o.Remedy)
					told[o.Message] = true
				}
			}
		}
	}
	checks(func(c Check) bool { return c.Verdict == CheckFailed && !c.Blocks })
	checks(func(c Check) bool { return c.Verdict == CheckWarning })
	return out
}

// Doctor writes a diagnosis as "table", "json" or "yaml".
func Doctor(w io.Writer, form string, d Diagnosis, o TableOptions) error {
	return answer{name: "doctor", page: func(p *page) { p.diagnosis(d) }, value: func() any { return encodeDiagnosis(d) }}.write(w, form, o)
}

// mostFixes is how much of a list a person reads at once; JSON has all of it.
const mostFixes = 5

func (p *page) diagnosis(d Diagnosis) {
	if len(d.Topologies) > 1 && p.listing != ListAll {
		p.diagnosedFleet(d)
		return
	}
	could, of := d.Score()
	words, s, each := "a failover would work now", good, "could be promoted"
	if !d.Ready() {
		words, s = "a failover would be BLOCKED now", bad
		if !d.Stopped() && !slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return !t.Ready() && !t.Promotes() }) {
			words, each = "a failover would END BADLY now", "ready"
		}
	}
	if s == good && slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return !t.wellReady() || t.PrimaryDown }) {
		s = attention
	}
	if slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return t.TwoWriters != nil }) {
		words = "MORE THAN ONE CLUSTER TAKES WRITES; " + words
	}
	p.title("doctor", s, fmt.Sprintf("%s: %d of %s %s", words, could, plural(of, "standby", "standbys"), each))
	p.note("commit " + short(d.Commit) + " · " + clockTime(d.At))
	if fixes := d.FixFirst(); len(fixes) > 0 && p.listing == ListAll {
		p.blank()
		p.fixes(fixes)
	}
	for _, t := range d.Topologies {
		p.blank()
		p.diagnosedTopology(t)
	}
	for _, u := range d.Upgrades {
		p.blank()
		p.upgrade(u)
	}
	p.blank()
	p.checks(d.Checks)
	if p.listing != ListAll && !d.Stopped() {
		p.note("--all lists what is not known too, and how to act without Git")
		return
	}
	p.blank()
	label := "Break glass"
	for _, text := range d.BreakGlass {
		p.field(label, plain, "→", text)
		label = ""
	}
}

func (p *page) fixes(fixes []string) {
	label := "Fix first"
	for i, text := range fixes[:min(len(fixes), mostFixes)] {
		p.field(label, attention, fmt.Sprintf("%d", i+1), text)
		label = ""
	}
	if more := len(fixes) - mostFixes; more > 0 {
		p.field("", faint, "", fmt.Sprintf("and %d more; see below, or 'fixFirst' of -o json", more))
	}
}

func (p *page) diagnosedTopology(t DiagnosedTopology) {
	if t.TwoWriters != nil {
		p.title(t.Name, bad, "MORE THAN ONE CLUSTER TAKES WRITES")
		p.field("", bad, bad.mark(), string(t.TwoWriters.Code)+": "+t.TwoWriters.Message)
		p.field("", plain, "→", t.TwoWriters.Remedy)
	}
	if len(t.Standbys) == 0 {
		p.title(t.Name, bad, "no standby to fail over to, should "+t.Primary+" be lost")
		return
	}
	s, words := good, "could fail over now"
	switch {
	case t.Ready() && t.PrimaryDown:
		s = attention
	case t.wellReady() && t.TwoWriters == nil:
	case t.Ready():
		s, words = attention, "could fail over now, and lose more than it may"
	case t.Acceptable() && t.TwoWriters == nil:
		s, words = attention, "could fail over only if an approver accepts what is below"
	case t.TwoWriters != nil:
		s, words = bad, "no failover while two clusters take writes"
	case t.Promotes():
		s, words = bad, "could fail over now, but not to its end"
	default:
		s, words = bad, "could not fail over now"
	}
	when := ", should " + t.Primary + " be lost"
	if t.PrimaryDown {
		when = "; " + t.Primary + ", its primary, does not serve now"
	}
	p.title(t.Name, s, words+when)
	for _, b := range t.Standbys {
		p.diagnosedStandby(b)
	}
}

func (p *page) diagnosedStandby(b DiagnosedStandby) {
	lost := ""
	if b.Loss != nil {
		lost = "; how much would be lost is not known"
		if b.Loss.Upper != nil {
			lost = "; up to " + plan.UpperBoundText(*b.Loss.Upper) + " of writes would be lost"
		}
	}
	well := good
	if b.losesTooMuch() {
		well = attention
		if b.Loss.Upper != nil {
			lost += ", and the objective is " + plan.DurationText(b.Objective)
		}
	}
	label, name := b.Cluster, ""
	if columns(label) > labelWidth-4 { // no room before the text: it begins with it
		label, name = "", b.Cluster+" "
	}
	switch verdict := b.Verdict(); {
	case verdict == "excluded":
		p.field(label, faint, plain.mark(), name+"is marked 'promotable: false'")
	case verdict == "ready":
		p.field(label, well, well.mark(), name+"could be promoted"+lost)
	case verdict == "acceptable":
		p.field(label, attention, attention.mark(), name+"could be promoted if an approver accepts what stands against it"+lost)
	case b.Promoted():
		p.field(label, bad, bad.mark(), name+"could be promoted, but what follows would fail, and apply ends with 5"+lost)
	default:
		p.field(label, bad, bad.mark(), name+"could not be promoted")
	}
	for _, o := range b.Obstacles {
		text := o.Message
		if o.Code != "" {
			text = string(o.Code) + ": " + text
		}
		p.field("", plain, "", text)
		if o.Remedy != "" {
			p.field("", plain, "→", o.Remedy)
		}
	}
}

var checkStyles = map[CheckState]style{CheckOK: good, CheckUnknown: plain, CheckWarning: attention, CheckFailed: bad}

// checks prints what is not well in full, what stops a failover first, and counts the
// rest.
func (p *page) checks(checks []Check) {
	checks = slices.Clone(checks)
	slices.SortStableFunc(checks, func(a, b Check) int { return a.rank() - b.rank() })
	for _, c := range checks {
		if c.Verdict == CheckOK || c.Verdict == CheckUnknown && p.listing != ListAll {
			continue
		}
		s := checkStyles[c.Verdict]
		p.field(c.Area, s, s.mark(), strings.TrimPrefix(c.Subject+": "+c.Verdict.String()+": "+c.Message, ": "))
		if c.Remedy != "" {
			p.field("", plain, "→", c.Remedy)
		}
	}
	if unknown := countAreas(checks, CheckUnknown); unknown != "" && p.listing != ListAll {
		p.field("not known", plain, plain.mark(), unknown)
	}
	if well := countAreas(checks, CheckOK); well != "" {
		p.field("well", good, good.mark(), well)
	}
}

// rank orders checks, the gravest first.
func (c Check) rank() int {
	if c.Blocks && c.Verdict == CheckFailed {
		return 0
	}
	return 1 + slices.Index([]CheckState{CheckFailed, CheckWarning, CheckUnknown, CheckOK}, c.Verdict)
}

// countAreas counts the checks of a verdict, by area.
func countAreas(checks []Check, verdict CheckState) string {
	var areas []string
	count := map[string]int{}
	for _, c := range checks {
		if c.Verdict == verdict {
			if count[c.Area]++; count[c.Area] == 1 {
				areas = append(areas, c.Area)
			}
		}
	}
	slices.Sort(areas)
	for i, area := range areas {
		areas[i] = fmt.Sprintf("%s (%d)", area, count[area])
	}
	return strings.Join(areas, ", ")
}
