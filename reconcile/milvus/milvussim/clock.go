package milvussim

import (
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
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer
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
// those that such a timer sets included.
func (c *ManualClock) Advance(d time.Duration) {
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
