package reconcile_test

import (
	"context"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

const fence = "fence_stale_primary cluster-a"

// newReturn is a story in which cluster-b was promoted by an approved failover,
// and cluster-a is back and takes writes.
func newReturn(t *testing.T) *reconciletest.Fixture {
	t.Helper()
	s := reconciletest.NewFixture(t)
	promoted(s)
	s.Up("cluster-a")
	delete(s.Apply.Changes, "orders") // nothing new is approved
	s.Ledger.Memory.Stale = []plan.StaleMark{{Cluster: "cluster-a", Topology: "orders", Since: reconciletest.Start, Promoted: "cluster-b", Effected: true}}
	s.Ledger.Memory.Failovers = []plan.LastFailover{{Topology: "orders", Promoted: "cluster-b", At: reconciletest.Start}}
	return s
}

// TestFence: a stale cluster is demoted next to a cluster that takes writes, and
// in no other state of the world.
func TestFence(t *testing.T) {
	done := []string{"begin", "sent", "effected", "finish"}
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		want    outcome
	}{
		{"it is back", func(*reconciletest.Fixture) {}, outcome{reconcile.OutcomeApplied, "", []string{fence}, done, false, 0, 1}},
		{
			"it is silent", func(s *reconciletest.Fixture) { s.Down("cluster-a") },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "keep it isolated", events: []string{"match"}, spent: 1, stale: 1},
		},
		{
			"the promoted one takes no DDL", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "CLUSTER_NEEDED", stale: 1},
		},
		{"the promoted one dies after its DDL", func(s *reconciletest.Fixture) {
			s.Actor.OnVerify = func() { s.Down("cluster-b") }
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "stale", stale: 1}},
		{"the promoted one stores an edge to it", func(s *reconciletest.Fixture) {
			s.Actor.OnVerify = func() {
				s.Clusters.Set("cluster-b", func(v *plan.View) {
					c := s.Clusters.Views["cluster-a"].Belief.Configuration.Clone()
					c.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
					v.Belief = plan.ClassifyBelief("cluster-b", c)
				})
			}
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "stale", stale: 1}},
		{"the promoted one dies before the request goes again", func(s *reconciletest.Fixture) {
			s.Actor.Answers["cluster-a"] = func(ctx context.Context, still func(context.Context) error) reconcile.StepResult {
				s.Down("cluster-b")
				if err := still(ctx); err == nil || !strings.Contains(err.Error(), "stale") {
					t.Errorf("it may go again: %v", err)
				}
				return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true, Detail: "in doubt"}
			}
		}, outcome{reconcile.OutcomeUnverified, "in doubt", []string{fence}, []string{"begin", "sent"}, true, 0, 1}},
		{
			"no record of the failover", func(s *reconciletest.Fixture) { s.Ledger.Memory.Stale = nil },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"the failover never took effect", func(s *reconciletest.Fixture) { s.Ledger.Memory.Stale[0].Effected = false },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING", stale: 1},
		},
		{"no record, and the newest change is approved", func(s *reconciletest.Fixture) {
			s.Ledger.Memory.Stale = nil
			s.Approve("orders")
		}, outcome{reconcile.OutcomeApplied, "", []string{fence}, done, false, 1, 0}},
		{
			"it is suspended", func(s *reconciletest.Fixture) { s.Apply.Suspended = []string{"orders"} },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "suspends", stale: 1},
		},
		{"a switchover waits before it", func(s *reconciletest.Fixture) {
			top := s.Topology("orders")
			top.Clusters[0].Role = plan.RoleStandby
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "comes first", stale: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newReturn(t)
			test.arrange(s)
			test.want.check(t, s, s.Fence(t))
		})
	}
}

// TestFenceLeavesAVerificationToApply: what is left of a failover is not
// fence's to finish.
func TestFenceLeavesAVerificationToApply(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Actor.VerifyErr = reconciletest.ErrInjected
	s.Run(t)
	s.Forget()
	s.Up("cluster-a")
	s.Actor.VerifyErr = nil
	outcome{reconcile.OutcomeBlocked, "comes first", nil, nil, true, 1, 1}.check(t, s, s.Fence(t))
}

// TestFenceIsResumed: one that may have reached the cluster is carried on by an
// apply or a fence; one that was killed before it sent anything is taken back,
// and only who asks for a fence gets one.
func TestFenceIsResumed(t *testing.T) {
	again := map[string]func(*reconciletest.Fixture, *testing.T) reconcile.Result{"apply": (*reconciletest.Fixture).Run, "fence": (*reconciletest.Fixture).Fence}
	unsent := func(s *reconciletest.Fixture) { s.Ledger.Refuse["sent"] = reconciletest.ErrInjected }
	inDoubt := func(s *reconciletest.Fixture) {
		s.Actor.Answers["cluster-a"] = reconciletest.Answers(plan.StepInDoubt, true)
	}
	resumed := outcome{reconcile.OutcomeApplied, "", []string{fence}, []string{"sent", "effected", "finish"}, false, 0, 1}
	for _, test := range []struct {
		by    string
		first func(*reconciletest.Fixture)
		want  outcome
	}{
		{"apply", inDoubt, resumed},
		{"fence", inDoubt, resumed},
		{"apply", unsent, outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"reverse"}, stale: 1}},
		{"fence", unsent, outcome{reconcile.OutcomeApplied, "", []string{fence}, []string{"reverse", "begin", "sent", "effected", "finish"}, false, 0, 1}},
	} {
		t.Run("by "+test.by, func(t *testing.T) {
			s := newReturn(t)
			test.first(s)
			s.Fence(t)
			s.Forget()
			s.Ledger.Refuse = nil
			test.want.check(t, s, again[test.by](s, t))
		})
	}
}
