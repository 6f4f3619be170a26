package plan

import (
	"slices"
	"time"
)

// Outage records that a primary was seen down: from its first failed probe to the last.
// It only bounds the loss of a failover; it never makes a primary count as lost.
type Outage struct {
	Cluster  string // the primary; empty: it was not seen down
	Topology string
	Since    time.Time // the first failed probe
	Until    time.Time // the last failed probe
	SeenUp   time.Time // when it last answered before Since; zero: nobody looked before
	// LivedAt is the newest sign of its life: SeenUp, or the time of a write that a
	// standby has.
	LivedAt time.Time
	// Unwatched is the time since Since in which nobody probed it, in pauses longer
	// than sameOutageWithin.
	Unwatched time.Duration
}

// sameOutageWithin is how long after the last failed probe of a primary the next failed
// one belongs to the same outage without more ado: the time that people need to propose
// and approve a failover.
const sameOutageWithin = 15 * time.Minute

// Then returns a recorded outage after later probes. The outage goes on, unless the
// primary was alive after it began: then the later outage is a new one.
func (o Outage) Then(later Outage) Outage {
	if o.Cluster != later.Cluster || o.Since.IsZero() || o.EndedBy(later) {
		return later
	}
	if pause := later.Since.Sub(o.Until); pause > sameOutageWithin {
		o.Unwatched += pause
	}
	if later.Since.Before(o.Since) {
		o.Since = later.Since
	}
	o.Until, o.SeenUp, o.LivedAt = latest(o.Until, later.Until), latest(o.SeenUp, later.SeenUp), latest(o.LivedAt, later.LivedAt)
	return o
}

// outage returns what is recorded of a primary that was seen down.
func (m Memory) outage(cluster string) (Outage, bool) {
	i := slices.IndexFunc(m.Outages, func(o Outage) bool { return o.Cluster == cluster })
	if i < 0 {
		return Outage{}, false
	}
	return m.Outages[i], true
}

// outageOf says when the old primary of a failover to candidate was first seen down: by
// this process, by an earlier one that recorded it, or by the intent that is resumed. If
// its failure was not seen, Cluster is empty, and Since is the time of its view.
func (s situation) outageOf(old, candidate string) Outage {
	o := s.ownOutage(old, s.evidence(old, candidate))
	o.LivedAt = latest(o.LivedAt, newestTick(s.candidateProgress(candidate)))
	if i := s.intent; i != nil && s.resumesFailover(*i, candidate) {
		o = Outage{Cluster: o.Cluster, Topology: o.Topology, Since: i.FailedAt, Until: o.Since}.Then(o)
	}
	if recorded, ok := s.memory.outage(old); ok {
		o = recorded.Then(o)
	}
	return o
}

// ownOutage is what the rounds of this process, and its view, show of a primary.
func (s situation) ownOutage(primary string, e Evidence) Outage {
	v := s.view(primary)
	o := Outage{Topology: s.topology.Name, Since: s.memory.Now}
	if !v.At.IsZero() {
		o.Since = v.At
	}
	for _, r := range s.memory.Progress {
		if r.Source == primary {
			o.SeenUp = latest(o.SeenUp, r.At)
		}
	}
	for _, r := range e.Rounds {
		if r.Lives() {
			o.SeenUp = latest(o.SeenUp, r.At)
		}
	}
	o.LivedAt = o.SeenUp
	j := JudgeLoss(e, Failover{}, s.memory.Now)
	seen := Round{Reach: v.Reach, Class: v.Class}
	if at, failing := j.firstFailed(); failing {
		o.Cluster, o.Since, o.Until = primary, at, j.Run[len(j.Run)-1].At
		if j.Restarts > 0 {
			o.LivedAt = latest(o.LivedAt, at) // a checkpoint moved in the round that began the run
		}
	} else if countsAsFailure(seen) && !o.LivedAt.After(o.Since) {
		o.Cluster, o.Until = primary, o.Since
	}
	return o
}

// latest is the later of two times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// WithOutages returns the memory after outages were seen, as the ledger keeps them, without
// those of the clusters in over.
func (m Memory) WithOutages(seen []Outage, over []string) Memory {
	kept := slices.DeleteFunc(slices.Clone(m.Outages), func(o Outage) bool { return slices.Contains(over, o.Cluster) })
	for _, o := range seen {
		i := slices.IndexFunc(kept, func(k Outage) bool { return k.Cluster == o.Cluster })
		if i < 0 {
			kept = append(kept, o)
			continue
		}
		kept[i] = kept[i].Then(o)
	}
	m.Outages = kept
	return m
}

// resumesFailover says whether the failover to candidate resumes an intent that
// recorded when the failure began.
func (s situation) resumesFailover(i Intent, candidate string) bool {
	target, promotes := i.PromotionTarget()
	return promotes && target == candidate && !i.FailedAt.IsZero() && s.begunBy(i) && (i.MayHaveSent || i.Effected)
}

// Outages says what a pass learnt of the primary of a topology. seen is the outage that
// it saw; the ledger joins it with what is recorded. over names recorded outages that
// ended: the primary answers again, or Git's primary is another one that serves. A probe
// that fails counts only if a standby of that primary answers: else our own network may
// be gone.
func Outages(t TopologyPlan, rounds []Evidence, m Memory) (seen []Outage, over []string) {
	s := situation{topology: Topology{Name: t.Name}, memory: m}
	for _, c := range t.Clusters {
		s.views = append(s.views, c.View)
	}
	for _, o := range m.Outages {
		if o.Topology == t.Name && (s.view(o.Cluster).Reach == ReachUp || t.Matches && o.Cluster != t.Primary) {
			over = append(over, o.Cluster)
		}
	}
	primary := wordOr(t.OldPrimary, t.Primary)
	for _, c := range t.Clusters {
		if c.View.Reach != ReachUp || c.View.Belief.Source != primary {
			continue
		}
		o := s.ownOutage(primary, roundsAbout(rounds, t.Name, primary, c.ID))
		o.LivedAt = latest(o.LivedAt, newestTick(c.View.Progress))
		if o.Cluster != "" && s.view(primary).Reach != ReachUp {
			seen = append(seen, o)
		}
	}
	return oneOutage(seen), over
}

// oneOutage makes one outage of what the rounds with each standby show of their primary:
// it began with the first failed probe after the newest sign of life.
func oneOutage(seen []Outage) []Outage {
	if len(seen) == 0 {
		return nil
	}
	slices.SortFunc(seen, func(a, b Outage) int { return a.Since.Compare(b.Since) })
	out := seen[len(seen)-1]
	for _, o := range seen {
		out.Until, out.SeenUp, out.LivedAt = latest(out.Until, o.Until), latest(out.SeenUp, o.SeenUp), latest(out.LivedAt, o.LivedAt)
	}
	for _, o := range slices.Backward(seen) {
		if !out.LivedAt.After(o.Since) {
			out.Since = o.Since
		}
	}
	return []Outage{out}
}

// PrimaryOutage is the outage of a primary in force, as this plan and earlier processes
// saw it.
type PrimaryOutage struct {
	Outage
	ProbedAt time.Time // when an earlier process last probed it in vain; zero: none did
	HeldBy   string    // who else holds the lock of the topology; empty: nobody
	HeldFrom time.Time // since when; zero: not known
}

// seenDown says whether a cluster was seen not to serve. Not knowing it is no outage.
func (s situation) seenDown(cluster string) bool {
	v := s.view(cluster)
	return v.Reach != ReachUnknown && countsAsFailure(Round{Reach: v.Reach, Class: v.Class})
}

// primaryOutage is what is known of the primary in force; nil while it answers, or where it
// is not known whether it does. A probe that fails counts as in [Outages].
func (s situation) primaryOutage(t TopologyPlan) *PrimaryOutage {
	primary := wordOr(t.OldPrimary, t.Primary)
	if s.offline || primary == "" || !s.seenDown(primary) {
		return nil
	}
	var seen []Outage
	for _, c := range t.Clusters {
		if c.View.Reach == ReachUp && c.View.Belief.Source == primary {
			if o := s.outageOf(primary, c.ID); o.Cluster != "" {
				seen = append(seen, o)
			}
		}
	}
	recorded, known := s.memory.outage(primary)
	if len(seen) == 0 && known {
		seen = []Outage{recorded}
	}
	one := oneOutage(seen)
	if len(one) == 0 {
		return nil
	}
	holder, _ := s.memory.heldBy(t.Name)
	return &PrimaryOutage{Outage: one[0], ProbedAt: recorded.Until, HeldBy: holder.By, HeldFrom: holder.Since}
}

// SilenceText says of a primary that it does not answer from a moment on, in the story of a
// topology.
func SilenceText(cluster string) string { return cluster + " was silent from here on" }

// LossState is what the rounds of evidence say about an old primary. The zero value is
// LossNotProbed: without evidence nothing is judged lost.
type LossState string

// The states. None of them says "dead": they say what was seen from here.
const (
	LossNotProbed        LossState = ""
	LossUnavailable      LossState = "unavailable"       // every probe of the run failed with refused, timeout or unavailable
	LossNotServing       LossState = "not_serving"       // the transport answers, the coordinator does not
	LossStateUnknown     LossState = "state_unknown"     // name resolution or TLS failed: it may still take writes
	LossReachable        LossState = "reachable"         // the last round saw it up
	LossStillReplicating LossState = "still_replicating" // the candidate's checkpoint kept moving
)

// Judgement is the conclusion of JudgeLoss from rounds of evidence, with its reasons.
type Judgement struct {
	State    LossState
	Run      []Round // the rounds of the current run, oldest first
	Restarts int     // how often movement started the run again
	Moved    []ChannelMotion
	Missing  time.Duration // how much longer the run must span
	Probes   int           // how many more rounds must count

	began time.Time // of the run, if its first rounds were dropped
}

// firstFailed is when the run that goes on began; ok is false without one.
func (j Judgement) firstFailed() (time.Time, bool) {
	if len(j.Run) == 0 {
		return time.Time{}, false
	}
	if !j.began.IsZero() {
		return j.began, true
	}
	return j.Run[0].At, true
}

// movementRestarts is how many movements of the candidate's checkpoint during the
// probes prove that the primary lives. One message in flight is no sign of life; a
// second movement is.
const movementRestarts = 2

// JudgeLoss reads recorded rounds by the rules of contract.md §8.3. now is the present
// time: rounds that ended too long before it say nothing.
//
// A round counts only if the old primary did not answer, the candidate did, and the
// round took no longer than its deadlines. Counted rounds form a run. A run starts
// again after a round that the old primary answered, after a movement of the
// candidate's checkpoint, and after a gap of two intervals; an answer also forgets
// earlier movement. Brief rounds extend a run of timeouts, but the rules for span and
// number ask for whole rounds.
func JudgeLoss(e Evidence, rules Failover, now time.Time) Judgement {
	j := Judgement{began: e.Since}
	e.Rounds = slices.Clone(e.Rounds)
	slices.SortStableFunc(e.Rounds, func(a, b Round) int { return a.At.Compare(b.At) })
	seen := map[string]ChannelProgress{}
	for _, r := range e.Rounds {
		if r.Lives() {
			j = Judgement{}
			keepNewest(seen, r.Progress)
			continue
		}
		if !r.CandidateAnswered || r.Took > r.Limit || !countsAsFailure(r) || r.Brief && !allTimedOut(j.Run) {
			continue
		}
		if n := len(j.Run); n > 0 && isGap(j.Run[n-1], r.At, e.Interval) {
			j.Run, j.began = nil, time.Time{}
		}
		if moved := movedSince(seen, r.Progress); len(moved) > 0 && len(j.Run) > 0 {
			j.Run, j.began, j.Restarts, j.Moved = nil, time.Time{}, j.Restarts+1, mergeMotion(j.Moved, moved)
		}
		keepNewest(seen, r.Progress)
		j.Run = append(j.Run, r)
	}
	return j.conclude(e, rules, now)
}

// conclude gives the state. Rounds that do not reach up to the present without a gap
// say nothing about it, whatever they saw.
func (j Judgement) conclude(e Evidence, rules Failover, now time.Time) Judgement {
	if n := len(e.Rounds); n == 0 || isGap(e.Rounds[n-1], now, e.Interval) {
		j.Run = nil
	} else if e.Rounds[n-1].Lives() {
		j.State = LossReachable
		return j
	} else if j.Restarts >= movementRestarts {
		j.State = LossStillReplicating
		return j
	}
	if n := len(j.Run); n > 0 && isGap(j.Run[n-1], now, e.Interval) {
		j.Run = nil
	}
	full := slices.DeleteFunc(slices.Clone(j.Run), func(r Round) bool { return r.Brief })
	n, span := len(full), runSpan(full)
	j.Missing = max(0, rules.UnavailableFor-span)
	j.Probes = max(0, max(rules.Probes, 1)-n)
	if j.Missing == 0 && j.Probes == 0 {
		j.State = stateOfRun(j.Run)
	}
	return j
}

// Lives says whether the old primary answered, if only with a refusal: a process that
// refuses us is alive.
func (r Round) Lives() bool {
	switch r.Class {
	case ClassUnauthenticated, ClassPermissionDenied, ClassUnimplemented:
		return true
	default:
		return r.Reach == ReachUp
	}
}

// countsAsFailure says whether a round may count against the old primary: it was not
// up, and it failed in a way that contract.md §8.3 names for that reach.
func countsAsFailure(r Round) bool {
	switch r.Reach {
	case ReachUnreachable:
		return r.Class == ClassRefused || r.Class == ClassTimeout || r.Class == ClassUnavailable
	case ReachDegraded:
		return r.Class != ClassNotCalled
	case ReachUnknown:
		return r.Class != ClassNotCalled && r.Class != ClassNone
	default:
		return false
	}
}

// stateOfRun is the state of a run that is long enough. One round that could not tell
// is enough to doubt the others.
func stateOfRun(run []Round) LossState {
	state := LossUnavailable
	for _, r := range run {
		switch r.Reach {
		case ReachUnknown:
			return LossStateUnknown
		case ReachDegraded:
			state = LossNotServing
		default: // a round that it answered is not in the run
		}
	}
	return state
}

// isGap says whether two intervals passed between the end of a round and the next one.
// An interval counts as no shorter than the deadlines of a round: a probe of a cluster
// that swallows packets takes as long as they allow.
func isGap(last Round, next time.Time, interval time.Duration) bool {
	return next.Sub(last.At.Add(last.Took)) > 2*max(interval, last.Limit)
}
