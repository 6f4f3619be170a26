package plan

import (
	"slices"
	"time"
)

// Round is one probe of an old primary together with one of its candidate, made at the
// same time, with the candidate's progress (contract.md §8.3).
type Round struct {
	At    time.Time     // start, wall clock
	Took  time.Duration // by monotonic clock
	Limit time.Duration // the sum of the deadlines it could use
	Reach Reach         // of the old primary
	Class ErrorClass
	Error string
	// CandidateAnswered: the cluster to promote answered in the same round. A round in
	// which it did not answer proves nothing: our own network may be down.
	CandidateAnswered bool
	// Brief: the old primary did not answer within a part of its deadline, and the round
	// did not wait longer; or overlapping probes of it are unanswered, one of them since
	// At. Such a round counts only as the last of a series of rounds in which the old primary
	// let every deadline pass.
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

// WatchWants returns the rounds of evidence that should be made for a plan, so that
// they are ready when a failover needs them. For a failover: each cluster that
// must be judged lost, with the one that it promotes. Without a transition and while the
// primary does not answer: the primary, with each standby that may be promoted. A
// primary that may not be called gets none. nil: none.
func WatchWants(t Topology, floors Failover, p TopologyPlan) []Want {
	if p.Transition == TransitionFailover && p.OldPrimary != "" && p.Changes() {
		out := []Want{wantFor(t, floors, p.OldPrimary, p.Primary)}
		for _, c := range p.AlsoJudged {
			out = append(out, wantFor(t, floors, c, p.Primary))
		}
		return out
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
// evidence stays small when it is made for days. Since keeps the time when the current
// run began.
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

// effectiveRules are the rules for a failover: the stricter of the previous document and
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

// The cadence of probes.
const (
	fastestProbe = 200 * time.Millisecond
	slowestProbe = 5 * time.Second
)

// The samples of an old primary between the rounds.
const (
	samplesInSpan = 60
	fastestSample = 50 * time.Millisecond
	slowestSample = 500 * time.Millisecond
)

// SampleEvery is how often the old primary is asked between the rounds, each time at a
// random moment: 2 to 20 times a second, as a rule 60 times within the span. Otherwise
// a link that fails in step with the rounds would hide a primary that is alive. Zero:
// the rules ask for no time, so nothing is sampled.
func (w Want) SampleEvery() time.Duration {
	if w.Span <= 0 {
		return 0
	}
	return min(max(w.Span/samplesInSpan, fastestSample), slowestSample)
}

// Pause is how long to wait until the next round: an interval from the beginning of
// the newest round, or less if the current run then spans what the rules ask for. So
// the judgement is not an interval late because a round began a millisecond early.
func (w Want) Pause(e Evidence, began, now time.Time) time.Duration {
	out := max(0, began.Add(w.Interval).Sub(now))
	j := JudgeLoss(e, Failover{UnavailableFor: w.Span, Probes: w.Probes}, now)
	if len(j.Run) == 0 || j.Missing == 0 || j.Probes > 1 {
		return out
	}
	enough := j.Run[0].At.Add(w.Span)
	if !enough.After(e.Rounds[len(e.Rounds)-1].At) {
		return out // the newest round came when the span was over, and did not count
	}
	return min(out, max(enough.Sub(now), shortestPause))
}

// shortestPause is the least pause before a round that completes the span.
const shortestPause = time.Millisecond

// probeCadence is how often rounds start so that both rules, span and number, can be
// met: between 0.2 and 5 s.
func probeCadence(rules Failover) time.Duration {
	gaps := max(rules.Probes-1, 1)
	return min(max(rules.UnavailableFor/time.Duration(gaps), fastestProbe), slowestProbe)
}

// keepNewest records the newest known progress of each channel, by channel. A round in
// which a channel could not be read must not hide that the channel moved meanwhile.
func keepNewest(seen map[string]ChannelProgress, progress []ChannelProgress) {
	for _, p := range progress {
		if p.Known {
			seen[p.Channel] = p
		}
	}
}

// movedSince lists the channels whose checkpoint is not where it was last seen, sorted
// by channel.
func movedSince(seen map[string]ChannelProgress, now []ChannelProgress) []ChannelMotion {
	var out []ChannelMotion
	for _, p := range now {
		before, ok := seen[p.Channel]
		if p.Known && ok && (p.TimeTick != before.TimeTick || p.MessageID != before.MessageID) {
			out = append(out, ChannelMotion{Channel: p.Channel, From: before.TimeTick, To: p.TimeTick})
		}
	}
	slices.SortFunc(out, func(a, b ChannelMotion) int { return compareStrings(a.Channel, b.Channel) })
	return out
}

// mergeMotion extends earlier movement by later movement: from the first tick seen to
// the last.
func mergeMotion(earlier, later []ChannelMotion) []ChannelMotion {
	out := slices.Clone(earlier)
	for _, m := range later {
		i := slices.IndexFunc(out, func(o ChannelMotion) bool { return o.Channel == m.Channel })
		if i < 0 {
			out = append(out, m)
			continue
		}
		out[i].To = m.To
	}
	slices.SortFunc(out, func(a, b ChannelMotion) int { return compareStrings(a.Channel, b.Channel) })
	return out
}

// evidence are the rounds recorded for one old primary and candidate.
func (s situation) evidence(old, candidate string) Evidence {
	return roundsAbout(s.observed.Evidence, s.topology.Name, old, candidate)
}

// roundsAbout returns the rounds about one old primary and candidate.
func roundsAbout(all []Evidence, topology, primary, candidate string) Evidence {
	for _, e := range all {
		if e.Topology == topology && e.Primary == primary && e.Candidate == candidate {
			return e
		}
	}
	return Evidence{Topology: topology, Primary: primary, Candidate: candidate}
}
