package reconcile

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
)

// finalTries is how many rounds are made under the lock until one counts.
const finalTries = 3

// observeAndProbe looks at the clusters and then makes the last rounds. A primary that hung
// in every round before is hardly waited for by the look, and its last round is brief.
// Where probes of it are in flight, neither waits for it.
func (r run) observeAndProbe(ctx context.Context, p Pass, m Remembered, o plan.Observed, look func(Depth) []plan.View) plan.Observed {
	p, enough := p.withFreshProbe(ctx, o.Evidence)
	defer enough()
	o.Views = look(p.depthFor(Depth{Progress: true, Contents: true}, o.Evidence))
	o.Evidence = r.lastRounds(ctx, p, o, m)
	return o
}

// newestEvidence are the rounds that were made until now: those that a daemon makes beside
// its passes go on.
func (r run) newestEvidence(p Pass) []plan.Evidence {
	if p.Evidence != nil {
		if made := evidenceOf(r.first, p.Evidence()); len(made) > 0 {
			return made
		}
	}
	return r.evidence
}

// lastRounds makes the round that contract.md §8 wants just before a call, or all
// of them when the earlier ones do not join without a gap. What nothing could be said
// of proves nothing.
func (r run) lastRounds(ctx context.Context, p Pass, o plan.Observed, m Remembered) []plan.Evidence {
	if wants := p.compute(o, m).Wants; len(wants) > 0 {
		return p.probe(ctx, wants)
	}
	var out []plan.Evidence
	for _, e := range o.Evidence {
		if joined, ok := r.finalRound(ctx, p, e); ok {
			out = append(out, joined)
		}
	}
	return out
}

// finalRound adds a round that says something: the old primary answered, or
// the round counts. Without one, earlier rounds prove nothing about now.
func (r run) finalRound(ctx context.Context, p Pass, e plan.Evidence) (plan.Evidence, bool) {
	want := plan.Want{Topology: e.Topology, Primary: e.Primary, Candidate: e.Candidate, Interval: e.Interval}
	e.Rounds = slices.Clone(e.Rounds)
	for try := range finalTries {
		want.Brief = e.Hangs(p.Clock())
		round, ok := plan.Round{}, false
		if try == 0 {
			round, ok = p.roundInFlight(ctx, want)
		}
		if !ok {
			round = p.Observer.Round(ctx, p.topology(r.name), want)
		}
		e.Rounds = append(e.Rounds, round)
		if round.Reach == plan.ReachUp || newestCounts(e, p.Clock()) {
			return e, true
		}
	}
	return e, false
}

// newestCounts says whether the newest round belongs to the run that is judged.
func newestCounts(e plan.Evidence, now time.Time) bool {
	run := plan.JudgeLoss(e, plan.Failover{}, now).Run
	return len(run) > 0 && run[len(run)-1].At.Equal(e.Rounds[len(e.Rounds)-1].At)
}

// HangingPrimary is the old primary that hangs in every run of rounds; empty: none does.
func HangingPrimary(made []plan.Evidence, now time.Time) string {
	if len(made) == 0 || slices.ContainsFunc(made, func(e plan.Evidence) bool { return e.Primary != made[0].Primary || !e.Hangs(now) }) {
		return ""
	}
	return made[0].Primary
}

// depthFor is the depth of a look that knows which primary hangs, and what probes of it
// that are in flight show.
func (p Pass) depthFor(d Depth, made []plan.Evidence) Depth {
	d.Hanging = HangingPrimary(made, p.Clock())
	if round, ok := p.inFlight(d.Hanging); ok {
		d.InFlight = &round
	}
	return d
}

// inFlight is what probes of a hanging primary that are in flight amount to as of now.
func (p Pass) inFlight(primary string) (plan.Round, bool) {
	if p.InFlight == nil || primary == "" || len(p.Desired.Topologies) != 1 {
		return plan.Round{}, false
	}
	return p.InFlight(p.Desired.Topologies[0], primary)
}

// withFreshProbe has one more probe of a hanging primary go on beside what follows, until enough
// is called: what serves new calls by now answers it, whatever becomes of older ones.
func (p Pass) withFreshProbe(ctx context.Context, made []plan.Evidence) (fresh Pass, enough func()) {
	primary, inFlight := HangingPrimary(made, p.Clock()), p.InFlight
	shown, ok := p.inFlight(primary)
	if !ok {
		return p, func() {}
	}
	one, end := context.WithCancel(ctx)
	var came atomic.Bool
	var probe sync.WaitGroup
	probe.Go(func() { came.Store(!p.Observer.HoldProbe(one, p.Desired.Topologies[0], primary, shown.Reach)) })
	p.InFlight = func(t plan.Topology, primary string) (plan.Round, bool) {
		round, ok := inFlight(t, primary)
		return round, ok && !came.Load()
	}
	return p, func() {
		end()
		probe.Wait()
	}
}

// roundInFlight is the brief round that probes of a hanging primary in flight amount to: the
// candidate is asked, and after that they must still be unanswered.
func (p Pass) roundInFlight(ctx context.Context, want plan.Want) (plan.Round, bool) {
	if _, ok := p.inFlight(want.Primary); !ok || !want.Brief {
		return plan.Round{}, false
	}
	candidate := p.Observer.ReadCandidate(ctx, p.topology(want.Topology), want.Candidate)
	round, ok := p.inFlight(want.Primary)
	round.CandidateAnswered, round.Progress = candidate.Reach == plan.ReachUp, candidate.Progress
	return round, ok
}
