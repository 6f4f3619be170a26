package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// TestSwitchover holds one run of an approved switchover of two clusters, sent
// at once, to what may go wrong.
func TestSwitchover(t *testing.T) {
	both := []string{"update_replicate_configuration cluster-a", "update_replicate_configuration cluster-b"}
	for _, test := range []struct {
		name    string
		arrange func(*story)
		want    outcome
	}{
		{
			"all is well", func(*story) {},
			outcome{reconcile.OutcomeApplied, "", both, []string{"begin", "sent", "effected", "finish"}, false, 1, 0},
		},
		{
			"replication is not proven, so nothing is begun", func(s *story) { s.hands.replication = errDrill },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SWITCHOVER_LAG"},
		},
		{"both refuse: reversed", func(s *story) {
			s.hands.answers["cluster-a"], s.hands.answers["cluster-b"] = answers(reconcile.StepRefused, true), answers(reconcile.StepRefused, true)
		}, outcome{outcome: reconcile.OutcomeError, detail: "refused", sent: both, events: []string{"begin", "sent", "reverse"}}},
		{
			"the first refuses, the second took it", func(s *story) { s.hands.answers["cluster-a"] = answers(reconcile.StepRefused, true) },
			outcome{reconcile.OutcomeUnverified, "refused", both, []string{"begin", "sent"}, true, 1, 0},
		},
		{"the second refuses, the first is in doubt", func(s *story) {
			s.hands.answers["cluster-a"], s.hands.answers["cluster-b"] = answers(reconcile.StepInDoubt, true), answers(reconcile.StepRefused, true)
		}, outcome{reconcile.OutcomeUnverified, "in_doubt", both, []string{"begin", "sent"}, true, 1, 0}},
		{"the first refuses, the second was so before", func(s *story) {
			s.hands.answers["cluster-a"], s.hands.answers["cluster-b"] = answers(reconcile.StepRefused, true), answers(reconcile.StepAlready, false)
		}, outcome{reconcile.OutcomeUnverified, "refused", both, []string{"begin", "sent"}, true, 1, 0}},
		{"the approval ends while replication is proven", func(s *story) {
			s.approve("orders", "Failover-Expires: "+start.Add(time.Minute).Format(time.RFC3339))
			s.hands.onProof = func() { s.world.clock.pass(time.Hour) }
		}, outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t, plan.RoleStandby, plan.RolePrimary)
			test.arrange(s)
			test.want.check(t, s, s.run(t))
		})
	}
}

// TestResumedSwitchoverProvesAgain: a switchover that was begun and has not
// moved anything is proven again; one that is halfway has nothing to prove.
func TestResumedSwitchoverProvesAgain(t *testing.T) {
	inDoubt := func(s *story) {
		s.hands.answers["cluster-a"], s.hands.answers["cluster-b"] = answers(reconcile.StepInDoubt, true), answers(reconcile.StepInDoubt, true)
	}
	for _, test := range []struct {
		name   string
		first  func(*story)
		second func(*story)
		proofs int
		want   reconcile.Outcome
	}{
		{"killed before anything was sent, long ago", func(s *story) { s.book.refuse["sent"] = errDrill }, func(s *story) { s.book.refuse = nil }, 1, reconcile.OutcomeNotApproved},
		{"in doubt, nothing moved, and the link is dead now", inDoubt, func(s *story) { s.hands.replication = errDrill }, 2, reconcile.OutcomeBlocked},
		{"the old primary demoted itself", inDoubt, func(s *story) {
			c := s.world.views["cluster-a"].Belief.Configuration.Clone()
			c.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
			s.world.set("cluster-a", func(v *plan.View) { v.Belief = plan.ClassifyBelief("cluster-a", c) })
		}, 1, reconcile.OutcomeApplied},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t, plan.RoleStandby, plan.RolePrimary)
			test.first(s)
			s.run(t)
			s.again()
			test.second(s)
			if got := s.run(t); got.Outcome != test.want {
				t.Errorf("outcome is %s (%s), want %s", got.Outcome, got.Detail, test.want)
			}
			if s.hands.proofs != test.proofs {
				t.Errorf("replication was proven %d times, want %d", s.hands.proofs, test.proofs)
			}
		})
	}
}

// TestSwitchoverHasABound: a member that does not come to an end within
// switchover.timeout leaves the switchover unverified, for the next run.
func TestSwitchoverHasABound(t *testing.T) {
	s := newStory(t, plan.RoleStandby, plan.RolePrimary)
	s.topology("orders").Switchover.Timeout = 20 * time.Millisecond
	s.hands.answers["cluster-b"] = func(ctx context.Context, _ func(context.Context) error) reconcile.StepResult {
		<-ctx.Done()
		return reconcile.StepResult{Status: reconcile.StepInDoubt, Sent: true, Detail: context.Cause(ctx).Error()}
	}
	got := s.run(t)
	if got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "switchover.timeout") || !s.book.open() {
		t.Errorf("%s: %s, an intent is open: %t", got.Outcome, got.Detail, s.book.open())
	}
}
