package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// openProbes are overlapping probes of a primary that hangs. One that serves again answers
// whichever of them it got, or the next one, so that an apply need not wait to see
// whether it does: it counts what is unanswered as of now (contract.md §8).
type openProbes struct {
	settings *shared       // that the probes are made with
	cluster  plan.Cluster  // that is probed
	shown    plan.Round    // by the newest whole round
	waitEach time.Duration // how long a probe must be unanswered to count

	mu       sync.Mutex
	probes   []openProbe // oldest first
	lastTurn time.Time   // when the probes were seen to last; zero: never
	ended    bool        // something came, or nobody sees to them any more
}

type openProbe struct {
	began time.Time
	end   context.CancelFunc
}

// maxProbedPrimaries is how many hanging primaries are probed so at once. Of the others the last
// round is brief.
const maxProbedPrimaries = 64

const (
	// waitsPerLimit: a probe must be unanswered for as long as a brief round waits, a third
	// of a deadline; a whole round is allowed two deadlines.
	waitsPerLimit = 6
	// waitsPerProbe is how many waits a probe stays in flight.
	waitsPerProbe = 3
	// waitsPerRound is how old the probe that counts may be, in waits: with it, the
	// probes were made in time.
	waitsPerRound = 2
	// turnsPerWait is how often the probes are seen to in a wait; a new one begins in the
	// last turn of it, so that one is always old enough to count.
	turnsPerWait = 4
)

// round is the brief round that the probes amount to as of now; false: they amount to
// none, since something came, or since they, or this process, were not in time (scenarios.md R20).
func (f *openProbes) round(now time.Time) (plan.Round, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.late(now) {
		return plan.Round{}, false
	}
	for _, p := range slices.Backward(f.probes) {
		age := now.Sub(p.began)
		if age < f.waitEach {
			continue
		}
		r := plan.Round{At: p.began, Took: age, Limit: waitsPerRound * f.waitEach, Brief: true}
		r.Reach, r.Class, r.Error = f.shown.Reach, f.shown.Class, f.shown.Error
		return r, age <= r.Limit
	}
	return plan.Round{}, false
}

// late says whether nobody saw to the probes for longer than two turns: the process was
// stopped, the machine slept, or its clock was set.
func (f *openProbes) late(now time.Time) bool {
	limit := 2 * f.waitEach / turnsPerWait
	wall := now.Round(0).Sub(f.lastTurn.Round(0))
	return now.Sub(f.lastTurn) > limit || wall > limit || wall < 0
}

// takeTurn takes its turn: it ends the probes that are old, or all of them if it comes late,
// and says whether a new one is due.
func (f *openProbes) takeTurn(now time.Time) (due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	oldest := now.Add(-waitsPerProbe * f.waitEach)
	if f.late(now) {
		oldest = now
	}
	f.lastTurn = now
	f.probes = slices.DeleteFunc(f.probes, func(p openProbe) bool {
		old := !p.began.After(oldest)
		if old {
			p.end()
		}
		return old
	})
	n := len(f.probes)
	return n == 0 || now.Sub(f.probes[n-1].began) >= (turnsPerWait-1)*f.waitEach/turnsPerWait
}

// add notes a probe, unless all are over.
func (f *openProbes) add(p openProbe) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return false
	}
	f.probes = append(f.probes, p)
	return true
}

// end ends all probes, for good.
func (f *openProbes) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for _, p := range f.probes {
		p.end()
	}
	f.probes = nil
}

// startProbes begins to keep probes in flight if the primary hung in every round.
func (w *watch) startProbes(ctx context.Context, running *sync.WaitGroup) {
	l := w.worker.loop
	s, done := l.use()
	w.mu.Lock()
	defer w.mu.Unlock()
	cluster, shown, ok := w.hangingPrimary()
	if !ok || w.probes != nil || !l.reserveProbes() {
		done()
		return
	}
	f := &openProbes{settings: s, cluster: cluster, shown: shown, waitEach: shown.Limit / waitsPerLimit, lastTurn: l.clock.Now()}
	w.probes = f
	running.Go(func() {
		defer done()
		defer l.releaseProbes()
		w.keepProbes(ctx, f)
	})
}

// keepProbes keeps the probes in flight for as long as the primary hangs and nothing comes.
func (w *watch) keepProbes(ctx context.Context, f *openProbes) {
	clock := w.worker.loop.clock
	var probes sync.WaitGroup
	defer probes.Wait()
	defer w.endProbes(f)
	for w.stillWanted(f) && ctx.Err() == nil {
		now := clock.Now()
		if f.takeTurn(now) {
			if !w.stillHangs(f) {
				return
			}
			one, end := context.WithCancel(ctx)
			if !f.add(openProbe{began: now, end: end}) {
				end()
				return
			}
			probes.Go(func() { f.holdOne(one, w.watchedTopology()) })
		}
		select {
		case <-ctx.Done():
		case <-clock.After(f.waitEach / turnsPerWait):
		}
	}
}

// holdOne makes one probe. Whatever comes before it is ended ends all.
func (f *openProbes) holdOne(ctx context.Context, t plan.Topology) {
	if !f.settings.Apply.Observer.HoldProbe(ctx, t, f.cluster.ID, f.shown.Reach) {
		f.end()
	}
}

// endProbes ends the probes, so that new ones may begin with the next round.
func (w *watch) endProbes(f *openProbes) {
	f.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes = nil
}

// stillWanted says whether the primary is still watched and nothing came. It is asked with
// every turn, and costs no judgement of the rounds.
func (w *watch) stillWanted(f *openProbes) bool {
	w.mu.Lock()
	watched := len(w.wants) > 0 && w.wants[0].Primary == f.cluster.ID
	w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	return watched && !f.ended && w.worker.loop.isCurrent(f.settings)
}

// stillHangs says whether the primary hangs as it did, at the same address.
func (w *watch) stillHangs(f *openProbes) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	cluster, shown, ok := w.hangingPrimary()
	return ok && sameTarget(cluster, f.cluster) && shown.Reach == f.shown.Reach && shown.Limit == f.shown.Limit
}

// hangingPrimary is the primary that hung in every round of each pair, with what the newest round
// showed of it. The caller holds the lock.
func (w *watch) hangingPrimary() (c plan.Cluster, shown plan.Round, ok bool) {
	primary := reconcile.HangingPrimary(w.made, w.worker.loop.clock.Now())
	if len(w.wants) == 0 || primary != w.wants[0].Primary {
		return plan.Cluster{}, plan.Round{}, false
	}
	i := slices.IndexFunc(w.topology.Clusters, func(c plan.Cluster) bool { return c.ID == primary })
	rounds := w.made[0].Rounds
	shown = rounds[len(rounds)-1]
	if i < 0 || shown.Class != plan.ClassTimeout || shown.Limit <= 0 {
		return plan.Cluster{}, plan.Round{}, false
	}
	return w.topology.Clusters[i], shown, true
}

// watchedTopology is the topology that is watched.
func (w *watch) watchedTopology() plan.Topology {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.topology
}

// roundInFlight is what the probes of a primary show a pass with these settings as of now.
func (w *watch) roundInFlight(s *shared) func(plan.Topology, string) (plan.Round, bool) {
	return func(t plan.Topology, primary string) (plan.Round, bool) {
		w.mu.Lock()
		f := w.probes
		w.mu.Unlock()
		if f == nil || f.settings != s || !slices.ContainsFunc(t.Clusters, func(c plan.Cluster) bool { return c.ID == primary && sameTarget(c, f.cluster) }) {
			return plan.Round{}, false
		}
		return f.round(w.worker.loop.clock.Now())
	}
}

// sameTarget says whether two entries lead to one cluster by one way.
func sameTarget(a, b plan.Cluster) bool {
	return a.ID == b.ID && a.ClientAddress == b.ClientAddress && a.URI == b.URI
}

// reserveProbes takes a place among the primaries that are probed so, if one is free.
func (l *Loop) reserveProbes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.probedPrimaries >= maxProbedPrimaries {
		return false
	}
	l.probedPrimaries++
	return true
}

func (l *Loop) releaseProbes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probedPrimaries--
}

// isCurrent says whether settings are those of now.
func (l *Loop) isCurrent(s *shared) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settings == s
}
