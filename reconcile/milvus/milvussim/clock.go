package milvussim

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is the only source of time in a World. SystemClock is the one of a
// running simulator, ManualClock the one of a test.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// AfterFunc runs f once d has passed; stop prevents it if it has not begun.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (SystemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// ManualClock stands still until Advance moves it. Timers run in the goroutine
// that advances it, in order of their due time, so that nothing is left to the
// scheduler.
type ManualClock struct {
	advancing sync.Mutex // held for one Advance at a time, so that time never goes back
	mu        sync.Mutex
	now       time.Time
	timers    []*manualTimer
}

type manualTimer struct {
	due  time.Time
	f    func()
	dead bool
}

// NewManualClock returns a clock that shows start.
func NewManualClock(start time.Time) *ManualClock { return &ManualClock{now: start} }

// Now is the time that the clock shows.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc registers f for the moment when the clock has advanced by d.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &manualTimer{due: c.now.Add(max(d, 0)), f: f}
	c.timers = append(c.timers, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		t.dead = true
	}
}

// Advance moves the clock by d and runs every timer that falls due on the way,
// those that such a timer sets included. Calls wait for each other.
func (c *ManualClock) Advance(d time.Duration) {
	c.advancing.Lock()
	defer c.advancing.Unlock()
	c.mu.Lock()
	end := c.now.Add(d)
	for {
		t := c.takeDue(end)
		if t == nil {
			break
		}
		if t.due.After(c.now) {
			c.now = t.due
		}
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
	}
	c.now = end
	c.mu.Unlock()
}

// takeDue removes the earliest timer that is due by end; of equal ones the
// first that was set.
func (c *ManualClock) takeDue(end time.Time) *manualTimer {
	live := c.timers[:0]
	for _, t := range c.timers {
		if !t.dead {
			live = append(live, t)
		}
	}
	clear(c.timers[len(live):])
	c.timers = live
	best := -1
	for i, t := range c.timers {
		if !t.due.After(end) && (best < 0 || t.due.Before(c.timers[best].due)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	t := c.timers[best]
	c.timers = append(c.timers[:best], c.timers[best+1:]...)
	return t
}

// event is something that will happen in a World at a time; the sequence number
// keeps events of the same moment in the order in which they were set.
type event struct {
	at   time.Time
	seq  uint64
	run  func()
	slot int
}

type eventHeap []*event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h eventHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

func (h *eventHeap) Push(x any) {
	e := x.(*event)
	e.slot = len(*h)
	*h = append(*h, e)
}

func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.slot = -1
	return e
}

// schedule has run called, with the World's lock held, once the clock shows at.
func (w *World) schedule(at time.Time, run func()) *event {
	w.eventSeq++
	e := &event{at: at, seq: w.eventSeq, run: run}
	heap.Push(&w.events, e)
	if e.slot == 0 {
		w.arm()
	}
	return e
}

// cancel takes an event out of the schedule; one that has run is left alone.
func (w *World) cancel(e *event) {
	if e != nil && e.slot >= 0 {
		heap.Remove(&w.events, e.slot)
	}
}

// arm sets the one timer of the World to its earliest event.
func (w *World) arm() {
	if w.disarm != nil {
		w.disarm()
		w.disarm = nil
	}
	if len(w.events) == 0 || w.closed {
		return
	}
	w.disarm = w.clock.AfterFunc(w.events[0].at.Sub(w.clock.Now()), w.tick)
}

// tick runs every event that is due.
func (w *World) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.closed && len(w.events) > 0 && !w.events[0].at.After(w.clock.Now()) {
		heap.Pop(&w.events).(*event).run()
	}
	w.arm()
}

// logicalBits is the width of the logical part of a hybrid time tick
// (pkg/util/tsoutil/tso.go, milvus.md §6).
const logicalBits = 18

// Tick composes a Milvus time tick: physical milliseconds << 18 | logical.
func Tick(at time.Time, logical uint64) uint64 {
	return uint64(at.UnixMilli())<<logicalBits | logical&(1<<logicalBits-1)
}

// TickTime is the physical part of a Milvus time tick.
func TickTime(tick uint64) time.Time { return time.UnixMilli(int64(tick >> logicalBits)) }

// tickInterval is how often a streaming node syncs its time ticks
// (proxy.timeTickInterval), and tickBatch how many it fetches at once
// (internal/util/idalloc/allocator.go).
const (
	tickInterval = 200 * time.Millisecond
	tickBatch    = 1000
)

// tso is a cluster's timestamp oracle: it never gives the same tick twice and
// never goes back, even if the clock does. AllocTimestamp asks it each time. The
// WAL takes its ticks from a batch that the streaming node fetched at its last
// sync, so that what is written after an AllocTimestamp can bear an older tick
// (milvus.md §6).
type tso struct {
	last       uint64
	synced     time.Time
	batch, end uint64 // what is left of the streaming node's batch
}

// next is the tick that AllocTimestamp gives.
func (t *tso) next(now time.Time) uint64 {
	t.sync(now)
	t.last = max(t.last+1, Tick(now, 0))
	return t.last
}

// write is the tick of the next message in a WAL.
func (t *tso) write(now time.Time) uint64 {
	tick := t.floor(now)
	t.batch = tick + 1
	return tick
}

// floor is the lowest tick that the next message in a WAL can have.
func (t *tso) floor(now time.Time) uint64 {
	if t.sync(now); t.batch == t.end {
		t.fetch(now)
	}
	return t.batch
}

// sync fetches a batch at each interval, whether something is written or not.
func (t *tso) sync(now time.Time) {
	if at := now.Truncate(tickInterval); at.After(t.synced) {
		t.synced = at
		t.fetch(at)
	}
}

func (t *tso) fetch(at time.Time) {
	t.batch = max(t.last+1, Tick(at, 0))
	t.end = t.batch + tickBatch
	t.last = t.end - 1
}

// restart fetches a batch: a streaming node that starts has none.
func (t *tso) restart(now time.Time) {
	t.synced = now.Truncate(tickInterval)
	t.fetch(now)
}

// afterSync is a moment at which every WAL has ticks above one.
func afterSync(tick uint64) time.Time {
	return TickTime(tick).Truncate(tickInterval).Add(tickInterval)
}
