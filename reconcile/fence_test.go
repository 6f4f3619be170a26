package reconcile_test

import (
	"context"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

const fence = "fence_stale_primary cluster-a"

// newReturn is a story in which cluster-b was promoted by an approved failover,
// and cluster-a is back and takes writes.
func newReturn(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	promoted(s)
	s.up("cluster-a")
	delete(s.apply.Changes, "orders") // nothing new is approved
	s.book.memory.Stale = []plan.StaleMark{{Cluster: "cluster-a", Topology: "orders", Since: start, Promoted: "cluster-b", Effected: true}}
	s.book.memory.Failovers = []plan.LastFailover{{Topology: "orders", Promoted: "cluster-b", At: start}}
	return s
}

func (s *story) fence(t *testing.T) reconcile.Result {
	t.Helper()
	report, err := s.apply.Fence(t.Context(), "orders", "cluster-a")
	if err != nil || len(report.Results) != 1 {
		t.Fatalf("Fence: %v, %d results", err, len(report.Results))
	}
	return report.Results[0]
}

// TestFence: a stale cluster is demoted beside a cluster that takes writes, and
// in no other state of the world.
func TestFence(t *testing.T) {
	done := []string{"begin", "sent", "effected", "finish"}
	for _, test := range []struct {
		name    string
		arrange func(*story)
		want    outcome
	}{
		{"it is back", func(*story) {}, outcome{reconcile.OutcomeApplied, "", []string{fence}, done, false, 0, 1}},
		{
			"it is silent", func(s *story) { s.down("cluster-a") },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "keep it isolated", events: []string{"match"}, spent: 1, stale: 1},
		},
		{
			"the promoted one takes no DDL", func(s *story) { s.hands.verifyErr = errDrill },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "CLUSTER_NEEDED", stale: 1},
		},
		{"the promoted one dies after its DDL", func(s *story) {
			s.hands.onVerify = func() { s.down("cluster-b") }
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "stale", stale: 1}},
		{"the promoted one stores an edge to it", func(s *story) {
			s.hands.onVerify = func() {
				s.world.set("cluster-b", func(v *plan.View) {
					c := s.world.views["cluster-a"].Belief.Configuration.Clone()
					c.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
					v.Belief = plan.ClassifyBelief("cluster-b", c)
				})
			}
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "stale", stale: 1}},
		{"the promoted one dies before the request goes again", func(s *story) {
			s.hands.answers["cluster-a"] = func(ctx context.Context, still func(context.Context) error) reconcile.StepResult {
				s.down("cluster-b")
				if err := still(ctx); err == nil || !strings.Contains(err.Error(), "stale") {
					t.Errorf("it may go again: %v", err)
				}
				return reconcile.StepResult{Status: reconcile.StepInDoubt, Sent: true, Detail: "in doubt"}
			}
		}, outcome{reconcile.OutcomeUnverified, "in doubt", []string{fence}, []string{"begin", "sent"}, true, 0, 1}},
		{
			"no record of the failover", func(s *story) { s.book.memory.Stale = nil },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"the failover never took effect", func(s *story) { s.book.memory.Stale[0].Effected = false },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING", stale: 1},
		},
		{"no record, and the newest change is approved", func(s *story) {
			s.book.memory.Stale = nil
			s.approve("orders")
		}, outcome{reconcile.OutcomeApplied, "", []string{fence}, done, false, 1, 0}},
		{
			"it is suspended", func(s *story) { s.apply.Suspended = []string{"orders"} },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "suspends", stale: 1},
		},
		{"a switchover waits before it", func(s *story) {
			top := s.topology("orders")
			top.Clusters[0].Role = plan.RoleStandby
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "comes first", stale: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newReturn(t)
			test.arrange(s)
			test.want.check(t, s, s.fence(t))
		})
	}
}

// TestFenceLeavesAVerificationToApply: what is left of a failover is not
// fence's to finish.
func TestFenceLeavesAVerificationToApply(t *testing.T) {
	s := newStory(t)
	s.hands.verifyErr = errDrill
	s.run(t)
	s.again()
	s.up("cluster-a")
	s.hands.verifyErr = nil
	outcome{reconcile.OutcomeBlocked, "comes first", nil, nil, true, 1, 1}.check(t, s, s.fence(t))
}

// TestFenceIsResumed: one that may have reached the cluster is carried on by an
// apply or a fence; one that was killed before it sent anything is taken back,
// and only who asks for a fence gets one.
func TestFenceIsResumed(t *testing.T) {
	again := map[string]func(*story, *testing.T) reconcile.Result{"apply": (*story).run, "fence": (*story).fence}
	unsent := func(s *story) { s.book.refuse["sent"] = errDrill }
	inDoubt := func(s *story) { s.hands.answers["cluster-a"] = answers(reconcile.StepInDoubt, true) }
	resumed := outcome{reconcile.OutcomeApplied, "", []string{fence}, []string{"sent", "effected", "finish"}, false, 0, 1}
	for _, test := range []struct {
		by    string
		first func(*story)
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
			s.fence(t)
			s.again()
			s.book.refuse = nil
			test.want.check(t, s, again[test.by](s, t))
		})
	}
}
