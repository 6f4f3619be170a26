package plan

import "time"

// Round is one probe of an old primary together with its candidate, made at
// the same time, with the candidate's progress (contract section 8).
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
	Progress          []ChannelProgress // of the candidate
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
}
