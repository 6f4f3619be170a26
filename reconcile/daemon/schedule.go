package daemon

import (
	"context"
	"time"

	"milvus-reconcile/plan"
)

// Clock is the time of the loop. The deadlines of calls always use the clock of the
// machine.
type Clock interface {
	Now() time.Time
	// After returns a channel that receives once d has passed.
	After(d time.Duration) <-chan time.Time
}

// WallClock is the machine's clock.
type WallClock struct{}

// Now returns time.Now().
func (WallClock) Now() time.Time { return time.Now() }

// After returns time.After(d).
func (WallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// jittered spreads an interval by a tenth either way, so that passes which began together
// drift apart. r is from [0, 1).
func jittered(d time.Duration, r float64) time.Duration {
	const spread = 0.1
	return time.Duration(float64(d) * (1 - spread + 2*spread*r))
}

// firstRetry is the delay after a first failure.
const firstRetry = time.Second

// retryAfter returns the delay after a number of failures in a row: it doubles each time,
// up to the usual interval.
func retryAfter(failures int, usual time.Duration) time.Duration {
	d := firstRetry
	for range failures - 1 {
		if d *= 2; d >= usual {
			break
		}
	}
	return min(d, usual)
}

// nextPass returns the delay before the next pass: the usual one, or a shorter one if the
// freeze that holds a change back ends sooner.
func nextPass(f *plan.Frozen, now time.Time, usual time.Duration) time.Duration {
	if f == nil || f.Until.IsZero() {
		return usual
	}
	return min(usual, max(f.Until.Sub(now), 0))
}

// lane is a queue of passes. Passes of different lanes never wait for each other.
type lane int

const (
	laneCalm   lane = iota // no change is wanted, and the last pass was quick
	laneSlow               // the last pass was slow, because a cluster does not answer
	laneChange             // a change is wanted
	laneCount
)

// slowPass is from when on a pass counts as slow: one read ran into its deadline.
const slowPass = 2 * time.Second

// nextLane returns the lane of the next pass of a topology.
func nextLane(took time.Duration, change bool) lane {
	switch {
	case change:
		return laneChange
	case took >= slowPass:
		return laneSlow
	default:
		return laneCalm
	}
}

// lanes bound how many passes of each lane run at once. A pass that becomes slow gives its
// place to the next.
type lanes struct {
	places [laneCount]chan struct{}
	slow   chan struct{} // passes without a change that gave their place away
}

// slowToPlaces is how many slow passes without a change run at once, next to the places of a
// lane. On a machine that cannot keep up every pass is slow: without a bound all would run at
// once, and each would wait for the others.
const slowToPlaces = 4

// newLanes makes lanes with as many places each; at least 1.
func newLanes(concurrency int) *lanes {
	n := max(concurrency, 1)
	l := lanes{slow: make(chan struct{}, slowToPlaces*n)}
	for i := range l.places {
		l.places[i] = make(chan struct{}, n)
	}
	return &l
}

// hold keeps the place of a pass until it ends, or gives it away once the pass is slow. A
// change may wait for minutes, and never keeps another one from beginning.
func (l *lanes) hold(which lane, leave func(), slow <-chan time.Time, ended <-chan struct{}) {
	defer leave()
	select {
	case <-ended:
		return
	case <-slow:
	}
	if which == laneChange {
		return
	}
	select {
	case <-ended:
	case l.slow <- struct{}{}:
		go func() {
			<-ended
			<-l.slow
		}()
	}
}

// enter waits for a place in a lane; false: ctx ended first, or something came on again.
func (l *lanes) enter(ctx context.Context, which lane, again <-chan struct{}) (leave func(), ok bool) {
	select {
	case <-ctx.Done():
	case <-again:
	case l.places[which] <- struct{}{}:
		return func() { <-l.places[which] }, true
	}
	return nil, false
}
