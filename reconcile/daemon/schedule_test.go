package daemon

import (
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
			leave, ok := l.enter(t.Context(), which)
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
