package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// frozen lets a freeze be in force from and until moments that are told from the start.
func frozen(from, until time.Duration, passes ...plan.Transition) func(*reconciletest.Fixture) {
	return func(s *reconciletest.Fixture) {
		f := plan.Freeze{Name: "year-end", From: reconciletest.Start.Add(from), Until: reconciletest.Start.Add(until), Passes: passes}
		s.Apply.Freeze = func(time.Time) []plan.Freeze { return []plan.Freeze{f} }
	}
}

// TestSwitchover holds one run of an approved switchover of two clusters, sent
// at once, to what may go wrong.
func TestSwitchover(t *testing.T) {
	both := []string{"update_replicate_configuration cluster-a", "update_replicate_configuration cluster-b"}
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		want    outcome
	}{
		{
			"all is well", func(*reconciletest.Fixture) {},
			outcome{reconcile.OutcomeApplied, "", both, []string{"begin", "sent", "effected", "finish"}, false, 1, 0},
		},
		{
			"replication is not proven, so nothing is begun", func(s *reconciletest.Fixture) { s.Actor.ReplicationErr = reconciletest.ErrInjected },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SWITCHOVER_LAG"},
		},
		{"both refuse: reversed", func(s *reconciletest.Fixture) {
			s.Actor.Answers["cluster-a"], s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepRefused, true), reconciletest.Answers(plan.StepRefused, true)
		}, outcome{outcome: reconcile.OutcomeError, detail: "refused", sent: both, events: []string{"begin", "sent", "reverse"}}},
		{
			"the first refuses, the second took it", func(s *reconciletest.Fixture) {
				s.Actor.Answers["cluster-a"] = reconciletest.Answers(plan.StepRefused, true)
			},
			outcome{reconcile.OutcomeUnverified, "refused", both, []string{"begin", "sent"}, true, 1, 0},
		},
		{"the second refuses, the first is in doubt", func(s *reconciletest.Fixture) {
			s.Actor.Answers["cluster-a"], s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepInDoubt, true), reconciletest.Answers(plan.StepRefused, true)
		}, outcome{reconcile.OutcomeUnverified, "in_doubt", both, []string{"begin", "sent"}, true, 1, 0}},
		{"the first refuses, the second was so before", func(s *reconciletest.Fixture) {
			s.Actor.Answers["cluster-a"], s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepRefused, true), reconciletest.Answers(plan.StepAlready, false)
		}, outcome{reconcile.OutcomeUnverified, "refused", both, []string{"begin", "sent"}, true, 1, 0}},
		{"the approval ends while replication is proven", func(s *reconciletest.Fixture) {
			s.Approve("orders", "Failover-Expires: "+reconciletest.Start.Add(time.Minute).Format(time.RFC3339))
			s.Actor.OnProof = func() { s.Clusters.Clock.Pass(time.Hour) }
		}, outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED"}},
		{
			"a freeze is in force", frozen(-time.Hour, time.Hour),
			outcome{outcome: reconcile.OutcomeBlocked, detail: "CHANGE_FROZEN (the switchover waits until " + reconciletest.Start.Add(time.Hour).UTC().Format(time.RFC3339)},
		},
		{"a freeze is over", frozen(-time.Hour, 0), outcome{reconcile.OutcomeApplied, "", both, []string{"begin", "sent", "effected", "finish"}, false, 1, 0}},
		{"a freeze begins while replication is proven", func(s *reconciletest.Fixture) {
			frozen(time.Minute, time.Hour)(s)
			s.Actor.OnProof = func() { s.Clusters.Clock.Pass(2 * time.Minute) }
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "not sent: blocked by CHANGE_FROZEN", events: []string{"begin", "sent", "reverse"}}},
		{"so it does where Git is read again", func(s *reconciletest.Fixture) {
			frozen(time.Minute, time.Hour)(s)
			readAgain(nil, nil, nil)(s)
			s.Actor.OnProof = func() { s.Clusters.Clock.Pass(2 * time.Minute) }
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "blocked by CHANGE_FROZEN"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary)
			test.arrange(s)
			test.want.check(t, s, s.Run(t))
		})
	}
}

// TestResumedSwitchoverProvesAgain: a switchover that was begun and has not
// moved anything is proven again; one that is halfway has nothing to prove.
func TestResumedSwitchoverProvesAgain(t *testing.T) {
	inDoubt := func(s *reconciletest.Fixture) {
		s.Actor.Answers["cluster-a"], s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepInDoubt, true), reconciletest.Answers(plan.StepInDoubt, true)
	}
	for _, test := range []struct {
		name   string
		first  func(*reconciletest.Fixture)
		second func(*reconciletest.Fixture)
		proofs int
		want   reconcile.Outcome
	}{
		{"killed before anything was sent, long ago", func(s *reconciletest.Fixture) { s.Ledger.Refuse["sent"] = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) { s.Ledger.Refuse = nil }, 1, reconcile.OutcomeNotApproved},
		{"in doubt, nothing moved, and the link is dead now", inDoubt, func(s *reconciletest.Fixture) { s.Actor.ReplicationErr = reconciletest.ErrInjected }, 2, reconcile.OutcomeBlocked},
		{"the old primary demoted itself", inDoubt, func(s *reconciletest.Fixture) {
			c := s.Clusters.Views["cluster-a"].Belief.Configuration.Clone()
			c.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
			s.Clusters.Set("cluster-a", func(v *plan.View) { v.Belief = plan.ClassifyBelief("cluster-a", c) })
		}, 1, reconcile.OutcomeApplied},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary)
			test.first(s)
			s.Run(t)
			s.Forget()
			test.second(s)
			if got := s.Run(t); got.Outcome != test.want {
				t.Errorf("outcome is %s (%s), want %s", got.Outcome, got.Detail, test.want)
			}
			if s.Actor.Proofs != test.proofs {
				t.Errorf("replication was proven %d times, want %d", s.Actor.Proofs, test.proofs)
			}
		})
	}
}

// TestSwitchoverHasABound: a member that does not come to an end within
// switchover.timeout leaves the switchover unverified, for the next run.
func TestSwitchoverHasABound(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary)
	s.Topology("orders").Switchover.Timeout = time.Second
	s.Actor.Answers["cluster-b"] = func(ctx context.Context, _ func(context.Context) error) reconcile.StepResult {
		<-ctx.Done()
		return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true, Detail: context.Cause(ctx).Error()}
	}
	got := s.Run(t)
	if got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "switchover.timeout") || !s.Ledger.Open() {
		t.Errorf("%s: %s, an intent is open: %t", got.Outcome, got.Detail, s.Ledger.Open())
	}
}
