package plan

import "testing"

// TestASecondFailoverJudgesThePrimaryInForce: a failover went from a to c, and b still
// stores that it replicates from a. A failover to b replaces c: only what was seen of c
// decides, and while c answers nothing is sent.
func TestASecondFailoverJudgesThePrimaryInForce(t *testing.T) {
	toB := failingOver("b", "a", "c").after(failingOver("c", "a", "b"))
	flags := []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "PRIMARY_LIVENESS_UNPROVEN", "STALE_PRIMARY"}
	steps := []string{"1 record_stale c", "2 force_promote b", "3 verify b", "4 redirect_traffic b"}
	standby := idle(standbyOf("a", "b", "c"))
	for _, c := range []struct {
		name     string
		t        Topology
		a, c     View
		evidence []Evidence
		memory   Memory
		blocking []string // next to STALE_PROMOTION
	}{
		{name: "c was judged lost", t: toB, a: down("a"), c: down("c"), evidence: []Evidence{lost("c", "b")}},
		{name: "only a was judged", t: toB, a: down("a"), c: down("c"), evidence: []Evidence{lost("a", "b")}, blocking: []string{"PRIMARY_NOT_PROBED"}},
		{name: "nobody was judged", t: toB, a: down("a"), c: unknown("c"), blocking: []string{"PRIMARY_NOT_PROBED"}},
		{name: "c takes writes", t: toB, a: down("a"), c: primaryOf("c"), evidence: []Evidence{lost("a", "b"), lost("c", "b")}, blocking: []string{"PRIMARY_REACHABLE"}},
		{name: "c answers, its role cannot be read", t: toB, a: down("a"), c: unread("c"), evidence: []Evidence{lost("c", "b")}, blocking: []string{"PRIMARY_REACHABLE"}},
		{name: "c was rebuilt empty", t: toB, a: down("a"), c: empty("c"), blocking: []string{"PRIMARY_REPLACED"}},
		{name: "a is back and takes writes", t: toB, a: primaryOf("a", "b", "c"), c: down("c"), evidence: []Evidence{lost("c", "b")}, blocking: []string{"PRIMARY_REACHABLE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			critical := flags
			if k := c.c.Belief.Kind; c.c.Reach == ReachUp && k != BeliefUnconfigured { // whether it lives is no question
				critical = []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"}
			}
			m := hadFailedOver("a", "c")
			m.Stale = append(m.Stale, StaleMark{Cluster: "b", Topology: "orders", Since: m.Stale[0].Since, Promoted: "c", Effected: true})
			w := world{t: c.t, views: []View{c.a, standby, c.c}, evidence: c.evidence, memory: m}
			if p := w.plan(t); p.OldPrimary != "c" {
				t.Errorf("it replaces %s", p.OldPrimary)
			}
			planCase{name: "plan", world: w, transition: TransitionFailover, blocking: append(c.blocking, "STALE_PROMOTION"), critical: critical, steps: steps}.run(t)
		})
	}
}
