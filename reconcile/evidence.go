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

// finalTries is how many rounds are made at most, under the lock, until one counts.
const finalTries = 3

// observeAndProbe observes the clusters and then makes the last rounds of evidence. When
// the primary hung in every earlier round, the observation waits little for it, and the
// last round is brief. While probes of it are in flight, neither waits for it.
func (r run) observeAndProbe(ctx context.Context, p Pass, m Remembered, o plan.Observed, observe func(plan.Depth) []plan.View) plan.Observed {
	p, enough := p.withFreshProbe(ctx, o.Evidence)
	defer enough()
	o.Views = observe(p.depthFor(plan.Depth{Progress: true, Contents: true}, o.Evidence))
	computed := p.compute(o, m)
	if wipes := p.wipeProofs(ctx, o, computed); len(wipes) > 0 {
		o.Wipes = wipes
		computed = p.compute(o, m)
	}
	o.Evidence = r.lastRounds(ctx, p, o, computed.Wants)
	return o
}

// newestEvidence returns the rounds that a daemon made until now between its passes. There
// are none without a daemon: then it returns those that the plan without the lock made.
func (r run) newestEvidence(p Pass) []plan.Evidence {
	if p.Evidence != nil {
		if made := evidenceOf(r.first, p.Evidence()); len(made) > 0 {
			return made
		}
	}
	return r.evidence
}

// lastRounds makes the round that contract.md §8.3 wants right before a request. When there
// is a gap to the earlier rounds, the plan wants all of them again, and it makes those. It
// drops evidence whose last round says nothing.
func (r run) lastRounds(ctx context.Context, p Pass, o plan.Observed, wants []plan.Want) []plan.Evidence {
	if len(wants) > 0 {
		return p.probe(ctx, wants, nil)
	}
	made, counts := make([]plan.Evidence, len(o.Evidence)), make([]bool, len(o.Evidence))
	var rounds sync.WaitGroup
	for i, e := range o.Evidence {
		rounds.Go(func() { made[i], counts[i] = r.finalRound(ctx, p, e) })
	}
	rounds.Wait()
	var out []plan.Evidence
	for i, e := range made {
		if counts[i] {
			out = append(out, e)
		}
	}
	return out
}

// finalRound makes rounds until one says something: the old primary answered, or the
// round counts. After finalTries rounds it gives up and returns false, because the earlier
// rounds prove nothing about this moment.
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

// newestCounts says whether the newest round is part of the run of failures that
// [plan.JudgeLoss] judges.
func newestCounts(e plan.Evidence, now time.Time) bool {
	run := plan.JudgeLoss(e, plan.Failover{}, now).Run
	return len(run) > 0 && run[len(run)-1].At.Equal(e.Rounds[len(e.Rounds)-1].At)
}

// HangingPrimary returns the old primary that hung in every round of each evidence as of
// now; empty: there is no such primary.
func HangingPrimary(made []plan.Evidence, now time.Time) string {
	if len(made) == 0 || slices.ContainsFunc(made, func(e plan.Evidence) bool { return e.Primary != made[0].Primary || !e.Hangs(now) }) {
		return ""
	}
	return made[0].Primary
}

// depthFor adds to a depth which primary hangs, and what probes of it in flight show.
func (p Pass) depthFor(d plan.Depth, made []plan.Evidence) plan.Depth {
	d.Hanging = HangingPrimary(made, p.Clock())
	if round, ok := p.inFlight(d.Hanging); ok {
		d.InFlight = &round
	}
	return d
}

// inFlight returns the brief round that the probes of a hanging primary in flight amount
// to as of now; false: there are none.
func (p Pass) inFlight(primary string) (plan.Round, bool) {
	if p.InFlight == nil || primary == "" || len(p.Desired.Topologies) != 1 {
		return plan.Round{}, false
	}
	return p.InFlight(p.Desired.Topologies[0], primary)
}

// withFreshProbe starts one more probe of a hanging primary and returns a pass that heeds
// it: once anything answers this probe, the probes in flight count for nothing. A primary
// that serves new calls again answers it, whatever becomes of older probes. The probe
// ends when enough is called.
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

// roundInFlight returns the brief round that the probes of a hanging primary in flight
// amount to: it reads the candidate, and after that they must still be unanswered.
func (p Pass) roundInFlight(ctx context.Context, want plan.Want) (plan.Round, bool) {
	if _, ok := p.inFlight(want.Primary); !ok || !want.Brief {
		return plan.Round{}, false
	}
	candidate := p.Observer.ReadCandidate(ctx, p.topology(want.Topology), want.Candidate)
	round, ok := p.inFlight(want.Primary)
	round.CandidateAnswered, round.Progress = candidate.Reach == plan.ReachUp, candidate.Progress
	return round, ok
}

// LossBoundRecorder is the part of a ledger that keeps what bounds the loss of a later failover.
type LossBoundRecorder interface {
	// RecordOutages joins outages that were seen with those that are recorded, and forgets
	// those of the clusters in over. It does not create a ledger.
	RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error
	// RecordProven joins what was proven of standbys with what is recorded. It does not
	// create a ledger.
	RecordProven(ctx context.Context, proven []plan.ProgressRecord) error
}

// recordBoundsWithin bounds what a command that only reads spends on keeping what it proved.
const recordBoundsWithin = time.Second

// RecordLossBounds records up to which time each standby of a plan has every write, and when a primary was
// first seen down. So the bound of a later loss does not grow with the clock. This command
// works without it: if the ledger is slow or cannot be written, nobody is told.
func RecordLossBounds(ctx context.Context, k LossBoundRecorder, p plan.Plan, m plan.Memory) {
	known := make(map[string]plan.ProgressRecord, len(m.Progress))
	for _, r := range m.Progress {
		known[r.Cluster] = r
	}
	var seen []plan.Outage
	var over []string
	var proven []plan.ProgressRecord
	for _, t := range p.Topologies {
		m.Progress = nil
		for _, c := range t.Clusters {
			if r, ok := known[c.ID]; ok {
				m.Progress = append(m.Progress, r)
			}
		}
		down, up := plan.Outages(t, nil, m)
		seen, over = append(seen, down...), append(over, up...)
		proven = append(proven, plan.ProgressRecords(t, m, m.Now)...)
	}
	bounded, cancel := context.WithTimeout(ctx, recordBoundsWithin)
	defer cancel()
	if len(seen)+len(over) > 0 {
		_ = k.RecordOutages(bounded, seen, over) // see above
	}
	if len(proven) > 0 {
		_ = k.RecordProven(bounded, proven) // see above
	}
}

// recordAgainEvery is how far apart a run of probes tells the ledger that it goes on, for
// who asks meanwhile.
const recordAgainEvery = 3 * time.Second

// recordingEvery returns what records that a primary is still down, at most every
// recordAgainEvery; nil for an apply, whose lock says so.
func (p Pass) recordingEvery(ctx context.Context, t plan.TopologyPlan, r Remembered) func() {
	if p.acting || p.Ledger == nil {
		return nil
	}
	last := p.Clock()
	return func() {
		now := p.Clock()
		if now.Sub(last) < recordAgainEvery {
			return
		}
		last = now
		seen, _ := plan.Outages(t, nil, p.at(r.Memory))
		for i := range seen {
			seen[i].Until = now
		}
		bounded, cancel := context.WithTimeout(ctx, recordOutageInApply)
		defer cancel()
		_ = p.Ledger.RecordOutages(bounded, seen, nil) // the record after the rounds tells if it fails
	}
}

// recordOutageWithin bounds the write of an outage, and recordOutageInApply that of a
// change that is about to be carried out.
const (
	recordOutageWithin  = 5 * time.Second
	recordOutageInApply = 300 * time.Millisecond
)

// recordOutages keeps in the ledger the first failed probe of each primary that was seen
// down, so that the bound of a loss does not grow with the clock of each plan. A process
// that may not write to the ledger plans all the same.
func (p Pass) recordOutages(ctx context.Context, made []plan.Evidence, r Remembered, topologies ...plan.TopologyPlan) {
	if p.Ledger == nil || p.NoProbes {
		return
	}
	var seen []plan.Outage
	var over []string
	m := p.at(r.Memory)
	for _, t := range topologies {
		down, up := plan.Outages(t, made, m)
		seen, over = append(seen, down...), append(over, up...)
	}
	if len(seen)+len(over) == 0 {
		return
	}
	within := recordOutageWithin
	if p.acting {
		within = recordOutageInApply
	}
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := p.Ledger.RecordOutages(bounded, seen, over)
	if err == nil || len(seen) == 0 || ctx.Err() != nil || p.acting && errors.Is(err, context.DeadlineExceeded) {
		return // an apply waits for no slow ledger here, and its own record says what matters
	}
	first := seen[0].Cluster
	if n := len(seen) - 1; n > 0 {
		first += fmt.Sprintf(" (and %d more)", n)
	}
	p.tell(seen[0].Topology, fmt.Sprintf("the ledger could not keep the time when %s was first seen down, so the next plan counts the loss from its own probes: %v", first, err))
}

// recordOutageUnlessBegun keeps what the rounds of an apply showed of a primary, where no
// intent says it.
func (a Apply) recordOutageUnlessBegun(ctx context.Context, t plan.TopologyPlan, report Report, came Result, r Remembered) {
	begun := came.Outcome == OutcomeApplied || came.Outcome == OutcomeUnverified
	if !begun && len(report.Evidence) > 0 {
		a.recordOutages(ctx, report.Evidence, r, t)
	}
}
