package milvus

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

var wanted = plan.Want{Topology: "orders", Primary: "a", Candidate: "b", Span: 30 * time.Second, Probes: 3, Interval: 10 * time.Second}

func (w *world) probe(tell func(done, of int, left time.Duration)) plan.Evidence {
	return w.fleet().Reader().Probe(w.ctx(), w.topology, wanted, tell)
}

func TestProbe(t *testing.T) {
	cases := map[string]struct {
		change    func(*testing.T, *world)
		rounds    int
		verdict   plan.LossState
		reach     plan.Reach
		class     plan.ErrorClass
		candidate bool
	}{
		"the primary is lost": {func(t *testing.T, w *world) { must(t, w.Stop("a")) }, 4, plan.LossUnavailable, plan.ReachUnreachable, plan.ClassRefused, true},
		"the primary is up":   {func(*testing.T, *world) {}, 1, plan.LossReachable, plan.ReachUp, plan.ClassNone, true},
		"only cut off from us": {
			func(t *testing.T, w *world) { must(t, w.SetLink(milvussim.Client, "a", false)) }, 4,
			plan.LossUnavailable, plan.ReachUnreachable, plan.ClassRefused, true,
		},
		"nobody answers": {func(t *testing.T, w *world) { must(t, w.Stop("a")); must(t, w.Stop("b")) }, 12, plan.LossNotProbed, plan.ReachUnreachable, plan.ClassRefused, false},
		"the primary has no credential": {
			func(t *testing.T, w *world) { w.config.Credentials = w.config.Credentials[1:]; must(t, w.Stop("a")) }, 4,
			plan.LossUnavailable, plan.ReachUnreachable, plan.ClassRefused, true,
		},
		"the primary has no credential and lives": {
			func(_ *testing.T, w *world) { w.config.Credentials = w.config.Credentials[1:] }, 1,
			plan.LossReachable, plan.ReachUp, plan.ClassUnauthenticated, true,
		},
		"a mismatch": {
			func(t *testing.T, w *world) { w.cluster("a").URI = "http://evil:1"; must(t, w.Stop("a")) }, 1,
			plan.LossNotProbed, plan.ReachUnknown, plan.ClassNotCalled, false,
		},
		"the coordinator is not ready": {
			func(t *testing.T, w *world) { must(t, w.Coordinator("a", milvussim.CoordinatorNotReady)) }, 4,
			plan.LossNotServing, plan.ReachDegraded, plan.ClassNotReady, true,
		},
		"the primary was killed, and its process is starting": {
			func(t *testing.T, w *world) { must(t, w.RestartNotReady("a", time.Hour)) }, 4,
			plan.LossNotServing, plan.ReachDegraded, plan.ClassNotReady, true,
		},
		"it is starting, and has no credential": {
			func(t *testing.T, w *world) {
				w.config.Credentials = w.config.Credentials[1:]
				must(t, w.Coordinator("a", milvussim.CoordinatorStarting))
			}, 4,
			plan.LossNotServing, plan.ReachDegraded, plan.ClassNotReady, true,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			c.change(t, w)
			told := 0
			e := w.probe(func(done, of int, _ time.Duration) {
				if told++; done != told || of < done {
					t.Errorf("told %d of %d after %d", done, of, told)
				}
			})
			verdict := plan.JudgeLoss(e, plan.Failover{UnavailableFor: wanted.Span, Probes: wanted.Probes}, w.clock.Now()).State
			last := e.Rounds[len(e.Rounds)-1]
			if len(e.Rounds) != c.rounds || verdict != c.verdict || last.Reach != c.reach || last.Class != c.class || last.CandidateAnswered != c.candidate {
				t.Errorf("%d rounds, %q, last %+v", len(e.Rounds), verdict, last)
			}
			if c.candidate && len(last.Progress) != 16 {
				t.Errorf("%d channels", len(last.Progress))
			}
			if last.Limit != 2*DefaultReadTimeout || e.Interval != wanted.Interval || e.Primary != "a" || e.Candidate != "b" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// The old primary lives behind our partition: what it writes still reaches the
// standby.
func TestProbeSeesAPrimaryThatStillReplicates(t *testing.T) {
	w := pair(t, "")
	must(t, w.SetLink(milvussim.Client, "a", false))
	ctx := w.ctx()
	e := w.probe(func(int, int, time.Duration) {
		before := w.State("b").Rows
		_, _, err := w.Write("a", 16) //nolint:contextcheck // inside the simulator nobody waits
		must(t, err)
		for w.State("b").Rows == before && ctx.Err() == nil { // replication takes some milliseconds
			runtime.Gosched()
		}
	})
	got := plan.JudgeLoss(e, plan.Failover{UnavailableFor: wanted.Span, Probes: wanted.Probes}, w.clock.Now())
	same(t, got.State, plan.LossStillReplicating)
}

func TestProbeEndsWithItsContext(t *testing.T) {
	w := pair(t, "")
	must(t, w.Stop("a"))
	ctx, cancel := context.WithCancel(w.ctx())
	e := w.fleet().Reader().Probe(ctx, w.topology, wanted, func(int, int, time.Duration) { cancel() })
	same(t, len(e.Rounds), 1)
}

// A standby whose coordinator is gone as well says nothing about the primary.
func TestRoundNeedsTheCandidate(t *testing.T) {
	w := pair(t, "").hasty()
	must(t, w.Stop("a"))
	must(t, w.Coordinator("b", milvussim.CoordinatorGone))
	r := w.fleet().Reader().Round(w.ctx(), w.topology, wanted)
	if r.CandidateAnswered || r.Reach != plan.ReachUnreachable {
		t.Errorf("%+v", r)
	}
}

// A caller who gives up early has not seen a deadline pass.
func TestARoundThatIsCutShortShowsNothing(t *testing.T) {
	w := pair(t, "")
	must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
		"at its deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := end(w.ctx())
			defer cancel()
			r := w.fleet().Reader().Round(ctx, w.topology, wanted)
			if r.Reach != plan.ReachUnknown || r.Class != plan.ClassNotCalled {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestASlowPrimaryServes: one whose coordinator answers within a deadline of its
// own is up, however long the connection and the configuration take; it costs a
// pass, which does not judge it, one deadline.
func TestASlowPrimaryServes(t *testing.T) {
	t.Parallel()
	unhurried(t, func(w *world) error {
		must(t, w.AddFault("a", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultHang}))
		must(t, w.AddFault("a", milvussim.Fault{Method: "ListDatabases", Kind: milvussim.FaultHang, Times: 1}))
		must(t, w.AddFault("a", milvussim.Fault{Method: "ListDatabases", Kind: milvussim.FaultDelay, For: w.config.ReadTimeout / 2}))
		r := w.fleet().Reader().Round(w.ctx(), w.topology, wanted)
		var errs []error
		if r.Reach != plan.ReachUp || r.Class != plan.ClassTimeout || !r.CandidateAnswered {
			errs = append(errs, fmt.Errorf("%+v", r))
		}
		loss := plan.JudgeLoss(plan.Evidence{Rounds: []plan.Round{r}}, plan.Failover{Probes: 1}, w.clock.Now()).State
		errs = append(errs, differ(w.calls("a", "ListDatabases"), 2), differ(loss, plan.LossReachable))

		must(t, w.ClearFaults("a"))
		must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
		before := w.calls("a", "")
		errs = append(errs, differ(w.observe(plan.Depth{})["a"].Reach, plan.ReachDegraded),
			differ(w.calls("a", "")-before, 3)) // version, configuration, coordinator: all within one deadline
		return errors.Join(errs...)
	})
}

// TestALostPrimaryIsAskedWithinTheDeadlinesOfARound, by the clock on the wall:
// what takes longer would not count.
func TestALostPrimaryIsAskedWithinTheDeadlinesOfARound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testing.T, *world)
		reach  plan.Reach
		asked  int // the coordinator
	}{
		"it hangs": {func(t *testing.T, w *world) {
			must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
		}, plan.ReachDegraded, 2},
		"it drops everything": {func(t *testing.T, w *world) { w.move("a", blackHole(t)) }, plan.ReachUnreachable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unhurried(t, func(w *world) error {
				w.config.Clock = nil
				c.change(t, w)
				r := w.fleet().Reader().Round(w.ctx(), w.topology, wanted)
				if r.Reach != c.reach || r.Class != plan.ClassTimeout || !r.CandidateAnswered {
					return fmt.Errorf("%+v", r)
				}
				if r.Took > r.Limit || c.asked == 0 && r.Took >= r.Limit*3/4 {
					return fmt.Errorf("it took %s of %s", r.Took, r.Limit)
				}
				return differ(w.calls("a", "ListDatabases"), c.asked)
			})
		})
	}
}

// TestAPrimaryThatSpeaksAtTheDeadlineServes: its first words come too late for the
// configuration, and in time for its coordinator.
func TestAPrimaryThatSpeaksAtTheDeadlineServes(t *testing.T) {
	t.Parallel()
	w := pair(t, "")
	w.config.ReadTimeout = 2 * time.Second
	f := w.fleet()
	pass, err := f.ticket(bind(w.topology, f.credentials)["a"])
	must(t, err)
	l, err := f.dial(pass)
	must(t, err)
	r := &viewReader{link: l, target: &clusterRead{}, pass: pass, options: probeOptions{secondDeadline: true}}
	silent := outcome{reach: plan.ReachUnreachable, class: plan.ClassTimeout}
	same(t, r.lateAnswer(silent), false)
	same(t, r.coordinatorAgain(w.ctx(), time.Now()).answered(), true)
	same(t, r.lateAnswer(silent), true)
}

// TestABriefRound: a primary that hung in every round before is waited for a third of a
// deadline, by the clock on the wall; one that serves again is seen, and one that
// refuses by now is told from it.
func TestABriefRound(t *testing.T) {
	t.Parallel()
	hang := func(t *testing.T, w *world) {
		must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *world)
		reach  plan.Reach
		class  plan.ErrorClass
		brief  bool
	}{
		"it hangs":       {hang, plan.ReachDegraded, plan.ClassTimeout, true},
		"it drops all":   {func(t *testing.T, w *world) { w.move("a", blackHole(t)) }, plan.ReachUnreachable, plan.ClassTimeout, true},
		"it serves":      {func(*testing.T, *world) {}, plan.ReachUp, plan.ClassNone, false},
		"it refuses now": {func(t *testing.T, w *world) { must(t, w.Stop("a")) }, plan.ReachUnreachable, plan.ClassRefused, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unhurried(t, func(w *world) error {
				w.config.Clock = nil
				c.change(t, w)
				want := wanted
				want.Brief = true
				r := w.fleet().Reader().Round(w.ctx(), w.topology, want)
				if r.Reach != c.reach || r.Class != c.class || r.Brief != c.brief || !r.CandidateAnswered || r.Took > r.Limit {
					return fmt.Errorf("%+v", r)
				}
				if whole := deadlinesPerRound * w.config.ReadTimeout; c.brief && (r.Limit != whole/3 || r.Took >= w.config.ReadTimeout) || !c.brief && r.Limit != whole {
					return fmt.Errorf("it took %s of %s", r.Took, r.Limit)
				}
				return nil
			})
		})
	}
}

// TestAHangingClusterIsHardlyWaitedFor by an observation that was told of it.
func TestAHangingClusterIsHardlyWaitedFor(t *testing.T) {
	t.Parallel()
	w := pair(t, "")
	w.config.ReadTimeout, w.config.Clock = time.Minute, nil
	must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
	began := time.Now()
	views := w.observe(plan.Depth{Progress: true, Hanging: "a"})
	if took := time.Since(began); took >= time.Minute || views["a"].Reach != plan.ReachDegraded || views["b"].Reach != plan.ReachUp || len(views["b"].Progress) == 0 {
		t.Errorf("after %s: %+v", took, views)
	}
	must(t, w.ClearFaults("a"))
	same(t, w.observe(plan.Depth{Progress: true, Hanging: "a"})["a"].Reach, plan.ReachUp)
}
