package doctor

import (
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
)

// contents says what the newest audit found of each standby. One that was never audited has
// no check: whether to audit is the operator's choice.
func (x *examination) contents(topologies []plan.Topology, audits []plan.AuditMark) {
	for _, t := range topologies {
		primary, _ := t.Primary()
		for _, m := range audits {
			if c, listed := t.Cluster(m.Standby); listed && m.Topology == t.Name && c.Role == plan.RoleStandby && m.Primary == primary.ID {
				x.check(contentCheck(m))
			}
		}
	}
}

func contentCheck(m plan.AuditMark) render.Check {
	c := render.Check{Area: "content", Subject: m.Standby, Verdict: render.CheckOK, Message: m.LastEqual()}
	switch m.Verdict {
	case plan.ContentDiverged:
		c.Verdict, c.Message = render.CheckFailed, strings.Join(m.Lines(), "; ")
	case plan.ContentUnproven:
		c.Verdict, c.Message = render.CheckWarning, strings.Join(m.Lines(), "; ")
		if last := m.LastEqual(); last != "" {
			c.Message += "; " + last
		}
	case plan.ContentEqual:
	}
	if m.Verdict != plan.ContentEqual {
		c.Remedy = "see each difference and its remedy: 'reconcile audit " + m.Topology + "'"
	}
	return c
}
