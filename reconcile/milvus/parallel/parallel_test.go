package parallel

import (
	"sync"
	"testing"
	"time"
)

// TestWhatWaitsHoldsUpNobody: work that waits for the last of all gives its
// place up, and all of it ends.
func TestWhatWaitsHoldsUpNobody(t *testing.T) {
	const n = 50
	last := make(chan struct{})
	var mu sync.Mutex
	done := map[int]bool{}
	EachOvertaking(n, 2, func(i int) {
		if i == n-1 {
			close(last)
		}
		if i%10 == 0 || i == n-1 {
			<-last
		}
		mu.Lock()
		defer mu.Unlock()
		done[i] = true
	})
	if len(done) != n {
		t.Errorf("%d of %d ended", len(done), n)
	}
}

// TestAStarvedProcessKeepsItsPlaces: while timers come late, work keeps its place, and not for
// ever. On a machine that could not keep up, hundreds of reads at once made each other miss
// their deadlines, and clusters that answered were called unreachable.
func TestAStarvedProcessKeepsItsPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		late, since time.Duration
		given       bool
	}{
		"in time":              {0, slowRead, true},
		"a little late":        {starved, slowRead, true},
		"late":                 {lateOf * 2 * starved, slowRead, false},
		"late, and it is long": {lateOf * 2 * starved, slowStarved, true},
	} {
		o := &overtaking{slow: make(chan struct{}, 1)} // without further work
		one := &turn{of: o, began: time.Now().Add(-c.since)}
		one.check(c.late)
		if given := one.end(); given != c.given {
			t.Errorf("%s: given is %v", name, given)
		}
		o.Wait()
	}
	o := &overtaking{}
	for range 100 {
		o.noteLate(time.Second)
	}
	for range 100 {
		o.noteLate(0)
	}
	if late := o.noteLate(0); late > starved {
		t.Errorf("it is still late by %s", late)
	}
}
