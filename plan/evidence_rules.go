package plan

import "time"

// Round is one probe of an old primary together with one of its candidate, made at the
// same time, with the candidate's progress (contract.md §8).
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

// Evidence is what the rounds about one old primary and one candidate saw.
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

// Want asks for rounds of evidence that a plan lacks. The adapter makes them; the plan
// is then computed again.
type Want struct {
	Topology  string
	Primary   string
	Candidate string
	Span      time.Duration // from the first counted round to the last
	Probes    int
	Interval  time.Duration
	Brief     bool // the round may be brief: the old primary hangs (Evidence.Hangs)
}

// Hangs says whether the old primary let the deadline pass in every round of the run
// that goes on. A primary that serves again answers sooner than that, so a brief round
// is enough to see it.
func (e Evidence) Hangs(now time.Time) bool { return allTimedOut(JudgeLoss(e, Failover{}, now).Run) }

// allTimedOut says whether every round of a run ended in a timeout, at least two of
// them after the full deadline.
func allTimedOut(run []Round) bool {
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

// WatchWants are the rounds of evidence that are worth making while a plan is as it is,
// so that they are there when a failover asks for them. For a failover: the cluster
// that it replaces, with the one that it promotes. Without a transition and while the
// primary does not answer: the primary, with each standby that may be promoted. A
// primary that may not be called gets none. nil: none.
func WatchWants(t Topology, floors Failover, p TopologyPlan) []Want {
	if p.Transition == TransitionFailover && p.OldPrimary != "" && p.Changes() {
		return []Want{wantFor(t, floors, p.OldPrimary, p.Primary)}
	}
	primary, ok := t.Primary()
	if !ok || p.Transition != TransitionNone {
		return nil
	}
	for _, c := range p.Clusters {
		if c.ID == primary.ID && (c.View.Reach == ReachUp || c.View.Class == ClassNotCalled || c.View.IdentityConflict != "") {
			return nil
		}
	}
	var out []Want
	for _, c := range t.withRole(RoleStandby) {
		if c.Promotable {
			out = append(out, wantFor(t, floors, primary.ID, c.ID))
		}
	}
	return out
}

// wantFor asks for the rounds that the rules of the topology need about one old primary
// and candidate.
func wantFor(t Topology, floors Failover, old, candidate string) Want {
	rules := effectiveRules(t, floors)
	return Want{
		Topology: t.Name, Primary: old, Candidate: candidate,
		Span: rules.UnavailableFor, Probes: max(rules.Probes, 1), Interval: probeCadence(rules),
	}
}

// Trim drops rounds that no judgement under these rules needs any more, so that
// evidence stays small when it is made for days. When the run that goes on began is
// kept in Since.
func (e Evidence) Trim(w Want) Evidence {
	n := len(e.Rounds)
	if n == 0 {
		return e
	}
	keep := max(keptSpans*w.Span, keptRounds*w.Interval)
	cut := 0
	for cut < n-keptRounds && e.Rounds[n-1].At.Sub(e.Rounds[cut].At) > keep {
		cut++
	}
	if cut == 0 {
		return e
	}
	began, failing := JudgeLoss(e, Failover{}, e.Rounds[n-1].At).firstFailed()
	e.Rounds, e.Since = append([]Round(nil), e.Rounds[cut:]...), time.Time{}
	if failing && began.Before(e.Rounds[0].At) {
		e.Since = began
	}
	return e
}

// What Trim keeps: more than any judgement spans.
const (
	keptSpans  = 3
	keptRounds = 64
)

// effectiveRules are the rules for a failover: the stricter of the document before and
// the new one, and never below the operator's floors. It does not matter whether this
// change alters a role: a failover that still waits must not be loosened by the commit
// that follows it.
func effectiveRules(t Topology, floors Failover) Failover {
	r := withDefaultVerify(t.Failover)
	if t.Previous != nil {
		r = stricter(r, withDefaultVerify(t.Previous.Failover))
	}
	return stricter(r, floors)
}

// VerifyLevel is how a promotion of this topology is proven, the operator's
// floors included.
func (t Topology) VerifyLevel(floors Failover) VerifyLevel { return effectiveRules(t, floors).Verify }

// withDefaultVerify fills in the level of verification where the document gives none.
func withDefaultVerify(r Failover) Failover {
	if r.Verify == VerifyUnsaid {
		r.Verify = VerifyDDL
	}
	return r
}

// stricter takes the stricter value of each rule.
func stricter(a, b Failover) Failover {
	return Failover{
		UnavailableFor: max(a.UnavailableFor, b.UnavailableFor),
		Probes:         max(a.Probes, b.Probes),
		BlockPeriod:    max(a.BlockPeriod, b.BlockPeriod),
		Verify:         stricterVerify(a.Verify, b.Verify),
	}
}

// stricterVerify takes the level that proves more.
func stricterVerify(a, b VerifyLevel) VerifyLevel {
	rank := map[VerifyLevel]int{VerifyUnsaid: 0, VerifyRole: 1, VerifyDDL: 2, VerifyDML: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
