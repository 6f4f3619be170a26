package doctor

import (
	"fmt"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/rehearsal"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// contents says what the newest audit found of each standby. One that was never audited has
// no check: whether to audit is the operator's choice.
func (x *examination) contents(topologies []plan.Topology, memory plan.Memory) {
	for _, t := range topologies {
		primary, _ := t.Primary()
		if x.e.Config.Load == schema.LoadAuto && primary.ID != "" {
			x.check(servingCheck(t.Name, primary.ID, memory))
		}
		for _, m := range memory.Audits {
			if c, listed := t.Cluster(m.Standby); listed && m.Topology == t.Name && c.Role == plan.RoleStandby && m.Primary == primary.ID {
				x.check(contentCheck(m))
			}
		}
	}
}

// servingCheck says when it was read what a primary has loaded. A new primary loads nothing else
// after a failover.
func servingCheck(topology, primary string, memory plan.Memory) render.Check {
	c := render.Check{Area: "content", Subject: primary, Verdict: render.CheckOK}
	had, known := memory.ServedBy(topology, primary)
	switch age := memory.Now.Sub(had.At); {
	case !known:
		c.Verdict = render.CheckWarning
		c.Message = "what it has loaded was never read: after a failover a new primary would load nothing, although the configuration says 'load: auto'"
	case age > oldServing:
		c.Verdict = render.CheckWarning
		c.Message = "what it has loaded was last read " + plan.DurationText(age) + " ago: after a failover a new primary would load that, and nothing newer"
	default:
		c.Message = fmt.Sprintf("what it has loaded (collections: %d) was read %s ago: after a failover a new primary loads that", len(had.Loads()), plan.DurationText(age))
		return c
	}
	c.Remedy = "let the daemon run, which reads it every " + plan.DurationText(wire.ServingEvery) + ", or read it now: 'reconcile drift " + topology + "'"
	return c
}

// oldServing is the age of a reading that the daemon would have replaced several times.
const oldServing = 24 * wire.ServingEvery

// rehearsed says when each topology was last rehearsed, and by how much the promised times were
// met. One that was never rehearsed has no check: whether to rehearse is the operator's choice.
func (x *examination) rehearsed(topologies []plan.Topology, memory plan.Memory) {
	for _, t := range topologies {
		kept := memory.RehearsalsOf(t.Name)
		if len(kept) == 0 {
			continue
		}
		last := kept[len(kept)-1]
		c := render.Check{Area: "rehearsal", Subject: t.Name, Verdict: render.CheckOK, Told: true, Message: rehearsal.Line(last, t.Switchover, memory.Now)}
		if !last.Passed() {
			c.Verdict, c.Remedy = render.CheckWarning, "see what did not work: 'reconcile rehearse "+t.Name+" --show'"
		}
		x.check(c)
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
