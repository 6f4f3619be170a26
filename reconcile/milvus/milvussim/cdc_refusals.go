package milvussim

import (
	"errors"
	"time"
)

// retryInterval is how long a CDC task waits after a refusal. The back-off of a source
// restarts with each stream that opens, so it does not grow
// (cdc-stream, milvus.md §5).
const retryInterval = 100 * time.Millisecond

// refusals counts how often a target has refused the message that a task has to
// deliver next. Nothing but a change of the World can turn a refusal into a
// success, and each such change has the task try for real; so the tries between
// two changes are computed from the clock, and cost a World nothing.
type refusals struct {
	tries  int64
	since  time.Time // of the latest real try; zero while the task is not trying
	reason string
}

// note records a real try that failed. A target that lets the message wait has
// not refused it (milvus.md §1.5).
func (r *refusals) note(err error, now time.Time) {
	if errors.Is(err, errWaiting) {
		r.pause(now)
		return
	}
	r.tries, r.since, r.reason = r.at(now)+1, now, err.Error()
}

// pause ends the tries for as long as no stream opens.
func (r *refusals) pause(now time.Time) { r.tries, r.since = r.at(now), time.Time{} }

// at is the number of tries that have failed by now.
func (r refusals) at(now time.Time) int64 {
	if r.since.IsZero() {
		return r.tries
	}
	return r.tries + int64(now.Sub(r.since)/retryInterval)
}

// addRefusals tells a link how often its tasks have been refused since they last
// got through, and what the first of them was told.
func (c *cluster) addRefusals(known map[link]linkState) {
	for _, ch := range c.channels {
		for _, t := range ch.tasks {
			n := t.refused.at(c.now())
			if n == 0 {
				continue
			}
			l := link{c.id, t.targetID}
			s := known[l]
			if s.refused == 0 {
				s.reason = t.refused.reason
			}
			s.refused += n
			known[l] = s
		}
	}
}
