package plan

import "time"

// Round is one probe of an old primary together with its candidate, made at
// the same time, with the candidate's progress (contract.md §8).
type Round struct {
	At    time.Time     // start, wall clock
	Took  time.Duration // by monotonic clock
	Limit time.Duration // the sum of the deadlines it could use
	Reach Reach         // of the old primary
	Class ErrorClass
	Error string
	// CandidateAnswered: the cluster to promote answered in the same round. A
	// round in which it did not says nothing: our own network may be gone.
	CandidateAnswered bool
	// Brief: the old primary did not answer within a part of its deadline, and no more
	// was waited for; or overlapping probes of it are unanswered, one of them since At. It
	// counts as the end of a run in which it let every deadline pass.
	Brief    bool
	Progress []ChannelProgress // of the candidate
}

// Evidence is what the rounds of one failover candidate saw.
type Evidence struct {
	Topology  string
	Primary   string // the old primary that was probed
	Candidate string
	Interval  time.Duration
	Rounds    []Round // oldest first
	// Since is when the run that the oldest round belongs to began, if rounds
	// before it were dropped; zero: none were.
	Since time.Time
}

// Want asks for rounds of evidence that a plan lacks.
type Want struct {
	Topology  string
	Primary   string
	Candidate string
	Span      time.Duration // from the first counted round to the last
	Probes    int
	Interval  time.Duration
	Brief     bool // the round may be brief: the old primary hangs (Evidence.Hangs)
}

// Hangs says whether the old primary let its deadline pass in every round of the run
// that goes on. What serves again answers sooner than that: to see it, nobody needs to
// wait for a whole deadline once more.
func (e Evidence) Hangs(now time.Time) bool { return hung(JudgeLoss(e, Failover{}, now).Run) }

// hung says whether every round of a run ended in a timeout, at least two of them at
// the full deadlines.
func hung(run []Round) bool {
	full := 0
	for _, r := range run {
		if r.Class != ClassTimeout {
			return false
		}
		if !r.Brief {
			full++
		}
	}
	return full > 1
}
