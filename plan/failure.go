package plan

import (
	"slices"
	"time"
)

// failureBegan is when the old primary was first seen to fail: by the rounds of this
// process, by those of a daemon that recorded theirs and that these join, or by the
// intent that is carried on. What was seen before it last lived does not count.
func (s situation) failureBegan(old, candidate string) time.Time {
	began := s.m.Now
	if v := s.view(old); !v.At.IsZero() {
		began = v.At
	}
	record, _ := s.m.progress(candidate)
	if at, ok := s.evidence(old, candidate).FirstFailure(record, s.m.Now); ok {
		began = at
	}
	if i := s.intent; i != nil && s.repeats(*i, candidate) && i.FailedAt.Before(began) && !s.livedSince(i.FailedAt, record, candidate) {
		began = i.FailedAt
	}
	return began
}

// repeats says whether the failover to a cluster carries on an intent that knows
// when the failure began.
func (s situation) repeats(i Intent, candidate string) bool {
	target, promotes := i.PromotionTarget()
	return promotes && target == candidate && !i.FailedAt.IsZero() && s.begunBy(i) && (i.MayHaveSent || i.Effected)
}

// livedSince says whether the source of a standby is known to have lived after a
// time: a sweep saw it up, or something that it wrote later was replicated.
func (s situation) livedSince(at time.Time, record ProgressRecord, candidate string) bool {
	return record.At.After(at) || newestTick(s.candidateProgress(candidate)).After(at)
}

// joinedWithin is how long after the last round that a daemon recorded those of
// another process may begin and still go on with them: two of its sweeps.
const joinedWithin = time.Minute

// FirstFailure is when the old primary was first seen to fail in the run of rounds
// that goes on now. Rounds that an earlier process recorded beside the progress of
// the candidate are part of it if these join them, and none of these saw a sign of
// life.
func (e Evidence) FirstFailure(record ProgressRecord, now time.Time) (time.Time, bool) {
	j := JudgeLoss(e, Failover{}, now)
	at, failing := j.FirstFailed()
	if !failing {
		return time.Time{}, false
	}
	since, until := record.FailingSince, record.FailingUntil
	lived := j.Restarts > 0 || slices.ContainsFunc(e.Rounds, func(r Round) bool { return r.Lives() && r.At.After(since) })
	if record.Source == e.Primary && !since.IsZero() && since.Before(at) && !lived && at.Sub(until) <= joinedWithin {
		return since, true
	}
	return at, true
}

// evidence are the rounds recorded for one old primary and candidate.
func (s situation) evidence(old, candidate string) Evidence {
	for _, e := range s.o.Evidence {
		if e.Topology == s.t.Name && e.Primary == old && e.Candidate == candidate {
			return e
		}
	}
	return Evidence{Topology: s.t.Name, Primary: old, Candidate: candidate}
}
