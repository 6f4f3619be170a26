package daemon

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// faults tells of what fails for a while: once when it begins, once when it is over, and
// in between seldom. A fault may be met in several places (holders), as a ledger that the
// passes of a thousand topologies read; it is over when none of them meets it any more.
type faults struct {
	clock Clock
	emit  func(Event)

	mu    sync.Mutex
	open  map[string]*fault
	ended map[string]time.Time // when a fault of this key was over last
}

// fault is one that goes on.
type fault struct {
	began   time.Time
	event   Event             // as it was told last
	holders map[string]string // the cause that each holder met last
	causes  []string          // that were told
	met     int
	again   time.Time // when it is told again
}

const (
	// The first reminder of a fault comes soon, and the later ones seldom.
	remindFirst = 10 * time.Minute
	remindLater = time.Hour
	// mostCauses is how many causes of one fault are told.
	mostCauses = 5
)

// meets notes that a holder met a fault. cause tells apart why. e tells of it.
func (f *faults) meets(key, holder, cause string, e Event) {
	f.meetsSince(f.clock.Now(), key, holder, cause, e)
}

// meetsSince is meets for what the holder began at a time and has failed only now. If a
// fault of the same key was over in between, what was begun before it is no new one.
func (f *faults) meetsSince(began time.Time, key, holder, cause string, e Event) {
	f.mu.Lock()
	late := f.open[key] == nil && began.Before(f.ended[key])
	f.mu.Unlock()
	if late {
		return
	}
	if told, ok := f.note(key, holder, cause, e); ok {
		f.emit(told)
	}
}

// note notes a fault, and returns what is to be told now.
func (f *faults) note(key, holder, cause string, e Event) (Event, bool) {
	cause = withoutDigits(cause)
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.open[key]
	if old == nil {
		if f.open == nil {
			f.open = map[string]*fault{}
		}
		f.open[key] = &fault{
			began: now, event: e, holders: map[string]string{holder: cause}, causes: []string{cause}, met: 1, again: now.Add(remindFirst),
		}
		return e, true
	}
	before, known := old.holders[holder]
	old.holders[holder] = cause
	old.met++
	switch {
	case known && before != cause && !slices.Contains(old.causes, cause) && len(old.causes) < mostCauses:
		old.causes, old.event = append(old.causes, cause), e
		return e, true
	case !known && strings.HasPrefix(key, tokenPrefix) && now.Sub(old.began) > remindFirst:
		return e, true // what begins so much later is another cause
	case !now.Before(old.again):
		old.again = now.Add(remindLater)
		e.Text = "still, for " + plan.DurationText(now.Sub(old.began)) + " and " + timesText(old.met) + ": " + e.Text
		return e, true
	default:
		return Event{}, false
	}
}

// endFor notes that a holder does not meet a fault any more. It tells e when it was the last,
// with how long the fault lasted.
func (f *faults) endFor(key, holder string, e Event) {
	f.mu.Lock()
	old := f.open[key]
	if old == nil {
		f.mu.Unlock()
		return
	}
	_, known := old.holders[holder]
	delete(old.holders, holder)
	last := known && len(old.holders) == 0
	if last {
		delete(f.open, key)
		if f.ended == nil {
			f.ended = map[string]time.Time{}
		}
		f.ended[key] = f.clock.Now()
	}
	f.mu.Unlock()
	if last {
		e.Text += ", after " + plan.DurationText(f.clock.Now().Sub(old.began)) + " and " + timesText(old.met)
		f.emit(e)
	}
}

// leave drops a holder of one fault, without a word.
func (f *faults) leave(key, holder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.open[key]; old != nil {
		if delete(old.holders, holder); len(old.holders) == 0 {
			delete(f.open, key)
		}
	}
}

// forget drops a holder and what it holds for its parts, without a word.
func (f *faults) forget(holder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, old := range f.open {
		maps.DeleteFunc(old.holders, func(h, _ string) bool { return h == holder || strings.HasPrefix(h, holder+"/") })
		if len(old.holders) == 0 {
			delete(f.open, key)
		}
	}
}

func timesText(n int) string {
	if n == 1 {
		return "1 try"
	}
	return strconv.Itoa(n) + " tries"
}

// withoutDigits makes causes alike that differ in a port, a time or a count only.
func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}
