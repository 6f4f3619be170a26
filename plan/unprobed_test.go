package plan

import (
	"slices"
	"testing"
)

// TestAnOpenIntentOnlyWaitsForItsRounds: whoever makes none says so, and offers
// nothing to accept. What else stands against it blocks as before.
func TestAnOpenIntentOnlyWaitsForItsRounds(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	failover.memory = begun(t, failover, func(*Intent) {})
	failover.evidence = nil
	p := failover.plan(t)
	if !p.OnlyUnprobed() || p.Has(CodePromotionInDoubt) {
		t.Fatalf("blocked by %v", p.Blocking(nil))
	}
	if told := p.Unprobed(); told.Blocked(nil) || !told.Has(CodePrimaryNotProbed) || !p.Blocked(nil) {
		t.Errorf("told as blocked by %v; the plan itself by %v", told.Blocking(nil), p.Blocking(nil))
	}
	fresh := failover
	fresh.memory = Memory{}
	if p := fresh.plan(t); p.OnlyUnprobed() || !p.Unprobed().Blocked(nil) {
		t.Error("a failover that was not begun is told as if nothing stood against it")
	}
	failover.views = []View{down("a"), down("b")}
	if p := failover.plan(t); p.OnlyUnprobed() || !p.Unprobed().Blocked(nil) {
		t.Error("without its candidate it is told as if nothing stood against it")
	}
}

// TestARehearsalSaysThatAnOpenIntentComesFirst, with the command that carries it on.
func TestARehearsalSaysThatAnOpenIntentComesFirst(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	failover.memory = begun(t, failover, func(*Intent) {})
	d, o, m := failover.inputs()
	d.Topologies[0] = d.Topologies[0].AsLive(o)
	for _, r := range Rehearse(d, o, m) {
		if r.Standby != "b" {
			continue
		}
		i := slices.IndexFunc(r.Plan.Findings, func(f Finding) bool { return f.Code == CodePromotionInDoubt })
		if i < 0 || r.Plan.Findings[i].Severity != SeverityWarning || r.Plan.Findings[i].Remedy != "'reconcile apply orders' carries it on; no new approval is needed" {
			t.Errorf("%+v", r.Plan.Findings)
		}
		return
	}
	t.Error("nothing was rehearsed for b")
}
