package reconcile_test

import (
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestAPlanSeesWhatEndedWhileItProbed: an apply that ended while a plan made its rounds of
// evidence is not planned once more.
func TestAPlanSeesWhatEndedWhileItProbed(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Clusters.OnProbed = func() { s.Run(t) }
	if top, _ := s.Plan(t).Plan.Topology("orders"); top.Transition != plan.TransitionNone || !top.Live() {
		t.Errorf("after the failover it plans %s: %+v", top.Transition, top.Findings)
	}
}

// TestAPlanSeesWhatBeganWhileItProbed: a change that another process began meanwhile is under
// way.
func TestAPlanSeesWhatBeganWhileItProbed(t *testing.T) {
	s := reconciletest.NewFixture(t)
	first, _ := s.Plan(t).Plan.Topology("orders")
	s.Clusters.OnProbed = func() {
		s.Ledger.Mu.Lock()
		defer s.Ledger.Mu.Unlock()
		s.Ledger.Memory.Intents = []plan.Intent{{
			Topology: "orders", Transition: first.Transition, Generation: first.Generation, Digest: first.Digest,
			Steps: first.Steps, At: s.Clusters.Clock.Now(), MayHaveSent: true,
		}}
		s.Ledger.Memory.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)"}}
	}
	if top, _ := s.Plan(t).Plan.Topology("orders"); top.UnderWay == nil {
		t.Errorf("it is not under way: %+v", top.Findings)
	}
}

// TestAPlanSeesAPromotionByHandWhileItProbed: what somebody did to the clusters meanwhile is
// seen too, though the ledger does not hold it.
func TestAPlanSeesAPromotionByHandWhileItProbed(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Clusters.OnProbed = func() {
		s.Clusters.Mu.Lock()
		defer s.Clusters.Mu.Unlock()
		s.Clusters.Set("cluster-b", func(v *plan.View) {
			own, _ := v.Belief.Configuration.Member("cluster-b")
			v.Belief = plan.ClassifyBelief("cluster-b", plan.Configuration{Clusters: []plan.Member{own}})
		})
	}
	if top, _ := s.Plan(t).Plan.Topology("orders"); top.Transition != plan.TransitionNone || top.Has(plan.CodeForcePromote) {
		t.Errorf("after a promotion by hand it plans %s: %+v", top.Transition, top.Findings)
	}
}
