// Package parallel runs the calls of one read in parallel: all at once, or a bounded number of
// them, where one that waits for a silent cluster gives its place to the next.
package parallel

import (
	"sync"
	"sync/atomic"
	"time"
)

// background runs work in a goroutine that worked before, if one is free: an RPC needs a
// deep stack, which every new goroutine would have to grow. At most maxFree wait for work,
// each for freeFor.
func background(work func()) {
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
	background(func() {
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
	slow chan struct{}
}

// place does one work after the other, until there is none or another goroutine has taken
// its place.
func (o *overtaking) place() {
	for i := o.next.Add(1) - 1; i < o.n; i = o.next.Add(1) - 1 {
		given := make(chan bool, 1)
		timer := time.AfterFunc(slowRead, func() {
			select {
			case o.slow <- struct{}{}:
				o.start(o.place)
				given <- true
			default:
				given <- false
			}
		})
		o.work(int(i))
		if !timer.Stop() && <-given {
			<-o.slow
			return
		}
	}
}
