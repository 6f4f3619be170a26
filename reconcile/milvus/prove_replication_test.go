package milvus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
	"milvus-reconcile/reconcile/reconciletest/race"
)

// lockstep is a fleet's clock that moves the simulator's: what the fleet waits
// for is over at once, and gap passes whenever it looks at the time.
type lockstep struct {
	*milvussim.ManualClock
	gap time.Duration
}

func (c lockstep) Now() time.Time {
	c.Advance(c.gap)
	return c.ManualClock.Now()
}

func (c lockstep) After(d time.Duration) <-chan time.Time {
	c.Advance(d)
	out := make(chan time.Time, 1)
	out <- c.ManualClock.Now()
	return out
}

// stepped is a converged pair, a and b, of four channels, that has no time of its own.
func stepped(t *testing.T, gap time.Duration) (*world, lockstep) {
	t.Helper()
	return steppedFrom(t, gap, "", milvussim.Converged)
}

// steppedFrom is a pair of a profile that has no time of its own, made by from.
func steppedFrom(t *testing.T, gap time.Duration, profile string, from func(...[]milvussim.ClusterSpec) []milvussim.ClusterSpec) (*world, lockstep) {
	t.Helper()
	clock := lockstep{milvussim.NewManualClock(time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)), gap}
	specs := milvussim.Pair("a", "b")
	for i := range specs {
		specs[i].PChannels = milvussim.PChannels(specs[i].ID+"-rootcoord-dml_", 4)
	}
	w := newWorld(t, milvussim.Options{Clock: clock.ManualClock, Profile: profile}, from(specs)...)
	for i := range specs {
		w.topology.Clusters[i].PChannels = specs[i].PChannels
	}
	w.config.Clock = clock
	return w, clock
}

func TestProveReplication(t *testing.T) {
	cases := map[string]struct {
		change func(*testing.T, *world)
		words  string // empty: proven
	}{
		"it flows":                 {nil, ""},
		"it flows slowly":          {func(t *testing.T, w *world) { must(t, w.SetLag("a", "b", 700*time.Millisecond)) }, ""},
		"the link is cut":          {func(t *testing.T, w *world) { must(t, w.SetLink("a", "b", false)) }, "not one of its 4 channels moved"},
		"one channel stands still": {func(t *testing.T, w *world) { must(t, w.HoldChannel("b", "b-rootcoord-dml_3", true)) }, "1 of 4 channels of b did not receive the writes of a within 1 min: b-rootcoord-dml_3"},
		"there is no CDC":          {func(t *testing.T, w *world) { must(t, w.SetCDC("a", false)) }, "probably no CDC process runs on a"},
		"the source is gone":       {func(t *testing.T, w *world) { must(t, w.Stop("a")) }, "time tick"},
		"the target stands alone": {func(t *testing.T, w *world) {
			same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
		}, "b does not follow a"},
		"the target is not listed": {func(_ *testing.T, w *world) { w.topology.Clusters = w.topology.Clusters[:1] }, "cannot be proven"},
		"no channels":              {func(_ *testing.T, w *world) { w.cluster("b").PChannels = nil }, "has no channels"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, clock := stepped(t, 0)
			if c.change != nil {
				c.change(t, w)
			}
			ctx, cancel := context.WithCancel(w.ctx())
			defer cancel()
			clock.AfterFunc(time.Minute, cancel)
			err := w.fleet().ProveReplication(ctx, w.topology, "a", "b", time.Minute)
			if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
				t.Error(err)
			}
		})
	}
}

// TestProofsInARow: 200 proofs of an idle, healthy pair succeed, however much
// time passes between a step and the next: what is written after a time tick was
// given can bear an older one. Each needs a few collections only.
func TestProofsInARow(t *testing.T) {
	proofs := 200
	if race.Detector {
		proofs = 20
	}
	for gap := time.Duration(0); gap <= 100*time.Millisecond; gap += 20 * time.Millisecond {
		t.Run(fmt.Sprint(gap), func(t *testing.T) {
			t.Parallel()
			w, clock := stepped(t, gap)
			f := w.fleet()
			for i := range proofs {
				clock.Advance(time.Duration(i*37%1000) * time.Millisecond)
				if err := f.ProveReplication(w.ctx(), w.topology, "a", "b", time.Minute); err != nil {
					t.Fatalf("proof %d: %v", i, err)
				}
			}
			if made := w.calls("a", "CreateCollection"); made > 2*proofs {
				t.Errorf("%d throwaway collections for %d proofs", made, proofs)
			}
		})
	}
}

// TestAProofRestsOnWhatIsWrittenNow: what a standby still gets of a backlog does
// not prove that what is written now arrives.
func TestAProofRestsOnWhatIsWrittenNow(t *testing.T) {
	w, clock := stepped(t, 0)
	must(t, w.SetLag("a", "b", time.Hour))
	for range 20 {
		_, refusal, err := w.Write("a", 10)
		must(t, errors.Join(refusal, err))
		clock.Advance(time.Minute)
	}
	must(t, w.SetLag("a", "b", 59*time.Minute)) // some of it comes in while the proof is waited for
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	clock.AfterFunc(time.Minute, cancel)
	var late plan.NotCaughtUpError
	if err := w.fleet().ProveReplication(ctx, w.topology, "a", "b", time.Minute); !errors.As(err, &late) {
		t.Errorf("%v", err)
	}
}
