package milvus

import (
	"errors"
	"sync"
	"time"
)

// localPause measures for how long this process did not run: the machine is busy, it was
// suspended, or the process was stopped. A deadline that passed meanwhile shows nothing of
// the cluster.
type localPause struct {
	every time.Duration // between two wake-ups
	end   chan struct{}
	ended chan struct{}

	mu   sync.Mutex
	last time.Time     // of the newest wake-up
	late time.Duration // by how much the wake-ups came too late, in sum
}

// wakeUpEvery is the time between two wake-ups. Pauses that are a little longer are not
// seen.
const wakeUpEvery = 50 * time.Millisecond

// watchLocalPause measures until stop is called, with so much time between two wake-ups.
func watchLocalPause(every time.Duration) *localPause {
	p := &localPause{every: every, end: make(chan struct{}), ended: make(chan struct{}), last: time.Now()}
	go p.run()
	return p
}

func (p *localPause) run() {
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

func (p *localPause) stop() {
	close(p.end)
	<-p.ended
}

func (p *localPause) wakeUp(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late += p.lateBy(now)
	p.last = now
}

func (p *localPause) lateBy(now time.Time) time.Duration {
	return max(now.Sub(p.last)-p.every, 0)
}

// total returns how long the process did not run until now.
func (p *localPause) total(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late + p.lateBy(now)
}

// pauseSpan is a time over which the pauses are counted.
type pauseSpan struct {
	pause *localPause
	began time.Time
	late  time.Duration
}

// span begins one.
func (p *localPause) span(now time.Time) pauseSpan {
	return pauseSpan{pause: p, began: now, late: p.total(now)}
}

// mostly says whether the process did not run for half of the time or more.
func (s pauseSpan) mostly(now time.Time) bool {
	return 2*(s.pause.total(now)-s.late) >= now.Sub(s.began)
}

// readsWhilePaused is how many times an observation reads a cluster whose deadline passed
// while this process mostly did not run.
const readsWhilePaused = 4

// errLocalPause is why a view is unknown after that.
var errLocalPause = errors.New("the deadline passed while this process had no processor time (hint: the machine is overloaded, or was suspended)")
