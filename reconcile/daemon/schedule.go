package daemon

import (
	"context"
	"time"
)

// Clock is the source of time of the loop. Deadlines of calls are always the
// machine's.
type Clock interface {
	Now() time.Time
	// After sends once d has passed.
	After(d time.Duration) <-chan time.Time
}

// WallClock is the machine's clock.
type WallClock struct{}

// Now is the machine's time.
func (WallClock) Now() time.Time { return time.Now() }

// After is time.After.
func (WallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// jittered spreads an interval by a tenth either way, so that what was begun
// together does not stay together. r is from [0, 1).
func jittered(d time.Duration, r float64) time.Duration {
	const spread = 0.1
	return time.Duration(float64(d) * (1 - spread + 2*spread*r))
}

// firstRetry is how soon a failure is tried again.
const firstRetry = time.Second

// retryAfter is the delay after that many failures in a row: doubled each
// time, and never longer than the usual interval.
func retryAfter(failures int, usual time.Duration) time.Duration {
	d := firstRetry
	for range failures - 1 {
		if d *= 2; d >= usual {
			break
		}
	}
	return min(d, usual)
}

// lane orders passes, so that what is slow or at rest never makes a change wait.
type lane int

const (
	laneCalm   lane = iota // nothing is wanted, and it answered quickly
	laneSlow               // it took its time, because a cluster does not answer
	laneChange             // a change is wanted
	laneCount
)

// slowPass is from when on a topology counts as slow: one read ran into its deadline.
const slowPass = 2 * time.Second

func laneOf(took time.Duration, change bool) lane {
	switch {
	case change:
		return laneChange
	case took >= slowPass:
		return laneSlow
	default:
		return laneCalm
	}
}

// lanes bound how many passes of each kind are begun at once. A pass gives its
// place up once it is slow, so that not even many of them hold up the others.
type lanes [laneCount]chan struct{}

func newLanes(concurrency int) *lanes {
	var l lanes
	for i := range l {
		l[i] = make(chan struct{}, max(concurrency, 1))
	}
	return &l
}

// enter waits for its turn; false: ctx ended before.
func (l *lanes) enter(ctx context.Context, which lane) (leave func(), ok bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case l[which] <- struct{}{}:
		return func() { <-l[which] }, true
	}
}
