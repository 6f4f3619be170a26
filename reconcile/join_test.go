package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// newAttach is the story of cluster-b, empty, that joins cluster-a.
func newAttach(t *testing.T) *reconciletest.Fixture {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	own, _ := s.Clusters.Views["cluster-a"].Belief.Configuration.Member("cluster-a")
	s.Clusters.Set("cluster-a", func(v *plan.View) {
		v.Belief = plan.ClassifyBelief("cluster-a", plan.Configuration{Clusters: []plan.Member{own}})
	})
	s.Clusters.Set("cluster-b", func(v *plan.View) {
		v.Belief, v.Progress, v.Contents = plan.Belief{Kind: plan.BeliefUnconfigured}, nil, plan.Contents{Known: true}
	})
	return s
}

// TestARefusedPrimaryKeepsTheStandbyUncalled is R38 of scenarios.md: the new standby is told
// only after the primary was read back.
func TestARefusedPrimaryKeepsTheStandbyUncalled(t *testing.T) {
	for name, status := range map[string]plan.StepStatus{"refused": plan.StepRefused, "failed": plan.StepFailed, "in doubt": plan.StepInDoubt} {
		t.Run(name, func(t *testing.T) {
			s := newAttach(t)
			s.Actor.Answers["cluster-a"] = reconciletest.Answers(status, true)
			got := s.Run(t)
			if got.Outcome == reconcile.OutcomeApplied || !slices.Equal(s.Actor.Sent, []string{"update_replicate_configuration cluster-a"}) {
				t.Errorf("%s (%s), sent %v", got.Outcome, got.Detail, s.Actor.Sent)
			}
		})
	}
	s := newAttach(t)
	if got := s.Run(t); got.Outcome != reconcile.OutcomeApplied || len(s.Actor.Sent) != 2 || s.Actor.Sent[1] != "update_replicate_configuration cluster-b" {
		t.Errorf("%s (%s), sent %v", got.Outcome, got.Detail, s.Actor.Sent)
	}
}

// TestWhatJoinsIsLookedAtAnew: once a cluster is to join, no look goes over a
// connection of an earlier one; a failover, which hurries, is not slowed down.
func TestWhatJoinsIsLookedAtAnew(t *testing.T) {
	attach := newAttach(t)
	if got := attach.Run(t); got.Outcome != reconcile.OutcomeApplied {
		t.Fatalf("%s: %s", got.Outcome, got.Detail)
	}
	fresh := 0
	for _, d := range attach.Clusters.Depths {
		if d.Fresh {
			fresh++
		}
	}
	if last := attach.Clusters.Depths[len(attach.Clusters.Depths)-1]; fresh != 2 || !last.Fresh || !last.Contents {
		t.Errorf("%d looks are fresh, under the lock and after the join: %+v", fresh, attach.Clusters.Depths)
	}
	failover := reconciletest.NewFixture(t)
	if got := failover.Run(t); got.Outcome != reconcile.OutcomeApplied {
		t.Fatalf("%s: %s", got.Outcome, got.Detail)
	}
	if slices.ContainsFunc(failover.Clusters.Depths, func(d plan.Depth) bool { return d.Fresh }) {
		t.Errorf("%+v", failover.Clusters.Depths)
	}
}

// TestAJoinedClusterIsLookedAtAgain: what took writes between the first look
// and the moment when it began to refuse them is not taken for a copy.
func TestAJoinedClusterIsLookedAtAgain(t *testing.T) {
	for name, c := range map[string]struct {
		primary, standby plan.Contents
		applied          bool
	}{
		"empty still":               {plan.Contents{}, plan.Contents{Known: true}, true},
		"what came by replication":  {holds("default/x", "default/y"), holds("default/x"), true},
		"it took a write":           {holds("default/x"), holds("default/x", "default/mine"), false},
		"it cannot be seen":         {holds(), plan.Contents{}, false},
		"its primary cannot either": {plan.Contents{}, holds("default/x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAttach(t)
			s.Actor.Answers["cluster-b"] = func(context.Context, func(context.Context) error) reconcile.StepResult {
				s.Clusters.Set("cluster-a", func(v *plan.View) { v.Contents = c.primary })
				s.Clusters.Set("cluster-b", func(v *plan.View) { v.Contents = c.standby })
				return reconcile.StepResult{Status: plan.StepDone, Sent: true}
			}
			got := s.Run(t)
			if c.applied {
				if got.Outcome != reconcile.OutcomeApplied {
					t.Errorf("%s: %s", got.Outcome, got.Detail)
				}
				return
			}
			if got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "JOIN_NOT_EMPTY: cluster-b") || !s.Ledger.Open() {
				t.Errorf("%s: %s", got.Outcome, got.Detail)
			}
		})
	}
}

func holds(names ...string) plan.Contents { return plan.Contents{Known: true, Collections: names} }

// A run that carries on looks again too, and ends once the cluster is empty.
func TestAJoinedClusterIsLookedAtByTheNextRun(t *testing.T) {
	s := newAttach(t)
	s.Actor.Answers["cluster-b"] = func(context.Context, func(context.Context) error) reconcile.StepResult {
		s.Clusters.Set("cluster-b", func(v *plan.View) { v.Contents = holds("default/mine") })
		return reconcile.StepResult{Status: plan.StepDone, Sent: true}
	}
	s.Run(t)
	for _, c := range []struct {
		contents plan.Contents
		want     reconcile.Outcome
	}{{holds("default/mine"), reconcile.OutcomeUnverified}, {holds(), reconcile.OutcomeApplied}} {
		s.Forget()
		s.Clusters.Set("cluster-a", func(v *plan.View) { v.Contents = holds() })
		s.Clusters.Set("cluster-b", func(v *plan.View) { v.Contents = c.contents })
		if got := s.Run(t); got.Outcome != c.want || len(s.Actor.Sent) != 0 {
			t.Errorf("%s (%s), sent %v, want %s", got.Outcome, got.Detail, s.Actor.Sent, c.want)
		}
	}
}
