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
	"milvus-reconcile/reconcile/reconciletest"
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

func (want outcome) check(t *testing.T, s *reconciletest.Fixture, got reconcile.Result) {
	t.Helper()
	if got.Outcome != want.outcome || !strings.Contains(got.Detail, want.detail) {
		t.Errorf("outcome is %s (%s), want %s (%s)", got.Outcome, got.Detail, want.outcome, want.detail)
	}
	sent := slices.Sorted(slices.Values(s.Actor.Sent))
	if !slices.Equal(sent, want.sent) {
		t.Errorf("sent %q, want %q", sent, want.sent)
	}
	if !slices.Equal(s.Ledger.Events, want.events) {
		t.Errorf("the ledger saw %q, want %q", s.Ledger.Events, want.events)
	}
	if s.Ledger.Open() != want.open {
		t.Errorf("an intent is open: %t, want %t", s.Ledger.Open(), want.open)
	}
	if len(s.Ledger.Spent) != want.spent || len(s.Ledger.Memory.Stale) != want.stale {
		t.Errorf("%d spent and %d stale marks, want %d and %d", len(s.Ledger.Spent), len(s.Ledger.Memory.Stale), want.spent, want.stale)
	}
	if s.Ledger.Held {
		t.Error("the lock was not given back")
	}
}

// waited makes an apply wait for its lock; Git then says those changes, the
// same if nil.
func waited(changes map[string]approval.Change, superseded map[string]string, err error) func(*reconciletest.Fixture) {
	return func(s *reconciletest.Fixture) {
		readAgain(changes, superseded, err)(s)
		s.Apply.LockWait = time.Second
	}
}

// readAgain makes Git say those changes, the same if nil, when it is read once
// more before the intent.
func readAgain(changes map[string]approval.Change, superseded map[string]string, err error) func(*reconciletest.Fixture) {
	return func(s *reconciletest.Fixture) {
		if changes == nil {
			changes = s.Apply.Changes
		}
		s.Apply.RereadGit = func(context.Context) (reconcile.Wanted, error) {
			return reconcile.Wanted{Changes: changes, Superseded: superseded}, err
		}
	}
}

// recentFailover lets a failover have been made a minute before, which the approval accepts.
func recentFailover(then func(*reconciletest.Fixture)) func(*reconciletest.Fixture) {
	return func(s *reconciletest.Fixture) {
		s.Ledger.Memory.Failovers = append(s.Ledger.Memory.Failovers, plan.LastFailover{Topology: "orders", Promoted: "cluster-a", At: reconciletest.Start.Add(-time.Minute)})
		s.Approve("orders", "Failover-Accept: RECOVERY_BLOCK")
		then(s)
	}
}

// TestFailover holds one run of an approved failover to what may go wrong
// before, at and after the request.
func TestFailover(t *testing.T) {
	blocked, applied, unverified := reconcile.OutcomeBlocked, reconcile.OutcomeApplied, reconcile.OutcomeUnverified
	done := []string{"begin", "sent", "effected", "finish"}
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		want    outcome
	}{
		{"all is well", func(*reconciletest.Fixture) {}, outcome{applied, "", []string{reconciletest.Promote}, done, false, 1, 1}},
		{
			"no approval sends nothing", func(s *reconciletest.Fixture) { delete(s.Apply.Changes, "orders") },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"an expired approval sends nothing", func(s *reconciletest.Fixture) { s.Clusters.Clock.Pass(3 * time.Hour) },
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED"},
		},
		{
			"a primary that lives blocks", func(s *reconciletest.Fixture) { s.Up("cluster-a") },
			outcome{outcome: blocked, detail: "PRIMARY_REACHABLE"},
		},
		{
			"a suspended topology is left alone", func(s *reconciletest.Fixture) { s.Apply.Suspended = []string{"orders"} },
			outcome{outcome: blocked, detail: "suspends"},
		},
		{"it passes a freeze that does not name it", frozen(-time.Hour, time.Hour, plan.TransitionFailover), outcome{applied, "", []string{reconciletest.Promote}, done, false, 1, 1}},
		{"a freeze that names it blocks", frozen(-time.Hour, time.Hour), outcome{outcome: blocked, detail: "CHANGE_FROZEN"}},
		{"a freeze that begins once a request may have left stops no further one", func(s *reconciletest.Fixture) {
			frozen(-time.Hour, time.Hour)(s)
			begins, everything := false, s.Apply.Freeze
			s.Apply.Freeze = func(now time.Time) []plan.Freeze {
				if begins {
					return everything(now)
				}
				return nil
			}
			s.Actor.Answers["cluster-b"] = func(ctx context.Context, again func(context.Context) error) reconcile.StepResult {
				begins = true
				if err := again(ctx); err != nil {
					return reconcile.StepResult{Status: plan.StepInDoubt, Detail: err.Error(), Sent: true}
				}
				return reconciletest.Answers(plan.StepInDoubt, true)(ctx, again)
			}
		}, outcome{unverified, "in_doubt", []string{reconciletest.Promote}, []string{"begin", "sent"}, true, 1, 1}},
		{
			"a superseded commit blocks", func(s *reconciletest.Fixture) { s.Apply.Superseded = map[string]string{"orders": "beef"} },
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
			"Git that is gone after a wait for the lock sends nothing", waited(nil, nil, reconciletest.ErrInjected),
			outcome{outcome: reconcile.OutcomeError, detail: reconciletest.ErrInjected.Error()},
		},
		{
			"Git that says the same after a wait for the lock changes nothing", waited(nil, nil, nil),
			outcome{applied, "", []string{reconciletest.Promote}, done, false, 1, 1},
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
			"an approval that accepted a block and was withdrawn is missing", recentFailover(readAgain(map[string]approval.Change{}, nil, nil)),
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"so it is after a wait for the lock", recentFailover(waited(map[string]approval.Change{}, nil, nil)),
			outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"},
		},
		{
			"Git that is gone before the intent sends nothing", readAgain(nil, nil, reconciletest.ErrInjected),
			outcome{outcome: reconcile.OutcomeError, detail: "GIT_UNREADABLE"},
		},
		{
			"Git that says the same before the intent changes nothing", readAgain(nil, nil, nil),
			outcome{applied, "", []string{reconciletest.Promote}, done, false, 1, 1},
		},
		{
			"another saved plan blocks", func(s *reconciletest.Fixture) { s.Apply.Pinned = map[string]string{"orders": "sha256:other"} },
			outcome{outcome: blocked, detail: "stale"},
		},
		{
			"a saved plan without this topology blocks", func(s *reconciletest.Fixture) { s.Apply.Pinned = map[string]string{} },
			outcome{outcome: blocked, detail: "stale"},
		},
		{"a plan that is another one under the lock blocks", func(s *reconciletest.Fixture) {
			s.Clusters.OnProbed = func() {
				s.Clusters.Set("cluster-b", func(v *plan.View) {
					v.Belief.Configuration.Clusters = slices.Clone(v.Belief.Configuration.Clusters)
					v.Belief.Configuration.Clusters[1].URI = "http://elsewhere:19530"
				})
			}
		}, outcome{outcome: blocked, detail: "the plan is stale"}},
		{"the old primary recovers between the looks", func(s *reconciletest.Fixture) {
			s.Clusters.OnProbed = func() { s.Up("cluster-a") }
		}, outcome{outcome: blocked, detail: "PRIMARY_REACHABLE"}},
		{"the old primary recovers for the last round alone", func(s *reconciletest.Fixture) {
			s.Clusters.OnProbed = func() {
				s.Clusters.OnRound = func(*reconciletest.Clusters, int) { s.Up("cluster-a") }
			}
		}, outcome{outcome: blocked, detail: "PRIMARY_REACHABLE"}},
		{"a last round in which the candidate is silent does not count", func(s *reconciletest.Fixture) {
			s.Ledger.OnLock = func(func()) {
				s.Clusters.OnRound = func(w *reconciletest.Clusters, _ int) {
					w.Set("cluster-b", func(v *plan.View) { v.Reach = plan.ReachUnreachable })
				}
			}
		}, outcome{outcome: blocked, detail: "PRIMARY_NOT_PROBED"}},
		{"evidence that is old after a wait for the lock is made again", func(s *reconciletest.Fixture) {
			s.Ledger.OnLock = func(func()) { s.Clusters.Clock.Pass(time.Minute) }
		}, outcome{applied, "", []string{reconciletest.Promote}, done, false, 1, 1}},
		{"an approval that ends while the lock is awaited sends nothing", func(s *reconciletest.Fixture) {
			s.Ledger.OnLock = func(func()) { s.Clusters.Clock.Pass(3 * time.Hour) }
		}, outcome{outcome: reconcile.OutcomeNotApproved, detail: "EXPIRED"}},
		{"a pause between the last round and the request sends nothing", func(s *reconciletest.Fixture) {
			s.Apply.Ledger = pausing{s.Ledger, func() { s.Clusters.Clock.Pass(time.Minute) }}
		}, outcome{outcome: blocked, detail: "PRIMARY_NOT_PROBED", events: []string{"begin", "sent", "reverse"}}},
		{
			"a lock that another holds blocks", func(s *reconciletest.Fixture) { s.Apply.Ledger = locked{s.Ledger} },
			outcome{outcome: blocked, detail: "another process"},
		},
		{"a lock lost before the intent sends nothing", func(s *reconciletest.Fixture) {
			s.Ledger.OnLock = func(lost func()) {
				lost()
				s.Clusters.OnObserve = func(ctx context.Context, _ int) { <-ctx.Done() }
			}
		}, outcome{outcome: reconcile.OutcomeError, detail: "the lock was lost"}},
		{
			"an intent that cannot be written sends nothing", func(s *reconciletest.Fixture) { s.Ledger.Refuse["begin"] = reconciletest.ErrInjected },
			outcome{outcome: reconcile.OutcomeError, detail: "write the intent", events: []string{"begin"}},
		},
		{
			"a sent mark that cannot be written sends nothing", func(s *reconciletest.Fixture) { s.Ledger.Refuse["sent"] = reconciletest.ErrInjected },
			outcome{outcome: reconcile.OutcomeError, detail: "may be sent", events: []string{"begin", "sent"}, open: true, spent: 1, stale: 1},
		},
		{
			"a definite refusal is reversed", func(s *reconciletest.Fixture) {
				s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepRefused, true)
			},
			outcome{outcome: reconcile.OutcomeError, detail: "refused", sent: []string{reconciletest.Promote}, events: []string{"begin", "sent", "reverse"}},
		},
		{
			"doubt leaves the intent open", func(s *reconciletest.Fixture) {
				s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepInDoubt, true)
			},
			outcome{unverified, "in_doubt", []string{reconciletest.Promote}, []string{"begin", "sent"}, true, 1, 1},
		},
		{
			"a failure leaves the intent open", func(s *reconciletest.Fixture) {
				s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepFailed, true)
			},
			outcome{unverified, "failed", []string{reconciletest.Promote}, []string{"begin", "sent"}, true, 1, 1},
		},
		{
			"an answer of no known kind leaves the intent open", func(s *reconciletest.Fixture) { s.Actor.Answers["cluster-b"] = reconciletest.Answers("", false) },
			outcome{unverified, "", []string{reconciletest.Promote}, []string{"begin", "sent"}, true, 1, 1},
		},
		{
			"an effect that cannot be recorded is not verified", func(s *reconciletest.Fixture) { s.Ledger.Refuse["effected"] = reconciletest.ErrInjected },
			outcome{unverified, "took effect", []string{reconciletest.Promote}, []string{"begin", "sent", "effected"}, true, 1, 1},
		},
		{
			"a verification that fails is not verified", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected },
			outcome{unverified, "verify", []string{reconciletest.Promote}, []string{"begin", "sent", "effected"}, true, 1, 1},
		},
		{
			"a redirect that fails is not verified", func(s *reconciletest.Fixture) {
				s.Apply.Redirect = reconciletest.Redirect{Err: reconciletest.ErrInjected}
			},
			outcome{unverified, "redirect", []string{reconciletest.Promote}, []string{"begin", "sent", "effected"}, true, 1, 1},
		},
		{
			"no redirect target is no failure", func(s *reconciletest.Fixture) { s.Apply.Redirect = nil },
			outcome{applied, "", []string{reconciletest.Promote}, done, false, 1, 1},
		},
		{
			"a result that cannot be recorded is not verified", func(s *reconciletest.Fixture) { s.Ledger.Refuse["finish"] = reconciletest.ErrInjected },
			outcome{unverified, "record the result", []string{reconciletest.Promote}, done, true, 1, 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			test.arrange(s)
			test.want.check(t, s, s.Run(t))
		})
	}
}

// locked is a ledger whose locks another process holds.
type locked struct{ *reconciletest.Ledger }

func (locked) Lock(context.Context, string, time.Duration) (reconcile.HeldLock, error) {
	return nil, errors.Join(reconcile.ErrLockHeld, errors.New("by another process"))
}

// TestStaleIsRecordedWithTheIntent: who saw it, and how far it had replicated.
func TestStaleIsRecordedWithTheIntent(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Apply.Identity = "process 7 on ops-1"
	s.Run(t)
	if len(s.Ledger.Memory.Stale) != 1 {
		t.Fatalf("%+v", s.Ledger.Memory.Stale)
	}
	m := s.Ledger.Memory.Stale[0]
	if m.Cluster != "cluster-a" || m.Promoted != "cluster-b" || m.SeenBy != s.Apply.Identity ||
		len(m.Checkpoints) != 1 || m.Checkpoints[0].SourceCluster != "cluster-a" || m.Checkpoints[0].TimeTick == 0 {
		t.Errorf("%+v", m)
	}
}

// TestTheLastRoundOfAHangingPrimary is brief, and is made all the same: a primary that serves again is seen by it (scenarios.md R21).
func TestTheLastRoundOfAHangingPrimary(t *testing.T) {
	for name, recovers := range map[string]bool{"it hangs on": false, "it recovers for the last round alone": true} {
		t.Run(name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			s.Clusters.Set("cluster-a", func(v *plan.View) { v.Class = plan.ClassTimeout })
			s.Clusters.OnProbed = func() {
				s.Clusters.Mu.Lock()
				defer s.Clusters.Mu.Unlock()
				s.Clusters.Depths, s.Clusters.Briefs, s.Clusters.Instant = nil, 0, true
				s.Clusters.OnRound = func(*reconciletest.Clusters, int) {
					if recovers {
						s.Up("cluster-a")
					}
				}
			}
			res := s.Run(t)
			if s.Clusters.Briefs != 1 || s.Clusters.Depths[0].Hanging != "cluster-a" {
				t.Errorf("%d brief rounds, looked as %+v", s.Clusters.Briefs, s.Clusters.Depths)
			}
			if recovers && (res.Outcome != reconcile.OutcomeBlocked || !strings.Contains(res.Detail, "PRIMARY_REACHABLE") || len(s.Actor.Sent) > 0) {
				t.Errorf("%s: %s, sent %q", res.Outcome, res.Detail, s.Actor.Sent)
			}
			if !recovers && (res.Outcome != reconcile.OutcomeApplied || len(s.Actor.Sent) != 1) {
				t.Errorf("%s: %s, sent %q", res.Outcome, res.Detail, s.Actor.Sent)
			}
		})
	}
}
