package daemon

import (
	"context"
	"testing"
	"time"
)

// TestSlowPassesAreBounded: a slow pass gives its place to the next, as long as not too many
// have done so. On a machine that cannot keep up all passes ran at once, each waited for the
// others, and none ended. A change always gives its place away.
func TestSlowPassesAreBounded(t *testing.T) {
	const places = 2
	slow := make(chan time.Time)
	close(slow) // every pass is slow
	for which, bounded := range map[lane]bool{laneCalm: true, laneSlow: true, laneChange: false} {
		l := newLanes(places)
		ended := make(chan struct{})
		begin := func() (given chan struct{}) {
			leave, ok := l.enter(t.Context(), which, nil)
			if !ok {
				t.Fatal("no place")
			}
			given = make(chan struct{})
			go l.hold(which, func() { leave(); close(given) }, slow, ended)
			return given
		}
		for range slowToPlaces * places { // they give their place away
			<-begin()
		}
		last := begin()
		if !bounded {
			<-last
			close(ended)
			continue
		}
		select {
		case <-last:
			t.Error("too many gave their place away")
		default:
		}
		close(ended)
		<-last
	}
}

// TestAChangeWaitsForNoSlowPass: a topology whose last pass was slow waits for a place, and
// Git wants a change of it meanwhile. It enters the lane of changes at once. With many
// clusters lost, no slow pass of another topology may hold up a failover.
func TestAChangeWaitsForNoSlowPass(t *testing.T) {
	l := &Loop{lanes: newLanes(1)}
	l.lanes.places[laneSlow] <- struct{}{} // by a pass that never ends
	w := newWorker(l, "orders")
	w.last.Took = slowPass
	entered := make(chan lane)
	go func() {
		which, leave, ok := w.enterLane(t.Context())
		if ok {
			leave()
		}
		entered <- which
	}()
	w.wake() // for something else: it goes on waiting
	w.changed.Store(true)
	w.wake()
	if which := <-entered; which != laneChange {
		t.Errorf("it entered lane %d", which)
	}
	w.changed.Store(false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, ok := w.enterLane(ctx); ok {
		t.Error("it entered a full lane after the end")
	}
}
