package render

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
)

// Table writes the document for a person: what happens, what may be lost, what blocks and
// what to type. The page of one topology fits a screen; the options add details.
func Table(w io.Writer, d Document, o TableOptions) error {
	p := newPage(o)
	p.document(d)
	return p.flush(w)
}

func (p *page) document(d Document) {
	p.site(d.Site)
	switch {
	case len(d.Plan.Topologies) > 1:
		p.fleet(d)
		return
	case len(d.Plan.Topologies) == 1:
		p.problems(d.Problems)
		if len(d.Problems) > 0 {
			p.blank()
		}
		p.topology(d, d.topologies()[0])
		return
	}
	p.hanging(0, strong, d.summaryWords())
	if basis := d.basisWords(); basis != "" {
		p.hanging(0, faint, basis)
	}
	p.problems(d.Problems)
}

// site prints the plan of a site above its topologies.
func (p *page) site(s *sitepage.Site) {
	if s == nil {
		return
	}
	for i, l := range s.Lines(p.listing == ListAll) {
		switch text := strings.TrimLeft(l, " "); {
		case i == 0:
			p.hanging(0, strong, text)
		case strings.HasPrefix(text, "reconcile "):
			p.line(pad("", len(l)-len(text)), safetext.Safe(text))
		default:
			p.hanging(len(l)-len(text), plain, text)
		}
	}
	p.blank()
}

func (p *page) problems(problems []Problem) {
	if len(problems) == 0 {
		return
	}
	if p.lines() > 0 {
		p.blank()
	}
	p.title("topology files", bad, "the documents below are left out until they are corrected")
	for _, problem := range problems {
		p.hanging(2, strong, problem.where())
		p.field("", bad, "✗", problem.what())
		if problem.Hint != "" {
			p.field("", plain, "→", problem.Hint)
		}
	}
}

// where is file:line:column as far as it is known, as editors understand it.
func (p Problem) where() string { return place(p.File, p.Line, p.Column) }

func place(file string, line, column int) string {
	switch {
	case line <= 0:
		return file
	case column <= 0:
		return fmt.Sprintf("%s:%d", file, line)
	default:
		return fmt.Sprintf("%s:%d:%d", file, line, column)
	}
}

func (p Problem) what() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// topology prints the brief of one topology, and below it the details that were asked
// for.
func (p *page) topology(d Document, t plan.TopologyPlan) {
	p.fitted(d, func(level detail) brief { return d.brief(t, level) })
	p.wholeParts(d, t)
}

// fitted prints the brief with as many details as fit one screen. Of several topologies
// each has a screen for itself.
func (p *page) fitted(d Document, make func(detail) brief) {
	above := 0
	if len(d.Plan.Topologies) == 1 {
		above = p.lines()
	}
	fits := func(b brief) bool {
		measured := &page{width: p.width, parts: p.parts}
		measured.brief(d, b)
		return p.parts.All || above+measured.lines() <= pageLines
	}
	at, b := 0, make(details[0])
	for at+1 < len(details) && !fits(b) {
		at++
		b = make(details[at])
	}
	level := details[at]
	for _, more := range refills {
		fuller := level
		more(&fuller)
		if fuller == level {
			continue
		}
		if o := make(fuller); fits(o) {
			b, level = o, fuller
		}
	}
	p.brief(d, b)
}

// lines counts the lines of a page without colours on a terminal of its width: a command
// that is wider takes more than one.
func (p *page) lines() int {
	n := 0
	for l := range strings.Lines(p.b.String()) {
		n += max(1, (columns(strings.TrimRight(l, "\n"))+p.width-1)/p.width)
	}
	return n
}

func (p *page) brief(d Document, b brief) {
	clock := ""
	if len(d.Plan.Topologies) == 1 {
		clock = d.clockWords()
	}
	p.headline(b, clock)
	if len(b.rows) > 0 {
		p.blank()
	}
	label := ""
	for _, r := range b.rows {
		p.row(r, r.label == label)
		label = r.label
	}
	if len(b.actions) > 0 {
		p.blank()
	}
	for _, a := range b.actions {
		p.action(a)
	}
	for _, g := range []grid{b.members, b.steps} {
		if len(g.rows) > 0 {
			p.blank()
			p.grid(g)
		}
	}
	if notes := p.parts.notAskedFor(b.notes); len(notes) > 0 {
		lines := clipped(wrap(safetext.Safe(strings.Join(notes, " · ")), p.prose()-4), b.noteMost, p.prose()-4)
		for i, l := range lines {
			p.line(pad("", 2+2*one(i > 0)), p.paint(faint, l))
		}
	}
}

// notAskedFor returns the notes on details that the page does not show.
func (o Parts) notAskedFor(notes []string) []string {
	return slices.DeleteFunc(slices.Clone(notes), func(note string) bool {
		return o.All || o.Findings && strings.HasPrefix(note, optionFindings) || o.Steps && strings.HasPrefix(note, optionSteps)
	})
}

// wholeParts prints what was asked for by an option, each part whole.
func (p *page) wholeParts(d Document, t plan.TopologyPlan) {
	o := p.parts
	if (o.Findings || o.All) && len(t.Findings) > 0 {
		p.section("Findings")
		for _, f := range urgentFirst(t.Findings) {
			p.finding(f, d.remedyOf(t, f))
		}
	}
	if (o.Steps || o.All) && len(t.Steps) > 0 {
		p.blank()
		p.grid(stepRows(t))
	}
	if (o.Trailers || o.All) && t.Transition != plan.TransitionNone && d.kind() != KindStatus {
		p.section("To approve without a tag, end the message of the signed commit (or merge) that changes this file with these lines, as a paragraph of their own:")
		p.copyable(Trailers(t, d.approval(t).Repository)...)
	}
	if o.All {
		p.blank()
		p.clusters(t)
		if channels := channelWords(t.DataLoss); channels != "" {
			p.note(channels)
		}
		p.note(d.basisWords())
	}
}

func (p *page) section(title string) {
	p.blank()
	p.hanging(2, strong, title)
}

// finding prints the code, what was seen, and under it what to do.
func (p *page) finding(f plan.Finding, remedy string) {
	s := severityStyle(f.Severity)
	p.hanging(4, s, s.mark()+" "+findingWords(f))
	if remedy != "" {
		p.hanging(6, plain, "→ "+remedy)
	}
}

func severityStyle(s plan.Severity) style {
	return map[plan.Severity]style{plan.SeverityBlocking: bad, plan.SeverityCritical: attention, plan.SeverityWarning: attention}[s]
}

// urgentFirst puts the findings first whose code is urgent, in the order of their urgency.
func urgentFirst(findings []plan.Finding) []plan.Finding {
	rank := func(f plan.Finding) int {
		if spec, _ := plan.SpecOf(f.Code); spec.Urgent > 0 {
			return spec.Urgent
		}
		return math.MaxInt
	}
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b plan.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// findingRemedy adds the way out that only an approver can take.
func findingRemedy(f plan.Finding) string {
	remedy := f.Remedy
	if f.Severity == plan.SeverityBlocking && f.Acceptable && !strings.Contains(remedy, "Failover-Accept") {
		remedy = strings.TrimLeft(remedy+"; or an approver takes the risk: `Failover-Accept: "+string(f.Code)+"`", "; ")
	}
	return remedy
}

func (p *page) clusters(t plan.TopologyPlan) {
	p.grid(clusterRows(t))
	for _, c := range t.Clusters {
		if c.View.Error != "" {
			p.note(c.ID + ": " + c.View.Error)
		}
	}
}

func clusterRows(t plan.TopologyPlan) grid {
	g := grid{head: []string{"cluster", "wanted", "believes", "reach", "version", "lag"}, least: 12}
	for _, c := range t.Clusters {
		reach, s := reachWords(c.View)
		g.add(cell{text: ClusterName(c)}, cell{text: c.DesiredRole.String()}, cell{text: beliefWords(c.View) + SaysItsStandby(t, c)},
			cell{text: reach, style: s}, cell{text: orElse(c.View.Version, "-")}, cell{text: orElse(lagInFull(t, c), "-")})
	}
	return g
}

// ClusterName is the id of a cluster, with its site if the document says it.
func ClusterName(c plan.ClusterPlan) string {
	if c.Site == "" {
		return c.ID
	}
	return c.ID + " (" + c.Site + ")"
}

// notObserved reports whether a cluster was not observed.
func notObserved(v plan.View) bool { return v.At.IsZero() && v.Reach == plan.ReachUnknown }

func beliefWords(v plan.View) string {
	switch {
	case notObserved(v):
		return "not observed"
	case v.Belief.Kind == plan.BeliefStandby && v.Belief.Source != "":
		return "standby of " + v.Belief.Source + inferred(v)
	default:
		return v.Belief.Kind.String() + inferred(v)
	}
}

func inferred(v plan.View) string {
	if v.Belief.Inferred {
		return " (inferred)"
	}
	return ""
}

// lagInFull is the lag of a cluster where each has a row of its own.
func lagInFull(t plan.TopologyPlan, c plan.ClusterPlan) string {
	if t.Transition != plan.TransitionFailover {
		return lagWords(c)
	}
	return lagIn(t, c)
}

// SaysItsStandby says, for a cluster that does not report its role, which standbys store it
// as their source; empty: none does.
func SaysItsStandby(t plan.TopologyPlan, c plan.ClusterPlan) string {
	if c.View.Belief.Kind != plan.BeliefUnknown || notObserved(c.View) {
		return ""
	}
	by := clustersWhere(t, func(o plan.ClusterPlan) bool {
		return o.View.Reach == plan.ReachUp && o.View.Belief.Kind == plan.BeliefStandby && o.View.Belief.Source == c.ID
	})
	if len(by) == 0 {
		return ""
	}
	return ", source of " + list(by)
}

// lagIn is the lag of a cluster; empty: none was measured, or a failover counts what may be
// lost instead, and not for how long the primary has been away.
func lagIn(t plan.TopologyPlan, c plan.ClusterPlan) string {
	if c.Lag == nil || t.Transition == plan.TransitionFailover || t.Outage != nil {
		return ""
	}
	return lagWords(c)
}

func lagWords(c plan.ClusterPlan) string {
	switch {
	case c.Lag == nil:
		return "-"
	case c.Lag.Upper == nil:
		return "unknown"
	default:
		return "≤ " + plan.UpperBoundText(*c.Lag.Upper)
	}
}

func stepRows(t plan.TopologyPlan) grid {
	g := grid{head: []string{"step", "does", "on", "why"}, least: 24}
	for _, s := range allSteps(t) {
		does := cell{text: actionText(s.Action)}
		if s.ForcePromote() {
			does.style = bad
		}
		g.add(cell{text: number(s.ID)}, does, cell{text: orElse(s.Cluster, "-")}, cell{text: stepWords(t, s)})
	}
	return g
}
