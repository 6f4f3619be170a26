// Package localpause measures for how long this process did not run.
package localpause

import (
	"sync"
	"time"
)

// Watch measures for how long this process did not run: the machine is busy, it was
// suspended, or the process was stopped. A deadline that passed meanwhile shows nothing of
// the cluster.
type Watch struct {
	every time.Duration // between two wake-ups
	end   chan struct{}
	ended chan struct{}

	mu   sync.Mutex
	last time.Time     // of the newest wake-up
	late time.Duration // by how much the wake-ups came too late, in sum
}

// Every is the time between two wake-ups. Pauses that are a little longer are not
// seen.
const Every = 50 * time.Millisecond

// Start measures until Stop is called, with so much time between two wake-ups.
func Start(every time.Duration) *Watch {
	p := &Watch{every: every, end: make(chan struct{}), ended: make(chan struct{}), last: time.Now()}
	go p.run()
	return p
}

func (p *Watch) run() {
	defer close(p.ended)
	timer := time.NewTimer(p.every)
	defer timer.Stop()
	for {
		select {
		case <-p.end:
			return
		case <-timer.C:
			p.wakeUp(time.Now())
			timer.Reset(p.every)
		}
	}
}

// Stop ends the measuring.
func (p *Watch) Stop() {
	close(p.end)
	<-p.ended
}

func (p *Watch) wakeUp(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late += p.lateBy(now)
	p.last = now
}

func (p *Watch) lateBy(now time.Time) time.Duration {
	return max(now.Sub(p.last)-p.every, 0)
}

// total returns how long the process did not run until now.
func (p *Watch) total(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late + p.lateBy(now)
}

// Span is a time over which the pauses are counted.
type Span struct {
	watch *Watch
	began time.Time
	late  time.Duration
}

// Span begins one.
func (p *Watch) Span(now time.Time) Span {
	return Span{watch: p, began: now, late: p.total(now)}
}

// Mostly says whether the process did not run for half of the time or more.
func (s Span) Mostly(now time.Time) bool {
	return 2*(s.watch.total(now)-s.late) >= now.Sub(s.began)
}
