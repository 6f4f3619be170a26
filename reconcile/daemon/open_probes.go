package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// openProbes are overlapping probes of a primary that hangs. A primary that serves again
// answers a probe that it got, or the next one. So an apply need not wait for a new probe:
// it counts those that are unanswered as of now (contract.md §8.3).
type openProbes struct {
	settings *shared       // the probes are made with these
	cluster  plan.Cluster  // the hanging primary
	shown    plan.Round    // the newest whole round
	waitEach time.Duration // how long a probe must be unanswered to count

	mu       sync.Mutex
	probes   []openProbe // oldest first
	lastTurn time.Time   // the last turn of keepProbes; zero: none yet
	ended    bool        // something answered, or keepProbes returned
}

// openProbe is one call that is not answered yet.
type openProbe struct {
	began time.Time
	end   context.CancelFunc
}

// maxProbedPrimaries is how many hanging primaries have probes in flight at once. The
// others get a brief last round instead.
const maxProbedPrimaries = 64

const (
	// waitsPerLimit: a whole round is allowed two deadlines. A probe counts once it was
	// unanswered for a third of a deadline, which is as long as a brief round waits.
	waitsPerLimit = 6
	// waitsPerProbe is how many waits a probe stays in flight.
	waitsPerProbe = 3
	// waitsPerRound is how old, in waits, the probe that counts may be. An older one shows
	// that probes were not made in time.
	waitsPerRound = 2
	// turnsPerWait is how many turns of keepProbes are in a wait. A new probe begins in
	// the last turn of a wait, so that one is always old enough to count.
	turnsPerWait = 4
)

// round returns the brief round that the probes amount to as of now. False: something
// answered, or the probes or this process were not in time (scenarios.md R20).
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

// late says whether the last turn is more than two turns ago: the process was stopped, the
// machine slept, or its clock was set.
func (f *openProbes) late(now time.Time) bool {
	limit := 2 * f.waitEach / turnsPerWait
	wall := now.Round(0).Sub(f.lastTurn.Round(0))
	return now.Sub(f.lastTurn) > limit || wall > limit || wall < 0
}

// takeTurn ends the probes that are too old, or all of them when the turn comes late. It
// says whether a new probe is due.
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

// add adds a probe. False: the probes have ended.
func (f *openProbes) add(p openProbe) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return false
	}
	f.probes = append(f.probes, p)
	return true
}

// end ends all probes for good.
func (f *openProbes) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for _, p := range f.probes {
		p.end()
	}
	f.probes = nil
}

// startProbes starts to keep probes in flight if the primary hung in every round.
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

// keepProbes keeps probes in flight for as long as the primary hangs and nothing answers.
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

// holdOne makes one probe. Anything that comes before ctx ends, ends all probes.
func (f *openProbes) holdOne(ctx context.Context, t plan.Topology) {
	if !f.settings.Apply.Observer.HoldProbe(ctx, t, f.cluster.ID, f.shown.Reach) {
		f.end()
	}
}

// endProbes ends the probes, so that the next round may start new ones.
func (w *watch) endProbes(f *openProbes) {
	f.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes = nil
}

// stillWanted says whether the primary is still watched and nothing answered. It is called
// in every turn, and judges no rounds.
func (w *watch) stillWanted(f *openProbes) bool {
	w.mu.Lock()
	watched := len(w.wants) > 0 && w.wants[0].Primary == f.cluster.ID
	w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	return watched && !f.ended && w.worker.loop.isCurrent(f.settings)
}

// stillHangs says whether the primary hangs as before, at the same address.
func (w *watch) stillHangs(f *openProbes) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	cluster, shown, ok := w.hangingPrimary()
	return ok && sameTarget(cluster, f.cluster) && shown.Reach == f.shown.Reach && shown.Limit == f.shown.Limit
}

// hangingPrimary returns the primary that hung in every round of each pair, and its newest
// round. The caller holds the lock.
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

// watchedTopology returns the document of the topology that is watched.
func (w *watch) watchedTopology() plan.Topology {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.topology
}

// roundInFlight returns what tells a pass with these settings what the probes of a primary
// amount to as of now.
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

// sameTarget says whether two entries lead to the same cluster by the same addresses.
func sameTarget(a, b plan.Cluster) bool {
	return a.ID == b.ID && a.ClientAddress == b.ClientAddress && a.URI == b.URI
}

// reserveProbes takes one of the maxProbedPrimaries places, if one is free.
func (l *Loop) reserveProbes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.probedPrimaries >= maxProbedPrimaries {
		return false
	}
	l.probedPrimaries++
	return true
}

// releaseProbes gives the place back.
func (l *Loop) releaseProbes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probedPrimaries--
}

// isCurrent says whether the settings are the current ones.
func (l *Loop) isCurrent(s *shared) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settings == s
}
