package reconcile_test

import (
	"context"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestNoSecondRequestBesideAPromotionByHand: between two requests to cluster-b
// somebody promotes cluster-c. The second would make another writer, and is not
// sent.
func TestNoSecondRequestBesideAPromotionByHand(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RoleStale, plan.RolePrimary, plan.RoleStale)
	var said error
	s.Actor.Answers["cluster-b"] = func(ctx context.Context, still func(context.Context) error) reconcile.StepResult {
		s.Clusters.Mu.Lock()
		s.Clusters.Set("cluster-c", func(v *plan.View) {
			own, _ := v.Belief.Configuration.Member("cluster-c")
			v.Belief = plan.ClassifyBelief("cluster-c", plan.Configuration{Clusters: []plan.Member{own}})
		})
		s.Clusters.Mu.Unlock()
		said = still(ctx)
		return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true, Detail: "in doubt"}
	}
	if r := s.Run(t); r.Outcome != reconcile.OutcomeUnverified {
		t.Errorf("the outcome is %s: %s", r.Outcome, r.Detail)
	}
	if said == nil || !strings.Contains(said.Error(), string(plan.CodeOutOfBandFailover)) && !strings.Contains(said.Error(), string(plan.CodeSplitBrain)) {
		t.Errorf("a second request was allowed, or refused for another reason: %v", said)
	}
}
