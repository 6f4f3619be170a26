// Package freeze decides which freezes of the operator's configuration are in force at a
// moment. It reads no clock and no file.
package freeze

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// Entry is one entry of freeze in the operator's configuration: a span of time, or one that
// begins again and again.
type Entry struct {
	Name   string            // what people call it; empty: Text
	From   time.Time         // of a single span
	To     time.Time         // its first moment after
	Cron   *Schedule         // when spans begin; nil: From and To
	Length time.Duration     // of a span of Cron
	Passes []plan.Transition // what it does not hold back
}

// span is a part of time. until is the first moment after it; zero: no end is known.
type span struct{ from, until time.Time }

// Text says when the entry is in force.
func (e Entry) Text() string {
	if e.Cron == nil {
		return e.From.UTC().Format(time.RFC3339) + " to " + e.To.UTC().Format(time.RFC3339)
	}
	length := e.Length.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(length, zero) {
			length = length[:len(length)-2]
		}
	}
	return e.Cron.String() + " for " + length
}

// spans returns the spans that begin up to last and end after first, in the order in which
// they begin. Those that touch are one. ok is false if there are too many to tell.
func (e Entry) spans(first, last time.Time) (out []span, ok bool) {
	if e.Cron == nil {
		if e.From.After(last) || !e.To.After(first) {
			return nil, true
		}
		return []span{{e.From, e.To}}, true
	}
	starts, ok := e.Cron.starts(first.Add(-e.Length), last)
	for _, s := range starts {
		until := s.Add(e.Length)
		switch n := len(out); {
		case !until.After(first):
		case n > 0 && !s.After(out[n-1].until):
			out[n-1].until = until
		default:
			out = append(out, span{s, until})
		}
	}
	return out, ok
}

// Entries are all of freeze. None holds nothing back.
type Entries []Entry

// firstLook and farthestLook are how far At looks ahead for freezes that go on from those in
// force. It looks again, twice as far each time.
const (
	firstLook    = time.Hour
	farthestLook = 2 * 366 * 24 * time.Hour
)

// Ahead returns the freezes of At, and those that begin within plan.LongestRehearsal: a rehearsal
// must be over before them.
func (all Entries) Ahead(now time.Time) []plan.Freeze {
	found := all.At(now)
	for _, f := range all.begunBy(now, now.Add(plan.LongestRehearsal)) {
		same := func(o plan.Freeze) bool { return o.Name == f.Name && o.From.Equal(f.From) }
		if f.From.After(now) && !slices.ContainsFunc(found, same) {
			found = append(found, f)
		}
	}
	return found
}

// At returns the freezes that are in force at a moment, and those that begin before these have
// ended. If there is no end within about two years, none has one.
func (all Entries) At(now time.Time) []plan.Freeze {
	for ahead := firstLook; ; ahead *= 2 {
		found, end := linked(now, all.begunBy(now, now.Add(ahead)))
		if end.Before(now.Add(ahead)) { // also the zero time: no end is known
			return found
		}
		if ahead > farthestLook {
			for i := range found {
				found[i].Until = time.Time{}
			}
			return found
		}
	}
}

// Evaluator returns Ahead, which computes again only when something may begin or end: a daemon
// asks for each of many topologies. It may be called by several goroutines.
func (all Entries) Evaluator() func(now time.Time) []plan.Freeze {
	var mu sync.Mutex
	var found []plan.Freeze
	var from, until time.Time // found holds for the time between them
	return func(now time.Time) []plan.Freeze {
		mu.Lock()
		defer mu.Unlock()
		if now.Before(from) || !now.Before(until) {
			found, from = all.Ahead(now), now
			until = all.unchangedUntil(now, found)
		}
		return slices.Clone(found)
	}
}

// unchangedUntil returns a moment before which nothing begins or ends that does not at another
// one: a cron expression comes at full minutes only.
func (all Entries) unchangedUntil(now time.Time, found []plan.Freeze) time.Time {
	until := now.Truncate(time.Minute).Add(time.Minute)
	edge := func(at time.Time) {
		if at.After(now) && at.Before(until) {
			until = at
		}
	}
	for _, e := range all {
		edge(e.From)
		edge(e.To)
	}
	for _, f := range found {
		edge(f.Until)
	}
	return until
}

// begunBy returns the freezes that begin up to last and are not over at now.
func (all Entries) begunBy(now, last time.Time) []plan.Freeze {
	var out []plan.Freeze
	for _, e := range all {
		spans, ok := e.spans(now, last)
		if !ok {
			spans = []span{{from: now}}
		}
		for _, s := range spans {
			out = append(out, e.freeze(s))
		}
	}
	return out
}

// freeze is one span of an entry.
func (e Entry) freeze(s span) plan.Freeze {
	return plan.Freeze{Name: cmp.Or(e.Name, e.Text()), From: s.from, Until: s.until, Passes: slices.Clone(e.Passes)}
}

// linked returns the freezes that are in force at a moment or go on from them, and when the
// last of them ends; the zero time: that is not known.
func linked(now time.Time, found []plan.Freeze) (out []plan.Freeze, end time.Time) {
	slices.SortStableFunc(found, func(a, b plan.Freeze) int { return a.From.Compare(b.From) })
	end = now
	for _, f := range found {
		if f.From.After(end) {
			break
		}
		if out = append(out, f); f.Until.IsZero() {
			return out, f.Until
		}
		if f.Until.After(end) {
			end = f.Until
		}
	}
	return out, end
}

// Endless says whether the spans of an entry go on into each other for ever. Of one that
// begins more often than can be followed it is not said.
func (e Entry) Endless() bool {
	return e.Cron != nil && !e.Cron.everPauses(e.Length)
}

// Next returns the first freeze that begins after a moment. ok is false if none does within
// the years that are looked through.
func (all Entries) Next(after time.Time) (next plan.Freeze, ok bool) {
	for _, e := range all {
		s := span{e.From, e.To}
		if e.Cron != nil {
			s.from = e.Cron.next(after)
			s.until = s.from.Add(e.Length)
		}
		if s.from.After(after) && (!ok || s.from.Before(next.From)) {
			next, ok = e.freeze(s), true
		}
	}
	return next, ok
}
