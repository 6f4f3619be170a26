package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Table writes the document for a person: what will happen, what may be lost,
// what blocks, what to type next, and only then the details. Topologies that
// are in sync come first, one line each, so that what needs somebody stands
// together at the end, next to the prompt.
func Table(w io.Writer, d Document, o TableOptions) error {
	p := newPage(o)
	p.document(d)
	return p.flush(w)
}

func (p *page) document(d Document) {
	if len(d.Plan.Topologies) > 1 {
		p.fleet(d)
		return
	}
	p.hanging(0, strong, d.summaryWords())
	if basis := d.basisWords(); basis != "" {
		p.hanging(0, faint, basis)
	}
	p.problems(d.Problems)
	if len(d.Problems) > 0 && len(d.Plan.Topologies) > 0 {
		p.blank()
	}
	loud := 0
	for _, t := range d.topologies() {
		if !d.oneLineOnly(t) || d.kind() == KindStatus {
			loud++
			continue
		}
		p.inSync(t)
	}
	if loud == 0 {
		return
	}
	for _, t := range d.topologies() {
		switch {
		case d.kind() == KindStatus:
			p.status(d, t)
		case !d.oneLineOnly(t):
			p.topology(d, t)
		}
	}
}

func (p *page) inSync(t plan.TopologyPlan) {
	p.title(t.Name, restStyle(t), inSyncWords(t))
	p.findings("Note", t, plan.SeverityCritical, plan.SeverityWarning, plan.SeverityInfo)
}

func (p *page) problems(problems []Problem) {
	if len(problems) == 0 {
		return
	}
	p.blank()
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

// topology prints one topology that is not simply in sync.
func (p *page) topology(d Document, t plan.TopologyPlan) {
	headline, s := d.headline(t)
	p.blank()
	p.title(t.Name, s, headline)
	p.blank()
	p.happening(d, t)
	p.loss(d, t)
	p.replication(d, t)
	p.blocking(d, t)
	p.accepted(d, t)
	p.findings("Beware", t, plan.SeverityCritical)
	p.findings("Note", t, plan.SeverityWarning, plan.SeverityInfo)
	p.next(d, t)
	p.blank()
	p.clusters(t)
	if len(t.Steps) > 0 {
		p.blank()
		p.grid(stepRows(t))
	}
}

// status prints what is believed, with a word on what a plan would do.
func (p *page) status(d Document, t plan.TopologyPlan) {
	headline, s := d.headline(t)
	if d.oneLineOnly(t) {
		headline, s = inSyncWords(t), restStyle(t)
	}
	p.blank()
	p.title(t.Name, s, headline)
	if len(t.Findings) > 0 || t.Transition != plan.TransitionNone {
		p.blank()
	}
	p.blocking(d, t)
	p.accepted(d, t)
	p.findings("Beware", t, plan.SeverityCritical)
	p.findings("Note", t, plan.SeverityWarning, plan.SeverityInfo)
	switch {
	case t.Transition == plan.TransitionNone:
	case t.Resumed && !d.blocked(t):
		p.field("Next", plain, "→", approvedNextWords(d, t))
	default:
		p.field("Next", plain, "→", "See what would happen: `reconcile plan "+t.Name+"`")
	}
	p.blank()
	p.clusters(t)
}

// happening never says "will" of something that is held back.
func (p *page) happening(d Document, t plan.TopologyPlan) {
	s := plain
	if t.Has(plan.CodeForcePromote) {
		s = bad
	}
	label, text := d.happeningWords(t)
	p.field(label, s, "", text)
	p.remedy(d.withoutApproverAdvice(t, ownRemedy(t, plan.CodeForcePromote)))
}

// happeningWords says under which condition what happens.
func (d Document) happeningWords(t plan.TopologyPlan) (label, text string) {
	label, text = "Will happen", happening(t)
	switch {
	case t.Transition == plan.TransitionNone:
	case d.blocked(t):
		text = "Nothing, while it is blocked. It would be: " + text
	case d.kind() == KindDrift:
		label = "Would do"
	case unobserved(t):
		label = "Intended"
	case d.approval(t).Verdict == approval.VerdictDenied:
		label = "If approved"
	}
	if t.Has(plan.CodeForcePromote) {
		text += " (" + string(plan.CodeForcePromote) + ")"
	}
	return label, text
}

// ownRemedy is what to do about a finding that has a place of its own.
func ownRemedy(t plan.TopologyPlan, code plan.Code) string {
	for _, f := range t.Findings {
		if f.Code == code {
			return f.Remedy
		}
	}
	return ""
}

func (p *page) remedy(text string) {
	if text != "" {
		p.field("", plain, "→", text)
	}
}

func (p *page) loss(d Document, t plan.TopologyPlan) {
	if t.Transition == plan.TransitionNone {
		return
	}
	text, s := d.lossText(t)
	p.field("May be lost", s, s.mark(), text)
	if channels := channelWords(t.DataLoss); t.Transition == plan.TransitionFailover && channels != "" {
		p.field("", plain, " ", channels)
	}
	p.remedy(d.withoutApproverAdvice(t, ownRemedy(t, plan.CodeDataLossRisk)))
}

func (p *page) replication(d Document, t plan.TopologyPlan) {
	if text, s := d.replicationWords(t); text != "" {
		p.field("Replication", s, s.mark(), text)
	}
}

func (p *page) blocking(d Document, t plan.TopologyPlan) {
	found := t.Blocking(d.accepted(t))
	p.list("Blocked by", found, bad)
	if len(found) == 0 && t.Transition != plan.TransitionNone {
		p.field("Blocked by", good, "✓", "nothing")
	}
}

func (p *page) accepted(d Document, t plan.TopologyPlan) {
	label := "Accepted"
	for _, f := range acceptedFindings(t) {
		f.Message = "accepted by " + orElse(list(d.approval(t).By), "the approver") + ": " + f.Message
		p.finding(label, attention, f, "")
		label = ""
	}
}

func (p *page) findings(label string, t plan.TopologyPlan, severities ...plan.Severity) {
	p.list(label, otherFindings(t, severities...), attention)
}

// list prints findings one below the other. What several of them ask for is
// said once, below the last.
func (p *page) list(label string, findings []plan.Finding, s style) {
	findings = urgentFirst(findings)
	for i, f := range findings {
		remedy := findingRemedy(f)
		if i+1 < len(findings) && findingRemedy(findings[i+1]) == remedy {
			remedy = ""
		}
		if f.Severity == plan.SeverityInfo {
			s = plain
		}
		p.finding(label, s, f, remedy)
		label = ""
	}
}

// urgentFirst puts before all else that two clusters take writes: every minute
// of it makes the damage greater.
func urgentFirst(findings []plan.Finding) []plan.Finding {
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b plan.Finding) int {
		return one(b.Code == plan.CodeSplitBrain) - one(a.Code == plan.CodeSplitBrain)
	})
	return out
}

// finding prints the code, what was seen, and under it what to do.
func (p *page) finding(label string, s style, f plan.Finding, remedy string) {
	text := string(f.Code)
	if f.Cluster != "" && !strings.Contains(f.Message, f.Cluster) {
		text += " " + f.Cluster
	}
	p.field(label, s, s.mark(), text+": "+f.Message)
	p.remedy(remedy)
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
		g.add(cell{text: c.ID}, cell{text: c.DesiredRole.String()}, cell{text: beliefWords(c.View)},
			cell{text: reach, style: s}, cell{text: orElse(c.View.Version, "-")}, cell{text: lagWords(c)})
	}
	return g
}

func reachWords(v plan.View) (string, style) {
	if notObserved(v) {
		return "· not observed", faint
	}
	s := map[plan.Reach]style{plan.ReachUp: good, plan.ReachUnreachable: bad}[v.Reach]
	if s == plain {
		s = attention
	}
	return s.mark() + " " + v.Reach.String(), s
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
	for _, s := range t.Steps {
		does := cell{text: actionText(s.Action)}
		if s.ForcePromote() {
			does.style = bad
		}
		g.add(cell{text: number(s.ID)}, does, cell{text: orElse(s.Cluster, "-")}, cell{text: stepWords(t, s)})
	}
	return g
}
