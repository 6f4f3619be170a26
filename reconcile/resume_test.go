package reconcile_test

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// again forgets what the actor and the ledger saw, and lets the approval grow
// old, so that only the intent can carry the next run.
func (s *story) again() {
	s.hands.sent, s.book.events = nil, nil
	s.hands.answers = nil
	s.world.clock.pass(30 * time.Hour)
}

// TestResume: what an earlier run left open is finished, without a new
// approval and without a second promotion.
func TestResume(t *testing.T) {
	finished := outcome{reconcile.OutcomeApplied, "", nil, []string{"effected", "finish"}, false, 1, 1}
	resent := outcome{reconcile.OutcomeApplied, "", []string{promote}, []string{"sent", "effected", "finish"}, false, 1, 1}
	for _, test := range []struct {
		name          string
		first, second func(*story)
		want          outcome
	}{
		{"verification failed", func(s *story) { s.hands.verifyErr = errDrill }, func(s *story) { s.hands.verifyErr = nil }, finished},
		{"redirect failed", func(s *story) { s.apply.Redirect = redirect{errDrill} }, func(s *story) { s.apply.Redirect = redirect{} }, finished},
		{"verification failed, and the old primary is back", func(s *story) { s.hands.verifyErr = errDrill }, func(s *story) {
			s.hands.verifyErr = nil
			s.up("cluster-a")
		}, finished},
		{"the effect was not recorded", func(s *story) { s.book.refuse["effected"] = errDrill }, func(s *story) { s.book.refuse = nil }, finished},
		{"in doubt, and nothing happened", doubt, func(*story) {}, resent},
		{"in doubt, and it happened", doubt, promoted, finished},
		{"in doubt, and its approval is withdrawn", doubt, readAgain(map[string]approval.Change{}, nil, nil), resent},
		{"in doubt, and Git cannot be read", doubt, readAgain(nil, nil, errDrill), resent},
		{"in doubt, and Git cannot be read after a wait for the lock", doubt, waited(nil, nil, errDrill), resent},
		{
			"in doubt, and the old primary is back", doubt, func(s *story) { s.up("cluster-a") },
			outcome{reconcile.OutcomeBlocked, "PRIMARY_REACHABLE", nil, nil, true, 1, 1},
		},
		{
			"in doubt, and the candidate is gone", doubt, func(s *story) { s.down("cluster-b") },
			outcome{reconcile.OutcomeBlocked, "CANDIDATE_UNREACHABLE", nil, nil, true, 1, 1},
		},
		{"in doubt, and a refusal of the second request proves nothing about the first", doubt, func(s *story) {
			s.hands.answers = map[string]answer{"cluster-b": answers(reconcile.StepRefused, true)}
		}, outcome{reconcile.OutcomeUnverified, "refused", []string{promote}, []string{"sent"}, true, 1, 1}},
		{
			"in doubt, under a commit that no longer governs", doubt, func(s *story) { s.apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{reconcile.OutcomeBlocked, "SUPERSEDED", nil, nil, true, 1, 1},
		},
		{
			"in doubt, and another document with the same generation", doubt, func(s *story) { s.topology("orders").MaxLag = time.Hour },
			outcome{reconcile.OutcomeBlocked, "GENERATION_NOT_RAISED", nil, nil, true, 1, 1},
		},
		{"it took effect, and another document with the same generation", func(s *story) { s.hands.verifyErr = errDrill }, func(s *story) {
			s.hands.verifyErr = nil
			s.topology("orders").MaxLag = time.Hour
		}, outcome{reconcile.OutcomeUnchanged, "", nil, nil, true, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			test.first(s)
			s.run(t)
			if !s.book.open() {
				t.Fatal("the first run left no intent")
			}
			s.book.memory.Generations = []plan.GenerationMark{{Topology: "orders", Generation: 2, Document: plan.DocumentHash(*s.topology("orders"))}}
			s.again()
			test.second(s)
			test.want.check(t, s, s.run(t))
		})
	}
}

// TestUnsentIntentIsTakenBack: an intent that has sent nothing lives no longer
// than its approval, and never acts in a later outage than the one it was
// given for.
func TestUnsentIntentIsTakenBack(t *testing.T) {
	anew := []string{"reverse", "begin", "sent", "effected", "finish"}
	for _, test := range []struct {
		name  string
		after time.Duration
		then  func(*story)
		want  outcome
	}{
		{"the approval still holds", time.Minute, func(*story) {}, outcome{reconcile.OutcomeApplied, "", []string{promote}, anew, false, 1, 1}},
		{"the approval has ended", 3 * time.Hour, func(*story) {}, outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED", events: []string{"reverse"}}},
		{
			"the approval was withdrawn", time.Minute, func(s *story) { delete(s.apply.Changes, "orders") },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING", events: []string{"reverse"}},
		},
		{
			"the old primary is back", time.Minute, func(s *story) { s.up("cluster-a") },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "PRIMARY_REACHABLE", events: []string{"reverse"}},
		},
		{
			"under a commit that does not govern it stays", time.Minute, func(s *story) { s.apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SUPERSEDED", open: true, spent: 1, stale: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			s.book.refuse["sent"] = errDrill
			s.run(t)
			if !s.book.open() {
				t.Fatal("the first run left no intent")
			}
			s.hands.sent, s.book.events, s.book.refuse = nil, nil, map[string]error{}
			s.world.clock.pass(test.after)
			test.then(s)
			if got, _ := s.plan(t).Plan.Topology("orders"); got.Resumed {
				t.Error("a plan resumes what was never sent")
			}
			test.want.check(t, s, s.run(t))
		})
	}
}

// TestUnsentIntentDoesNotHideItsApproval: a plan between two runs shows the
// approval as it will be judged, and not as used.
func TestUnsentIntentDoesNotHideItsApproval(t *testing.T) {
	s := newStory(t)
	s.book.refuse["sent"] = errDrill
	s.run(t)
	if d := s.plan(t).Decisions["orders"]; !d.Approved() {
		t.Errorf("the approval is %s: %s %s", d.Verdict, d.Code, d.Detail)
	}
}

// plan is what a reader sees between two runs.
func (s *story) plan(t *testing.T) reconcile.Report {
	t.Helper()
	r, err := s.apply.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func doubt(s *story) { s.hands.answers["cluster-b"] = answers(reconcile.StepInDoubt, true) }

// promoted lets the force promote take effect after all.
func promoted(s *story) {
	s.world.set("cluster-b", func(v *plan.View) {
		own, _ := v.Belief.Configuration.Member("cluster-b")
		v.Belief = plan.ClassifyBelief("cluster-b", plan.Configuration{Clusters: []plan.Member{own}})
	})
}

// TestLaterDocumentClosesAnIntent: an intent that the governing document does
// not resume ends as what became of it, and never hides a doubt.
func TestLaterDocumentClosesAnIntent(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second func(*story)
		want          outcome
	}{
		{
			"nothing was ever sent: approval and stale mark come back",
			func(s *story) { s.book.refuse["sent"] = errDrill },
			func(s *story) { s.up("cluster-a") },
			outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"reverse", "match"}, spent: 1},
		},
		{
			"in doubt stays in doubt", doubt, func(s *story) { s.up("cluster-a") },
			outcome{outcome: reconcile.OutcomeUnchanged, open: true, spent: 1, stale: 1},
		},
		{"an older commit closes nothing", func(s *story) { s.book.refuse["sent"] = errDrill }, func(s *story) {
			s.up("cluster-a")
			s.apply.Superseded = map[string]string{"orders": "beef"}
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "SUPERSEDED", open: true, spent: 1, stale: 1}},
		{"a suspended topology is left alone", func(s *story) { s.book.refuse["sent"] = errDrill }, func(s *story) {
			s.up("cluster-a")
			s.apply.Suspended = []string{"orders"}
		}, outcome{outcome: reconcile.OutcomeUnchanged, open: true, spent: 1, stale: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			test.first(s)
			s.run(t)
			s.again()
			s.book.refuse = map[string]error{}
			next := s.topology("orders")
			before := *next
			next.Previous, next.Generation = &before, 3
			next.Clusters = append([]plan.Cluster(nil), before.Clusters...)
			next.Clusters[0].Role, next.Clusters[1].Role = plan.RolePrimary, plan.RoleStandby
			test.second(s)
			test.want.check(t, s, s.run(t))
		})
	}
}

// TestEffectedIntentDoesNotHoldBackTheNextChange: the verification of a
// failover never succeeded, and the next generation goes on from it.
func TestEffectedIntentDoesNotHoldBackTheNextChange(t *testing.T) {
	for _, test := range []struct {
		name  string
		first func(*story)
		want  []string
	}{
		{"recorded", func(s *story) { s.hands.verifyErr = errDrill }, []string{"finish", "match"}},
		{"read only now", func(s *story) { s.book.refuse["effected"] = errDrill }, []string{"effected", "finish", "match"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			test.first(s)
			s.run(t)
			s.again()
			s.book.refuse = nil
			before := *s.topology("orders")
			s.topology("orders").Previous, s.topology("orders").Generation = &before, 3
			outcome{reconcile.OutcomeUnchanged, "", nil, test.want, false, 2, 1}.check(t, s, s.run(t))
			if len(s.book.results) != 1 || s.book.results[0] != "superseded" {
				t.Errorf("results are %q, want superseded", s.book.results)
			}
		})
	}
}

// TestSettle: the approval of a state that is live already is spent by the
// first match (scenario R09 of scenarios.md), and only by a document that governs.
func TestSettle(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrange func(*story)
		want    outcome
	}{
		{"first match", func(*story) {}, outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"match"}, spent: 1}},
		{"a cluster that does not answer is no match", func(s *story) { s.down("cluster-b") }, outcome{outcome: reconcile.OutcomeUnchanged}},
		{
			"a commit that does not govern leaves no trace", func(s *story) { s.apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SUPERSEDED"},
		},
		{
			"a match that is not recorded is an error", func(s *story) { s.book.refuse["match"] = errDrill },
			outcome{outcome: reconcile.OutcomeError, detail: "not spent", events: []string{"match"}, spent: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t, plan.RolePrimary, plan.RoleStandby)
			test.arrange(s)
			test.want.check(t, s, s.run(t))
		})
	}
}

// TestMatchSpendsTheApproval: after a switchover by hand and back, the commit
// that asked for it does nothing.
func TestMatchSpendsTheApproval(t *testing.T) {
	s := newStory(t, plan.RoleStandby, plan.RolePrimary)
	a, b := s.world.views["cluster-a"], s.world.views["cluster-b"]
	swapped := a.Belief.Configuration.Clone()
	swapped.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
	for _, id := range []string{"cluster-a", "cluster-b"} {
		s.world.set(id, func(v *plan.View) { v.Belief = plan.ClassifyBelief(id, swapped) })
	}
	outcome{outcome: reconcile.OutcomeUnchanged, events: []string{"match"}, spent: 1}.check(t, s, s.run(t))
	s.world.views["cluster-a"], s.world.views["cluster-b"] = a, b
	s.book.events = nil
	outcome{outcome: reconcile.OutcomeNotApproved, detail: approval.CodeAlreadyUsed, spent: 1}.check(t, s, s.run(t))
}
