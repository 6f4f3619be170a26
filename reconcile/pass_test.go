package reconcile_test

import (
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestWhatOnlyThePassKnows: that the commit is not the one that governs, that
// the tracked ref was rewritten, and that the ledger is new. The first stands
// before everything else.
func TestWhatOnlyThePassKnows(t *testing.T) {
	findings := func(arrange func(*reconciletest.Fixture)) plan.TopologyPlan {
		s := reconciletest.NewFixture(t)
		arrange(s)
		top, _ := s.Plan(t).Plan.Topology("orders")
		return top
	}
	calm := findings(func(*reconciletest.Fixture) {})
	for _, code := range []plan.Code{plan.CodeSuperseded, plan.CodeHistoryRewritten, plan.CodeLedgerNew, plan.CodeShardUndecided} {
		if calm.Has(code) {
			t.Errorf("%s stands although nothing of it is so", code)
		}
	}
	superseded := findings(func(s *reconciletest.Fixture) {
		s.Up("cluster-a") // blocks as well
		s.Apply.Superseded = map[string]string{"orders": "beef"}
	})
	if superseded.Findings[0].Code != plan.CodeSuperseded || !superseded.Has(plan.CodePrimaryReachable) || superseded.InSync {
		t.Errorf("a superseded commit gives %+v", superseded.Findings)
	}
	rewritten := findings(func(s *reconciletest.Fixture) { s.Apply.Rewritten = map[string]string{"orders": "beef"} })
	if !rewritten.Has(plan.CodeHistoryRewritten) || !rewritten.Blocked(nil) || rewritten.Blocked([]plan.Code{plan.CodeHistoryRewritten}) {
		t.Errorf("a rewritten history gives %+v", rewritten.Findings)
	}
	shardless := findings(func(s *reconciletest.Fixture) {
		s.Apply.Desired.Shards = []plan.Shard{{Name: "eu", Paths: []string{"eu"}}}
	})
	if !shardless.Has(plan.CodeShardUndecided) || shardless.InSync || shardless.Transition != calm.Transition {
		t.Errorf("rules that take it for no shard give %+v", shardless.Findings)
	}
	young := findings(func(s *reconciletest.Fixture) { s.Ledger.New = true })
	if !young.Has(plan.CodeLedgerNew) || young.Blocked(nil) {
		t.Errorf("a new ledger gives %+v", young.Findings)
	}
}
