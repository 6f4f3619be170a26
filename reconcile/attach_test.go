package reconcile_test

import (
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// newAttach is the story of cluster-b, empty, that joins cluster-a.
func newAttach(t *testing.T) *story {
	s := newStory(t, plan.RolePrimary, plan.RoleStandby)
	own, _ := s.world.views["cluster-a"].Belief.Configuration.Member("cluster-a")
	s.world.set("cluster-a", func(v *plan.View) {
		v.Belief = plan.ClassifyBelief("cluster-a", plan.Configuration{Clusters: []plan.Member{own}})
	})
	s.world.set("cluster-b", func(v *plan.View) {
		v.Belief, v.Progress, v.Contents = plan.Belief{Kind: plan.BeliefUnconfigured}, nil, plan.Contents{Known: true}
	})
	return s
}

// TestARefusedPrimaryKeepsTheStandbyUncalled is R38: the new standby is told
// only after the primary was read back.
func TestARefusedPrimaryKeepsTheStandbyUncalled(t *testing.T) {
	for name, status := range map[string]reconcile.StepStatus{"refused": reconcile.StepRefused, "failed": reconcile.StepFailed, "in doubt": reconcile.StepInDoubt} {
		t.Run(name, func(t *testing.T) {
			s := newAttach(t)
			s.hands.answers["cluster-a"] = answers(status, true)
			got := s.run(t)
			if got.Outcome == reconcile.OutcomeApplied || !slices.Equal(s.hands.sent, []string{"update_replicate_configuration cluster-a"}) {
				t.Errorf("%s (%s), sent %v", got.Outcome, got.Detail, s.hands.sent)
			}
		})
	}
	s := newAttach(t)
	if got := s.run(t); got.Outcome != reconcile.OutcomeApplied || len(s.hands.sent) != 2 || s.hands.sent[1] != "update_replicate_configuration cluster-b" {
		t.Errorf("%s (%s), sent %v", got.Outcome, got.Detail, s.hands.sent)
	}
}
