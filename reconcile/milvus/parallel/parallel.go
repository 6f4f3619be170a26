// Package parallel runs the calls of one read in parallel: all at once, or a bounded number of
// them, where one that waits for a silent cluster gives its place to the next.
package parallel

import (
	"sync"
	"sync/atomic"
	"time"
)

// Go runs work in a goroutine that worked before, if one is free: an RPC needs a
// deep stack, which every new goroutine would have to grow. At most maxFree wait for work,
// each for freeFor.
func Go(work func()) {
	select {
	case backgroundWork <- work:
	default:
		go workInBackground(work)
	}
}

const (
	maxFree = 64
	freeFor = time.Second
)

var (
	backgroundWork = make(chan func())
	backgroundFree atomic.Int64
)

// workInBackground works, and goes on with what comes next.
func workInBackground(work func()) {
	work()
	for waited := time.NewTimer(freeFor); backgroundFree.Add(1) <= maxFree; waited.Reset(freeFor) {
		select {
		case work = <-backgroundWork:
			backgroundFree.Add(-1)
			work()
		case <-waited.C:
			backgroundFree.Add(-1)
			return
		}
	}
	backgroundFree.Add(-1)
}

// group waits for work in the background.
type group struct{ sync.WaitGroup }

// start starts work in the background.
func (g *group) start(work func()) {
	g.Add(1)
	Go(func() {
		defer g.Done()
		work()
	})
}

// Run runs functions in parallel and returns when all have returned.
func Run(work ...func()) {
	var g group
	for _, w := range work[1:] {
		g.start(w)
	}
	work[0]()
	g.Wait()
}

// Each calls work for 0 to n-1, at most atOnce at once. One goroutine makes many of
// the calls.
func Each(n, atOnce int, work func(i int)) {
	var next atomic.Int64
	var g group
	for range min(n, max(atOnce, 1)) {
		g.start(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	g.Wait()
}

// slowRead is for how long a read may hold its place; maxSlow is how many slow reads go on
// without one.
const (
	slowRead = 50 * time.Millisecond
	maxSlow  = 512
)

// EachOvertaking is Each for work that may wait for a cluster that does not
// answer. Work that takes longer than slowRead gives its place to the next. So all lost
// clusters together cost one deadline, and not one for each place.
func EachOvertaking(n, atOnce int, work func(i int)) {
	o := overtaking{n: int64(n), work: work, slow: make(chan struct{}, maxSlow)}
	for range min(n, max(atOnce, 1)) {
		o.start(o.place)
	}
	o.Wait()
}

// overtaking is the work of one EachOvertaking.
type overtaking struct {
	group
	n    int64
	work func(i int)
	next atomic.Int64
	late atomic.Int64 // see noteLate
	slow chan struct{}
}

// place does one work after the other, until there is none or another goroutine has taken
// its place.
func (o *overtaking) place() {
	for i := o.next.Add(1) - 1; i < o.n; i = o.next.Add(1) - 1 {
		t := &turn{of: o, began: time.Now()}
		soon := t.checkAfter(slowRead)
		o.work(int(i))
		soon.Stop()
		if t.end() {
			<-o.slow
			return
		}
	}
}

// turn is one work in its place.
type turn struct {
	of    *overtaking
	began time.Time

	mu           sync.Mutex
	ended, given bool
}

// A process that gets no processor time is slow itself: what it waits for is no cluster, and
// more work at once would only slow it down. Then work keeps its place for longer.
const (
	starved     = 10 * time.Millisecond // by which timers are late
	slowStarved = 20 * slowRead
	lateOf      = 8 // as many timers tell how late they are
)

// checkAfter checks the work after a time.
func (t *turn) checkAfter(wait time.Duration) *time.Timer {
	due := time.Now().Add(wait)
	return time.AfterFunc(wait, func() { t.check(time.Since(due)) })
}

// check gives the place of the work to the next, unless it has ended. It comes late by so
// much.
func (t *turn) check(late time.Duration) {
	late = t.of.noteLate(late)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	if late > starved && time.Since(t.began) < slowStarved {
		t.checkAfter(slowRead)
		return
	}
	select {
	case t.of.slow <- struct{}{}:
		t.given = true
		t.of.start(t.of.place)
	default:
	}
}

// end ends the work, and says whether its place was given to another.
func (t *turn) end() (given bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.given
}

// noteLate takes by how much a timer was late, and returns how late the last ones were.
func (o *overtaking) noteLate(by time.Duration) time.Duration {
	before := o.late.Load()
	now := before + (int64(by)-before)/lateOf
	o.late.CompareAndSwap(before, now) // another one of the same time does as well
	return time.Duration(now)
}
