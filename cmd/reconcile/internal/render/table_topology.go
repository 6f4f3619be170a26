package render

import (
	"strings"

	"milvus-reconcile/plan"
)

// happening never says "will" of something that is held back.
func (p *page) happening(d Document, t plan.TopologyPlan) {
	label, s := "Will happen", plain
	text := happening(t)
	switch {
	case t.Transition == plan.TransitionNone:
	case d.blocked(t):
		label, text = "Will happen", "Nothing, while it is blocked. It would be: "+text
	case d.kind() == KindDrift:
		label = "Would do"
	case d.approval(t).Verdict == VerdictDenied:
		label = "If approved"
	}
	if t.Has(codeForcePromote) {
		s = bad
		text += " (" + string(codeForcePromote) + ")"
	}
	p.field(label, s, "", text)
}

func (p *page) loss(t plan.TopologyPlan) {
	if t.Transition == plan.TransitionNone {
		return
	}
	text, s := lossWords(t)
	if t.Has(codeDataLoss) {
		text += " (" + string(codeDataLoss) + ")"
	}
	p.field("May be lost", s, s.mark(), text)
	if channels := channelWords(t.DataLoss); t.Transition == plan.TransitionFailover && channels != "" {
		p.field("", plain, " ", channels)
	}
}

func (p *page) blocking(d Document, t plan.TopologyPlan) {
	label := "Blocked by"
	for _, f := range t.Blocking(d.accepted(t)) {
		p.finding(label, bad, f, findingRemedy(f))
		label = ""
	}
	if label != "" && t.Transition != plan.TransitionNone {
		p.field(label, good, "✓", "nothing")
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
	for _, f := range aside(t, severities...) {
		s := attention
		if f.Severity == plan.SeverityInfo {
			s = plain
		}
		p.finding(label, s, f, findingRemedy(f))
		label = ""
	}
}

// finding prints the code, what was seen, and under it what to do.
func (p *page) finding(label string, s style, f plan.Finding, remedy string) {
	text := string(f.Code)
	if f.Cluster != "" {
		text += " " + f.Cluster
	}
	p.field(label, s, s.mark(), text+": "+f.Message)
	if remedy != "" {
		p.field("", plain, "→", remedy)
	}
}

// findingRemedy adds the way out that only an approver can take.
func findingRemedy(f plan.Finding) string {
	remedy := f.Remedy
	if f.Severity == plan.SeverityBlocking && f.Acceptable && !strings.Contains(remedy, "Failover-Accept") {
		remedy = strings.TrimSpace(remedy + " Or an approver who takes the risk adds `Failover-Accept: " + string(f.Code) + "`.")
	}
	return remedy
}

func (p *page) clusters(t plan.TopologyPlan) {
	g := grid{head: []string{"cluster", "wanted", "believes", "reach", "version", "lag"}, least: 12}
	for _, c := range t.Clusters {
		reach, s := reachWords(c.View)
		g.add(cell{text: c.ID}, cell{text: c.DesiredRole.String()}, cell{text: beliefWords(c.View)},
			cell{text: reach, style: s}, cell{text: orElse(c.View.Version, "-")}, cell{text: lagWords(c)})
	}
	p.grid(g)
	for _, c := range t.Clusters {
		if c.View.Error != "" {
			p.note(c.ID + ": " + c.View.Error)
		}
	}
}

func reachWords(v plan.View) (string, style) {
	if v.At.IsZero() && v.Reach == plan.ReachUnknown {
		return "· not observed", faint
	}
	s := map[plan.Reach]style{plan.ReachUp: good, plan.ReachUnreachable: bad}[v.Reach]
	if s == plain {
		s = attention
	}
	return s.mark() + " " + v.Reach.String(), s
}

func beliefWords(v plan.View) string {
	switch {
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
		return "≤ " + upTo(*c.Lag.Upper)
	}
}

func (p *page) steps(t plan.TopologyPlan) {
	g := grid{head: []string{"step", "does", "on", "why"}, least: 24}
	for _, s := range t.Steps {
		does := cell{text: actionText(s.Action)}
		if s.ForcePromote() {
			does.style = bad
		}
		g.add(cell{text: number(s.ID)}, does, cell{text: orElse(s.Cluster, "-")}, cell{text: stepWords(t, s)})
	}
	p.grid(g)
}
