package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

var (
	errDrill = errors.New("as the drill wants")
	promote  = "force_promote cluster-b"
)

// outcome is what a test demands of one run.
type outcome struct {
	outcome reconcile.Outcome
	detail  string   // a part of it
	sent    []string // by the actor, in any order
	events  []string // of the ledger, in order
	open    bool     // an intent is open after it
	spent   int      // marks
	stale   int      // marks
}

func (want outcome) check(t *testing.T, s *story, got reconcile.Result) {
	t.Helper()
	if got.Outcome != want.outcome || !strings.Contains(got.Detail, want.detail) {
		t.Errorf("outcome is %s (%s), want %s (%s)", got.Outcome, got.Detail, want.outcome, want.detail)
	}
	sent := slices.Sorted(slices.Values(s.hands.sent))
	if !slices.Equal(sent, want.sent) {
		t.Errorf("sent %q, want %q", sent, want.sent)
	}
	if !slices.Equal(s.book.events, want.events) {
		t.Errorf("the ledger saw %q, want %q", s.book.events, want.events)
	}
	if s.book.open() != want.open {
		t.Errorf("an intent is open: %t, want %t", s.book.open(), want.open)
	}
	if len(s.book.spent) != want.spent || len(s.book.memory.Stale) != want.stale {
		t.Errorf("%d spent and %d stale marks, want %d and %d", len(s.book.spent), len(s.book.memory.Stale), want.spent, want.stale)
	}
	if s.book.held {
		t.Error("the lock was not given back")
	}
}

// waited makes an apply wait for its lock; Git then says those changes, the
// same if nil.
func waited(changes map[string]approval.Change, superseded map[string]string, err error) func(*story) {
	return func(s *story) {
		readAgain(changes, superseded, err)(s)
		s.apply.LockWait = time.Second
	}
}

// readAgain makes Git say those changes, the same if nil, when it is read once
// more before the intent.
func readAgain(changes map[string]approval.Change, superseded map[string]string, err error) func(*story) {
	return func(s *story) {
		if changes == nil {
			changes = s.apply.Changes
		}
		s.apply.Again = func(context.Context) (reconcile.Wanted, error) {
			return reconcile.Wanted{Changes: changes, Superseded: superseded}, err
		}
	}
}

// TestFailover holds one run of an approved failover to what may go wrong
// before, at and after the request.
func TestFailover(t *testing.T) {
	blocked, applied, unverified := reconcile.OutcomeBlocked, reconcile.OutcomeApplied, reconcile.OutcomeUnverified
	done := []string{"begin", "sent", "effected", "finish"}
	for _, test := range []struct {
		name    string
		arrange func(*story)
		want    outcome
	}{
		{"all is well", func(*story) {}, outcome{applied, "", []string{promote}, done, false, 1, 1}},
		{
			"no approval sends nothing", func(s *story) { delete(s.apply.Changes, "orders") },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"an expired approval sends nothing", func(s *story) { s.world.clock.pass(3 * time.Hour) },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED"},
		},
		{
			"a primary that lives blocks", func(s *story) { s.up("cluster-a") },
			outcome{outcome: blocked, detail: "PRIMARY_REACHABLE"},
		},
		{
			"a suspended topology is left alone", func(s *story) { s.apply.Suspended = []string{"orders"} },
			outcome{outcome: blocked, detail: "suspends"},
		},
		{
			"a superseded commit blocks", func(s *story) { s.apply.Superseded = map[string]string{"orders": "beef"} },
			outcome{outcome: blocked, detail: "SUPERSEDED"},
		},
		{
			"a commit that came to govern during a wait for the lock blocks", waited(nil, map[string]string{"orders": "beef"}, nil),
			outcome{outcome: blocked, detail: "SUPERSEDED"},
		},
		{
			"an approval that was withdrawn during a wait for the lock is missing", waited(map[string]approval.Change{}, nil, nil),
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"Git that is gone after a wait for the lock sends nothing", waited(nil, nil, errDrill),
			outcome{outcome: reconcile.OutcomeError, detail: errDrill.Error()},
		},
		{
			"Git that says the same after a wait for the lock changes nothing", waited(nil, nil, nil),
			outcome{applied, "", []string{promote}, done, false, 1, 1},
		},
		{
			"a commit that came to govern before the intent blocks", readAgain(nil, map[string]string{"orders": "beef"}, nil),
			outcome{outcome: blocked, detail: "SUPERSEDED"},
		},
		{
			"an approval that was withdrawn before the intent is missing", readAgain(map[string]approval.Change{}, nil, nil),
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"Git that is gone before the intent sends nothing", readAgain(nil, nil, errDrill),
			outcome{outcome: reconcile.OutcomeError, detail: "GIT_UNREADABLE"},
		},
		{
			"Git that says the same before the intent changes nothing", readAgain(nil, nil, nil),
			outcome{applied, "", []string{promote}, done, false, 1, 1},
		},
		{
			"another saved plan blocks", func(s *story) { s.apply.Pinned = map[string]string{"orders": "sha256:other"} },
			outcome{outcome: blocked, detail: "stale"},
		},
		{
			"a saved plan without this topology blocks", func(s *story) { s.apply.Pinned = map[string]string{} },
			outcome{outcome: blocked, detail: "stale"},
		},
		{"a plan that is another one under the lock blocks", func(s *story) {
			s.book.onLock = func(func()) {
				s.world.set("cluster-b", func(v *plan.View) { v.Belief.Configuration.Clusters[1].URI = "http://elsewhere:19530" })
			}
		}, outcome{outcome: blocked, detail: "the plan is stale"}},
		{"the old primary recovers between the looks", func(s *story) {
			s.book.onLock = func(func()) { s.up("cluster-a") }
		}, outcome{outcome: blocked, detail: "PRIMARY_REACHABLE"}},
		{"the old primary recovers for the last round alone", func(s *story) {
			s.book.onLock = func(func()) {
				s.world.onRound = func(*world, int) { s.up("cluster-a") }
			}
		}, outcome{outcome: blocked, detail: "PRIMARY_REACHABLE"}},
		{"a last round in which the candidate is silent does not count", func(s *story) {
			s.book.onLock = func(func()) {
				s.world.onRound = func(w *world, _ int) { w.set("cluster-b", func(v *plan.View) { v.Reach = plan.ReachUnreachable }) }
			}
		}, outcome{outcome: blocked, detail: "PRIMARY_NOT_PROBED"}},
		{"evidence that is old after a wait for the lock is made anew", func(s *story) {
			s.book.onLock = func(func()) { s.world.clock.pass(time.Minute) }
		}, outcome{applied, "", []string{promote}, done, false, 1, 1}},
		{"an approval that ends while the lock is awaited sends nothing", func(s *story) {
			s.book.onLock = func(func()) { s.world.clock.pass(3 * time.Hour) }
		}, outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED"}},
		{"a pause between the last round and the request sends nothing", func(s *story) {
			s.apply.Ledger = pausing{s.book, func() { s.world.clock.pass(time.Minute) }}
		}, outcome{outcome: blocked, detail: "PRIMARY_NOT_PROBED", events: []string{"begin", "sent", "reverse"}}},
		{
			"a lock that another holds blocks", func(s *story) { s.apply.Ledger = locked{s.book} },
			outcome{outcome: blocked, detail: "another process"},
		},
		{"a lock lost before the intent sends nothing", func(s *story) {
			s.book.onLock = func(lost func()) {
				lost()
				s.world.onLook = func(ctx context.Context, _ int) { <-ctx.Done() }
			}
		}, outcome{outcome: reconcile.OutcomeError, detail: "the lock was lost"}},
		{
			"an intent that cannot be written sends nothing", func(s *story) { s.book.refuse["begin"] = errDrill },
			outcome{outcome: reconcile.OutcomeError, detail: "write the intent", events: []string{"begin"}},
		},
		{
			"a sent mark that cannot be written sends nothing", func(s *story) { s.book.refuse["sent"] = errDrill },
			outcome{outcome: reconcile.OutcomeError, detail: "may be sent", events: []string{"begin", "sent"}, open: true, spent: 1, stale: 1},
		},
		{
			"a definite refusal is reversed", func(s *story) { s.hands.answers["cluster-b"] = answers(reconcile.StepRefused, true) },
			outcome{outcome: reconcile.OutcomeError, detail: "refused", sent: []string{promote}, events: []string{"begin", "sent", "reverse"}},
		},
		{
			"doubt leaves the intent open", func(s *story) { s.hands.answers["cluster-b"] = answers(reconcile.StepInDoubt, true) },
			outcome{unverified, "in_doubt", []string{promote}, []string{"begin", "sent"}, true, 1, 1},
		},
		{
			"a failure leaves the intent open", func(s *story) { s.hands.answers["cluster-b"] = answers(reconcile.StepFailed, true) },
			outcome{unverified, "failed", []string{promote}, []string{"begin", "sent"}, true, 1, 1},
		},
		{
			"an answer of no known kind leaves the intent open", func(s *story) { s.hands.answers["cluster-b"] = answers("", false) },
			outcome{unverified, "", []string{promote}, []string{"begin", "sent"}, true, 1, 1},
		},
		{
			"an effect that cannot be recorded is not verified", func(s *story) { s.book.refuse["effected"] = errDrill },
			outcome{unverified, "took effect", []string{promote}, []string{"begin", "sent", "effected"}, true, 1, 1},
		},
		{
			"a verification that fails is not verified", func(s *story) { s.hands.verifyErr = errDrill },
			outcome{unverified, "verify", []string{promote}, []string{"begin", "sent", "effected"}, true, 1, 1},
		},
		{
			"a redirect that fails is not verified", func(s *story) { s.apply.Redirect = redirect{errDrill} },
			outcome{unverified, "redirect", []string{promote}, []string{"begin", "sent", "effected"}, true, 1, 1},
		},
		{
			"no redirect target is no failure", func(s *story) { s.apply.Redirect = nil },
			outcome{applied, "", []string{promote}, done, false, 1, 1},
		},
		{
			"a result that cannot be recorded is not verified", func(s *story) { s.book.refuse["finish"] = errDrill },
			outcome{unverified, "record the result", []string{promote}, done, true, 1, 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			test.arrange(s)
			test.want.check(t, s, s.run(t))
		})
	}
}

// locked is a ledger whose locks another process holds.
type locked struct{ *book }

func (locked) Lock(context.Context, string, time.Duration) (reconcile.Right, error) {
	return nil, errors.Join(reconcile.ErrLockHeld, errors.New("by another process"))
}

// TestStaleIsRecordedWithTheIntent: who saw it, and how far it had replicated.
func TestStaleIsRecordedWithTheIntent(t *testing.T) {
	s := newStory(t)
	s.apply.Identity = "process 7 on ops-1"
	s.run(t)
	if len(s.book.memory.Stale) != 1 {
		t.Fatalf("%+v", s.book.memory.Stale)
	}
	m := s.book.memory.Stale[0]
	if m.Cluster != "cluster-a" || m.Promoted != "cluster-b" || m.SeenBy != s.apply.Identity ||
		len(m.Checkpoints) != 1 || m.Checkpoints[0].SourceCluster != "cluster-a" || m.Checkpoints[0].TimeTick == 0 {
		t.Errorf("%+v", m)
	}
}

// TestTheLastRoundOfAHangingPrimary is brief, and is made all the same: a primary that serves again is seen by it (scenarios.md R21).
func TestTheLastRoundOfAHangingPrimary(t *testing.T) {
	for name, recovers := range map[string]bool{"it hangs on": false, "it recovers for the last round alone": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.world.set("cluster-a", func(v *plan.View) { v.Class = plan.ClassTimeout })
			s.book.onLock = func(func()) {
				s.world.mu.Lock()
				defer s.world.mu.Unlock()
				s.world.depths, s.world.briefs, s.world.instant = nil, 0, true
				s.world.onRound = func(*world, int) {
					if recovers {
						s.up("cluster-a")
					}
				}
			}
			res := s.run(t)
			if s.world.briefs != 1 || s.world.depths[0].Hanging != "cluster-a" {
				t.Errorf("%d brief rounds, looked as %+v", s.world.briefs, s.world.depths)
			}
			if recovers && (res.Outcome != reconcile.OutcomeBlocked || !strings.Contains(res.Detail, "PRIMARY_REACHABLE") || len(s.hands.sent) > 0) {
				t.Errorf("%s: %s, sent %q", res.Outcome, res.Detail, s.hands.sent)
			}
			if !recovers && (res.Outcome != reconcile.OutcomeApplied || len(s.hands.sent) != 1) {
				t.Errorf("%s: %s, sent %q", res.Outcome, res.Detail, s.hands.sent)
			}
		})
	}
}
