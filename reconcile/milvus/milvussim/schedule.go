package milvussim

import (
	"container/heap"
	"time"
)

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
