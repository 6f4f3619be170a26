package reconcile_test

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestResume: what an earlier run left open is finished, without a new
// approval and without a second promotion.
func TestResume(t *testing.T) {
	finished := outcome{reconcile.OutcomeApplied, "", nil, []string{"effected", "finish"}, false, 1, 1}
	resent := outcome{reconcile.OutcomeApplied, "", []string{reconciletest.Promote}, []string{"sent", "effected", "finish"}, false, 1, 1}
	for _, test := range []struct {
		name          string
		first, second func(*reconciletest.Fixture)
		want          outcome
	}{
		{"verification failed", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) { s.Actor.VerifyErr = nil }, finished},
		{"redirect failed", func(s *reconciletest.Fixture) {
			s.Apply.Redirect = reconciletest.Redirect{Err: reconciletest.ErrInjected}
		}, func(s *reconciletest.Fixture) { s.Apply.Redirect = reconciletest.Redirect{} }, finished},
		{"verification failed, and the old primary is back", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) {
			s.Actor.VerifyErr = nil
			s.Up("cluster-a")
		}, finished},
		{"the effect was not recorded", func(s *reconciletest.Fixture) { s.Ledger.Refuse["effected"] = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) { s.Ledger.Refuse = nil }, finished},
		{"in doubt, and nothing happened", doubt, func(*reconciletest.Fixture) {}, resent},
		{"in doubt, and it happened", doubt, promoted, finished},
		{"in doubt, and its approval is withdrawn", doubt, readAgain(map[string]approval.Change{}, nil, nil), resent},
		{"in doubt, and Git cannot be read", doubt, readAgain(nil, nil, reconciletest.ErrInjected), resent},
		{"in doubt, and Git cannot be read after a wait for the lock", doubt, waited(nil, nil, reconciletest.ErrInjected), resent},
		{
			"in doubt, and the old primary is back", doubt, func(s *reconciletest.Fixture) { s.Up("cluster-a") },
			outcome{reconcile.OutcomeBlocked, "PRIMARY_REACHABLE", nil, nil, true, 1, 1},
		},
		{
			"in doubt, and the candidate is gone", doubt, func(s *reconciletest.Fixture) { s.Down("cluster-b") },
			outcome{reconcile.OutcomeBlocked, "CANDIDATE_UNREACHABLE", nil, nil, true, 1, 1},
		},
		{"in doubt, and a refusal of the second request proves nothing about the first", doubt, func(s *reconciletest.Fixture) {
			s.Actor.Answers = map[string]reconciletest.Answer{"cluster-b": reconciletest.Answers(plan.StepRefused, true)}
		}, outcome{reconcile.OutcomeUnverified, "refused", []string{reconciletest.Promote}, []string{"sent"}, true, 1, 1}},
		{
			"in doubt, under a commit that no longer governs", doubt, func(s *reconciletest.Fixture) { s.Apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{reconcile.OutcomeBlocked, "SUPERSEDED", nil, nil, true, 1, 1},
		},
		{
			"in doubt, and another document with the same generation", doubt, func(s *reconciletest.Fixture) { s.Topology("orders").MaxLag = time.Hour },
			outcome{reconcile.OutcomeBlocked, "GENERATION_NOT_RAISED", nil, nil, true, 1, 1},
		},
		{"it took effect, and another document with the same generation", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) {
			s.Actor.VerifyErr = nil
			s.Topology("orders").MaxLag = time.Hour
		}, outcome{reconcile.OutcomeUnchanged, "", nil, nil, true, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			test.first(s)
			s.Run(t)
			if !s.Ledger.Open() {
				t.Fatal("the first run left no intent")
			}
			s.Ledger.Memory.Generations = []plan.GenerationMark{{Topology: "orders", Generation: 2, Document: plan.DocumentHash(*s.Topology("orders"))}}
			s.Forget()
			test.second(s)
			test.want.check(t, s, s.Run(t))
		})
	}
}

// TestUnsentIntentIsTakenBack: an intent that has sent nothing lives no longer
// than its approval, and never acts in a later outage than the one it was
// given for.
func TestUnsentIntentIsTakenBack(t *testing.T) {
	again := []string{"reverse", "begin", "sent", "effected", "finish"}
	for _, test := range []struct {
		name  string
		after time.Duration
		then  func(*reconciletest.Fixture)
		want  outcome
	}{
		{"the approval still holds", time.Minute, func(*reconciletest.Fixture) {}, outcome{reconcile.OutcomeApplied, "", []string{reconciletest.Promote}, again, false, 1, 1}},
		{"the approval has ended", 3 * time.Hour, func(*reconciletest.Fixture) {}, outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED", events: []string{"reverse"}}},
		{
			"the approval was withdrawn", time.Minute, func(s *reconciletest.Fixture) { delete(s.Apply.Changes, "orders") },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING", events: []string{"reverse"}},
		},
		{
			"the old primary is back", time.Minute, func(s *reconciletest.Fixture) { s.Up("cluster-a") },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "PRIMARY_REACHABLE", events: []string{"reverse"}},
		},
		{
			"under a commit that does not govern it stays", time.Minute, func(s *reconciletest.Fixture) { s.Apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SUPERSEDED", open: true, spent: 1, stale: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			s.Ledger.Refuse["sent"] = reconciletest.ErrInjected
			s.Run(t)
			if !s.Ledger.Open() {
				t.Fatal("the first run left no intent")
			}
			s.Actor.Sent, s.Ledger.Events, s.Ledger.Refuse = nil, nil, map[string]error{}
			s.Clusters.Clock.Pass(test.after)
			test.then(s)
			if got, _ := s.Plan(t).Plan.Topology("orders"); got.Resumed {
				t.Error("a plan resumes what was never sent")
			}
			test.want.check(t, s, s.Run(t))
		})
	}
}

// TestUnsentIntentDoesNotHideItsApproval: a plan between two runs shows the
// approval as it will be judged, and not as used.
func TestUnsentIntentDoesNotHideItsApproval(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Ledger.Refuse["sent"] = reconciletest.ErrInjected
	s.Run(t)
	if d := s.Plan(t).Decisions["orders"]; !d.Approved() {
		t.Errorf("the approval is %s: %s %s", d.Verdict, d.Code, d.Detail)
	}
}

func doubt(s *reconciletest.Fixture) {
	s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepInDoubt, true)
}

// promoted lets the force promote take effect after all.
func promoted(s *reconciletest.Fixture) {
	s.Clusters.Set("cluster-b", func(v *plan.View) {
		own, _ := v.Belief.Configuration.Member("cluster-b")
		v.Belief = plan.ClassifyBelief("cluster-b", plan.Configuration{Clusters: []plan.Member{own}})
	})
}

// TestLaterDocumentClosesAnIntent: an intent that the governing document does
// not resume ends as what became of it, and never hides a doubt.
func TestLaterDocumentClosesAnIntent(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second func(*reconciletest.Fixture)
		want          outcome
	}{
		{
			"nothing was ever sent: approval and stale mark come back",
			func(s *reconciletest.Fixture) { s.Ledger.Refuse["sent"] = reconciletest.ErrInjected },
			func(s *reconciletest.Fixture) { s.Up("cluster-a") },
			outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"reverse", "match"}, spent: 1},
		},
		{
			"in doubt stays in doubt", doubt, func(s *reconciletest.Fixture) { s.Up("cluster-a") },
			outcome{outcome: reconcile.OutcomeUnchanged, open: true, spent: 1, stale: 1},
		},
		{"an older commit closes nothing", func(s *reconciletest.Fixture) { s.Ledger.Refuse["sent"] = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) {
			s.Up("cluster-a")
			s.Apply.Superseded = map[string]string{"orders": "beef"}
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "SUPERSEDED", open: true, spent: 1, stale: 1}},
		{"a suspended topology is left alone", func(s *reconciletest.Fixture) { s.Ledger.Refuse["sent"] = reconciletest.ErrInjected }, func(s *reconciletest.Fixture) {
			s.Up("cluster-a")
			s.Apply.Suspended = []string{"orders"}
		}, outcome{outcome: reconcile.OutcomeUnchanged, open: true, spent: 1, stale: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			test.first(s)
			s.Run(t)
			s.Forget()
			s.Ledger.Refuse = map[string]error{}
			next := s.Topology("orders")
			before := *next
			next.Previous, next.Generation = &before, 3
			next.Clusters = append([]plan.Cluster(nil), before.Clusters...)
			next.Clusters[0].Role, next.Clusters[1].Role = plan.RolePrimary, plan.RoleStandby
			test.second(s)
			test.want.check(t, s, s.Run(t))
		})
	}
}

// TestEffectedIntentDoesNotHoldBackTheNextChange: the verification of a
// failover never succeeded, and the next generation goes on from it.
func TestEffectedIntentDoesNotHoldBackTheNextChange(t *testing.T) {
	for _, test := range []struct {
		name  string
		first func(*reconciletest.Fixture)
		want  []string
	}{
		{"recorded", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected }, []string{"finish", "match"}},
		{"read only now", func(s *reconciletest.Fixture) { s.Ledger.Refuse["effected"] = reconciletest.ErrInjected }, []string{"effected", "finish", "match"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			test.first(s)
			s.Run(t)
			s.Forget()
			s.Ledger.Refuse = nil
			before := *s.Topology("orders")
			s.Topology("orders").Previous, s.Topology("orders").Generation = &before, 3
			outcome{reconcile.OutcomeUnchanged, "", nil, test.want, false, 2, 1}.check(t, s, s.Run(t))
			if len(s.Ledger.Results) != 1 || s.Ledger.Results[0] != "superseded" {
				t.Errorf("results are %q, want superseded", s.Ledger.Results)
			}
		})
	}
}

// TestSettle: the approval of a state that is live already is spent by the
// first match (scenario R09 of scenarios.md), and only by a document that governs.
func TestSettle(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		want    outcome
	}{
		{"first match", func(*reconciletest.Fixture) {}, outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"match"}, spent: 1}},
		{"a cluster that does not answer is no match", func(s *reconciletest.Fixture) { s.Down("cluster-b") }, outcome{outcome: reconcile.OutcomeUnchanged}},
		{
			"a commit that does not govern leaves no trace", func(s *reconciletest.Fixture) { s.Apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SUPERSEDED"},
		},
		{
			"a match that is not recorded is an error", func(s *reconciletest.Fixture) { s.Ledger.Refuse["match"] = reconciletest.ErrInjected },
			outcome{outcome: reconcile.OutcomeError, detail: "not spent", events: []string{"match"}, spent: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
			test.arrange(s)
			test.want.check(t, s, s.Run(t))
		})
	}
}

// TestMatchSpendsTheApproval: after a switchover by hand and back, the commit
// that asked for it does nothing.
func TestMatchSpendsTheApproval(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary)
	a, b := s.Clusters.Views["cluster-a"], s.Clusters.Views["cluster-b"]
	swapped := a.Belief.Configuration.Clone()
	swapped.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
	for _, id := range []string{"cluster-a", "cluster-b"} {
		s.Clusters.Set(id, func(v *plan.View) { v.Belief = plan.ClassifyBelief(id, swapped) })
	}
	outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"match"}, spent: 1}.check(t, s, s.Run(t))
	s.Clusters.Views["cluster-a"], s.Clusters.Views["cluster-b"] = a, b
	s.Ledger.Events = nil
	outcome{outcome: reconcile.OutcomeNotApproved, detail: approval.CodeAlreadyUsed, spent: 1}.check(t, s, s.Run(t))
}
