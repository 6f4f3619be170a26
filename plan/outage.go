package plan

import (
	"slices"
	"time"
)

// Outage is that a primary was seen down: from its first failed probe to the last. It
// bounds what a failover may lose, and nothing else: no primary counts as lost by it.
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

// Then is what later probes make of a recorded outage. It goes on, unless they know of a
// sign of life after it began: then the later one is another.
func (o Outage) Then(later Outage) Outage {
	if o.Cluster != later.Cluster || o.Since.IsZero() || later.LivedAt.After(o.Since) {
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

// outageOf is since when the old primary of a failover to candidate is down, as far as
// was seen: by this process, by what earlier ones recorded, or by the intent that is
// resumed. Where its failure was not seen, Cluster is empty, and Since is the time of
// its view.
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

// roundsAbout returns the rounds about one old primary and candidate.
func roundsAbout(all []Evidence, topology, primary, candidate string) Evidence {
	for _, e := range all {
		if e.Topology == topology && e.Primary == primary && e.Candidate == candidate {
			return e
		}
	}
	return Evidence{Topology: topology, Primary: primary, Candidate: candidate}
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

// SilenceText says of a primary that it does not answer from a moment on, in the story of a
// topology.
func SilenceText(cluster string) string { return cluster + " was silent from here on" }
