package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
)

// finalTries is how many rounds are made under the lock until one counts.
const finalTries = 3

// observed looks at the clusters and then makes the last rounds. A primary that hung
// in every round before is hardly waited for by the look, and its last round is brief.
// Where probes of it are in flight, neither waits for it.
func (r run) observed(ctx context.Context, p Pass, m Remembered, o plan.Observed, look func(Depth) []plan.View) plan.Observed {
	p, enough := p.freshly(ctx, o.Evidence)
	defer enough()
	o.Views = look(p.sparing(Depth{Progress: true, Contents: true}, o.Evidence))
	o.Evidence = r.lastRounds(ctx, p, o, m)
	return o
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

// HangingPrimary is the old primary that hangs in every run of rounds; empty: none does.
func HangingPrimary(made []plan.Evidence, now time.Time) string {
	if len(made) == 0 || slices.ContainsFunc(made, func(e plan.Evidence) bool { return e.Primary != made[0].Primary || !e.Hangs(now) }) {
		return ""
	}
	return made[0].Primary
}

// sparing is the depth of a look that knows which primary hangs, and what probes of it
// that are in flight show.
func (p Pass) sparing(d Depth, made []plan.Evidence) Depth {
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

// freshly has one more probe of a hanging primary go on beside what follows, until enough
// is called: what serves new calls by now answers it, whatever becomes of older ones.
func (p Pass) freshly(ctx context.Context, made []plan.Evidence) (fresh Pass, enough func()) {
	primary, inFlight := HangingPrimary(made, p.Clock()), p.InFlight
	shown, ok := p.inFlight(primary)
	if !ok {
		return p, func() {}
	}
	one, end := context.WithCancel(ctx)
	var came atomic.Bool
	var probe sync.WaitGroup
	probe.Go(func() { came.Store(!p.Observer.Pend(one, p.Desired.Topologies[0], primary, shown.Reach)) })
	p.InFlight = func(t plan.Topology, primary string) (plan.Round, bool) {
		round, ok := inFlight(t, primary)
		return round, ok && !came.Load()
	}
	return p, func() {
		end()
		probe.Wait()
	}
}

// unanswered is the brief round that probes of a hanging primary in flight amount to: the
// candidate is asked, and after that they must still be unanswered.
func (p Pass) unanswered(ctx context.Context, want plan.Want) (plan.Round, bool) {
	if _, ok := p.inFlight(want.Primary); !ok || !want.Brief {
		return plan.Round{}, false
	}
	candidate := p.Observer.Candidate(ctx, p.topology(want.Topology), want.Candidate)
	round, ok := p.inFlight(want.Primary)
	round.CandidateAnswered, round.Progress = candidate.Reach == plan.ReachUp, candidate.Progress
	return round, ok
}

// newest are the rounds that were made until now: those that a daemon makes beside
// its passes go on.
func (r run) newest(p Pass) []plan.Evidence {
	if p.Evidence != nil {
		if made := evidenceOf(r.first, p.Evidence()); len(made) > 0 {
			return made
		}
	}
	return r.evidence
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
			round, ok = p.unanswered(ctx, want)
		}
		if !ok {
			round = p.Observer.Round(ctx, p.topology(r.name), want)
		}
		e.Rounds = append(e.Rounds, round)
		if round.Reach == plan.ReachUp || counted(e, p.Clock()) {
			return e, true
		}
	}
	return e, false
}

// counted says whether the newest round belongs to the run that is judged.
func counted(e plan.Evidence, now time.Time) bool {
	run := plan.JudgeLoss(e, plan.Failover{}, now).Run
	return len(run) > 0 && run[len(run)-1].At.Equal(e.Rounds[len(e.Rounds)-1].At)
}

// still says whether a request may be sent, or sent again: the approval has
// not expired, a failover stands by evidence made anew, and beside a fence
// somebody still takes writes.
func (r run) still(now ready) func(context.Context) error {
	return func(ctx context.Context) error {
		switch now.plan.Transition {
		case plan.TransitionFailover:
		case plan.TransitionFence:
			_, err := r.proveWriter(ctx, now)
			return err
		default:
			return errors.Join(context.Cause(ctx), r.unexpired(now))
		}
		p := r.apply.narrow(r.name)
		o := r.observed(ctx, p, now.remembered, now.observed, func(d Depth) []plan.View { return r.othersAgain(ctx, p, now, d) })
		return r.stands(ctx, now, o)
	}
}

// othersAgain are the views that the plan was made from, with fresh ones of
// all but the cluster to promote: that one is the sender's to read. Another may
// have been promoted by hand meanwhile.
func (r run) othersAgain(ctx context.Context, p Pass, now ready, d Depth) []plan.View {
	out := slices.Clone(now.observed.Views)
	for _, fresh := range p.Observer.Observe(ctx, p.Desired.Topologies, d) {
		i := slices.IndexFunc(out, func(v plan.View) bool { return v.Cluster == fresh.Cluster })
		if i >= 0 && fresh.Cluster != now.plan.Primary {
			out[i] = fresh
		}
	}
	return out
}

// stands says why the plan may not be carried out any more, given what was
// observed: it became another one, something blocks it, its evidence is too
// old by now, or its approval ended.
func (r run) stands(ctx context.Context, now ready, o plan.Observed) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	t, _ := r.apply.narrow(r.name).compute(o, now.remembered).Topology(r.name)
	if t.Digest != now.plan.Digest {
		return fmt.Errorf("the plan is stale: it was %s and is now %s", now.plan.Digest, t.Digest)
	}
	if blocking := t.Blocking(now.decision.Accepted); len(blocking) > 0 {
		return errors.New(BlockedBy(blocking))
	}
	return r.unexpired(now)
}

// unexpired says whether the approval has ended. A clock that was moved back
// behind the ledger is not believed.
func (r run) unexpired(now ready) error {
	at := r.apply.Clock()
	if at.Before(now.remembered.Newest) {
		at = now.remembered.Newest
	}
	if until := now.decision.Until; !until.IsZero() && !at.Before(until) {
		return errors.New("the approval ended at " + until.UTC().Format(time.RFC3339))
	}
	return nil
}
