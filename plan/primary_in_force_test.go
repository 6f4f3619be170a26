package plan

import (
	"slices"
	"testing"
	"time"
)

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

// TestAMemberThatMayBeThePrimaryIsJudged: a failover went from a to c, and the ledger that
// held it is lost. b still stores that it replicates from a. What c itself says decides, and
// if it does not answer, it must be judged lost next to a.
func TestAMemberThatMayBeThePrimaryIsJudged(t *testing.T) {
	toB := failingOver("b", "a", "c").after(failingOver("c", "a", "b"))
	again := failingOver("b", "a", "c").after(failingOver("b", "a", "c"))
	letGo := failingOver("b", "a", "c").after(failingOver("c", "a", "b"))
	letGo.Clusters[2] = cluster("c", RoleDetached)
	ofA, ofBoth := []Evidence{lost("a", "b")}, []Evidence{lost("a", "b"), lost("c", "b")}
	serves := primaryOf("c")
	for _, c := range []struct {
		name     string
		t        Topology
		c        View
		evidence []Evidence
		memory   Memory
		blocking []string
		judged   bool // c is, too
	}{
		{name: "c takes writes", t: toB, c: serves, evidence: ofBoth, blocking: []string{"PRIMARY_REACHABLE"}},
		{name: "c takes writes, and the change was committed once more", t: again, c: serves, evidence: ofBoth, blocking: []string{"OUT_OF_BAND_FAILOVER"}},
		{name: "c takes writes, and Git lets it go", t: letGo, c: serves, evidence: ofBoth, blocking: []string{"OUT_OF_BAND_FAILOVER"}},
		{name: "c answers, its role cannot be read", t: toB, c: unread("c"), evidence: ofBoth, blocking: []string{"PRIMARY_REACHABLE"}},
		{name: "c answered a probe", t: toB, c: down("c"), evidence: []Evidence{lost("a", "b"), lost("c", "b", func(i int, r *Round) {
			if i == 4 {
				r.Reach, r.Class = ReachUp, ClassNone
			}
		})}, blocking: []string{"PRIMARY_REACHABLE"}, judged: true},
		{name: "only a was judged", t: toB, c: down("c"), evidence: ofA, blocking: []string{"PRIMARY_NOT_PROBED"}, judged: true},
		{name: "only a was judged, and the change was committed once more", t: again, c: down("c"), evidence: ofA, blocking: []string{"PRIMARY_NOT_PROBED"}, judged: true},
		{
			name: "only a was judged, and the promotion of c was begun", t: toB, c: down("c"), evidence: ofA, blocking: []string{"PRIMARY_NOT_PROBED"}, judged: true,
			memory: Memory{Stale: []StaleMark{{Cluster: "a", Topology: "orders", Since: now.Add(-2 * time.Hour), Promoted: "c"}}},
		},
		{name: "only c was judged", t: toB, c: down("c"), evidence: []Evidence{lost("c", "b")}, blocking: []string{"PRIMARY_NOT_PROBED"}, judged: true},
		{
			name: "nobody can tell whether c is there", t: toB, c: unknown("c"), evidence: []Evidence{lost("a", "b"), lost("c", "b", func(_ int, r *Round) { r.Reach, r.Class = ReachUnknown, ClassDNS })},
			blocking: []string{"PRIMARY_STATE_UNKNOWN"}, judged: true,
		},
		{name: "both were judged lost", t: toB, c: down("c"), evidence: ofBoth, judged: true},
		{name: "the first failover was never carried out", t: toB, c: moving(standbyOf("a", "c", "b")), evidence: ofA},
		{name: "c was a standby that is away", t: failingOver("b", "a", "c"), c: down("c"), evidence: ofA},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{t: c.t, views: []View{down("a"), moving(standbyOf("a", "b", "c")), c.c}, evidence: c.evidence, memory: c.memory}
			p := w.plan(t)
			if got := codesOf(p, SeverityBlocking); !slices.Equal(got, c.blocking) {
				t.Errorf("blocked by %v, want %v", got, c.blocking)
			}
			served := world{t: c.t, views: []View{primaryOf("a", "b", "c"), moving(standbyOf("a", "b", "c")), c.c}, evidence: c.evidence, memory: c.memory}
			if c.judged && (!slices.Equal(codesOf(served.plan(t), SeverityBlocking), []string{"PRIMARY_REACHABLE"}) || len(served.wants()) > 0) {
				t.Errorf("while a serves it is blocked by %v, and asks for %v", codesOf(served.plan(t), SeverityBlocking), served.wants())
			}
			if p.Transition != TransitionFailover || p.OldPrimary != "a" || p.Judges("c") != c.judged {
				t.Errorf("a %s in place of %s, next to it is judged: %v", p.Transition, p.OldPrimary, p.AlsoJudged)
			}
			watched := WatchWants(c.t, Failover{}, p)
			if got := len(watched) > 1; got != c.judged {
				t.Errorf("a daemon probes %+v", watched)
			}
			if wants := w.wants(); slices.Contains(c.blocking, "PRIMARY_NOT_PROBED") && len(wants) != 2 {
				t.Errorf("it asks for rounds about %+v", wants)
			}
		})
	}
}
