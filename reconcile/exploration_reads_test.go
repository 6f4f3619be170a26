package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// glance is what an observation depends on.
type glance struct {
	visible visible
	depth   plan.Depth
}

// look is the truth of this moment, which the process now has seen.
func (p *machine) look() visible {
	v := p.m.see()
	p.state.seen.visible = v
	return v
}

func (p *machine) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	r := p.say(ctx, atLook, func() (any, any, error) {
		v := p.look()
		var out []plan.View
		for _, t := range topologies {
			for _, c := range t.Clusters {
				out = append(out, p.x.broken.view(v.view(index(c.ID), p.now, depth)))
			}
		}
		return out, glance{v, depth}, nil
	})
	views, _ := r.value.([]plan.View)
	return slices.Clone(views)
}

// Deepen reads what it must in the same moment.
func (p *machine) Deepen(ctx context.Context, topologies []plan.Topology, _ []plan.View, depth plan.Depth) []plan.View {
	return p.Observe(ctx, topologies, depth)
}

// StaleLog plays no part: no decision of apply rests on it.
func (p *machine) StaleLog(_ context.Context, _ plan.Topology, _, stale string) plan.StaleLog {
	return plan.StaleLog{Cluster: stale}
}

// WipeProof shows since when the cluster's metadata exist, and whether its log is older.
func (p *machine) WipeProof(ctx context.Context, _ plan.Topology, _, stale string) plan.WipeProof {
	r := p.say(ctx, atLook, func() (any, any, error) {
		v := p.look()
		return p.x.broken.wipeProof(v.wipeProof(index(stale))), glance{v, plan.Depth{}}, nil
	})
	proof, _ := r.value.(plan.WipeProof)
	return proof
}

func (p *machine) Sample(context.Context, plan.Topology, plan.Want, <-chan struct{}) (plan.Round, bool) {
	return plan.Round{}, false
}

func (p *machine) Round(ctx context.Context, _ plan.Topology, want plan.Want) plan.Round {
	r := p.say(ctx, atProbe, func() (any, any, error) {
		v := p.look()
		return p.x.broken.round(v.round(want, p.now, 1)), v, nil
	})
	round, _ := r.value.(plan.Round)
	return round
}

// HoldProbe and Candidate play no part: a process that applies once keeps no probes in flight.
func (p *machine) HoldProbe(context.Context, plan.Topology, string, plan.Reach) bool { return false }

func (p *machine) ReadCandidate(context.Context, plan.Topology, string) plan.View { return plan.View{} }

// Probe makes all rounds in no time: they end now.
func (p *machine) Probe(ctx context.Context, _ plan.Topology, want plan.Want, _ func(int, int, time.Duration)) plan.Evidence {
	r := p.say(ctx, atProbe, func() (any, any, error) {
		v := p.look()
		e := plan.Evidence{Topology: want.Topology, Primary: want.Primary, Candidate: want.Candidate, Interval: want.Interval}
		for i := range want.Probes {
			at := p.now.Add(-time.Duration(want.Probes-1-i) * want.Interval)
			e.Rounds = append(e.Rounds, p.x.broken.round(v.round(want, at, i)))
		}
		return e, v, nil
	})
	e, _ := r.value.(plan.Evidence)
	e.Rounds = slices.Clone(e.Rounds)
	return e
}

func (p *machine) ProveReplication(ctx context.Context, _ plan.Topology, source, target string, _ time.Duration) error {
	return p.say(ctx, atProve, func() (any, any, error) {
		v := p.look()
		p.state.seen.healthy = v.nodes[index(target)].flow == 1+uint8(index(source)) && reached(v, index(source)) && reached(v, index(target))
		if !p.state.seen.healthy && !p.x.broken.provesAll {
			return nil, v, errors.New("the tick never came")
		}
		return nil, v, nil
	}).err
}

func (p *machine) HoldsConfiguration(context.Context, plan.Topology, []plan.Step, time.Duration) error {
	return nil
}

func reached(v visible, i int) bool { return !v.nodes[i].down && v.nodes[i].reach == reachFull }

func (p *machine) Verify(ctx context.Context, _ plan.Topology, cluster string, _ plan.VerifyLevel, _ []string) (reconcile.Verified, error) {
	return reconcile.Verified{}, p.say(ctx, atVerify, func() (any, any, error) {
		v, i := p.look(), index(cluster)
		if !reached(v, i) || !p.m.nodes[i].writes(i) {
			return nil, false, errors.New(cluster + " takes no writes")
		}
		return nil, true, nil
	}).err
}

func (p *machine) Read(ctx context.Context) (reconcile.Remembered, error) {
	at := atRead
	if p.begins { // a rebuild reads all once more: what follows is not of the ledger alone
		at, p.begins = atReread, false
	}
	r := p.say(ctx, at, func() (any, any, error) { return p.m.ledger, p.m.ledger, nil })
	number, ok := r.value.(int32)
	if !ok {
		return reconcile.Remembered{}, r.err
	}
	known := p.x.library.all[number]
	if open, ok := known.open(); ok {
		p.intent = open
	}
	return p.x.broken.remembered(known.remembered()), r.err
}

func (p *machine) Lock(ctx context.Context, _ string, _ time.Duration) (reconcile.HeldLock, error) {
	r := p.say(ctx, atLock, func() (any, any, error) {
		if p.m.lock != 0 && p.m.lock != p.self {
			return nil, "held", reconcile.ErrLockHeld
		}
		p.m.lock = p.self
		if p.x.broken.readsGitOnce {
			p.state.git = p.m.git
		}
		return nil, p.state.seen.visible, nil // which its first plan rests on
	})
	if r.err != nil {
		return nil, r.err
	}
	return machineRight{p}, nil
}

// SpendOnMatch may only follow a look that saw every member as Git wants it.
func (p *machine) SpendOnMatch(ctx context.Context, mark plan.GenerationMark, _ string) error {
	return p.write(ctx, atMatch, func(r records) (records, error) {
		p.checkMatch()
		return r.match(mark)
	})
}

// RecordOutages keeps nothing: an outage bounds a loss and decides nothing
// (TestAnOutageOnlyBoundsTheLoss of package plan).
func (p *machine) RecordOutages(context.Context, []plan.Outage, []string) error { return nil }

// RecordProven keeps nothing, for the same reason.
func (p *machine) RecordProven(context.Context, []plan.ProgressRecord) error { return nil }

// write does one transaction of the ledger.
func (p *machine) write(ctx context.Context, at boundary, do func(records) (records, error)) error {
	return p.say(ctx, at, func() (any, any, error) {
		out, err := do(p.x.library.all[p.m.ledger])
		if err == nil {
			out.Newest = p.now
			p.m.ledger = p.x.library.add(out)
		}
		return nil, err != nil, err
	}).err
}

// machineRight is the lock that a machine holds.
type machineRight struct{ p *machine }

func (r machineRight) Begin(ctx context.Context, b reconcile.Beginning) error {
	r.p.intent = b.Intent
	err := r.p.write(ctx, atBegin, func(known records) (records, error) {
		out, err := r.p.x.broken.begin(known, b)
		if err == nil {
			r.p.checkBegin(b)
		}
		return out, err
	})
	r.p.fresh = err == nil && len(b.Payloads) > 0
	r.p.begins = b.Intent.Transition == plan.TransitionRebuild
	return err
}

func (r machineRight) Sent(ctx context.Context) error {
	return r.p.write(ctx, atSent, records.sent)
}

func (r machineRight) Advance(ctx context.Context, a plan.Advance, _ string) error {
	return r.p.write(ctx, atAdvance, func(known records) (records, error) { return known.advanced(a) })
}

func (r machineRight) Effected(ctx context.Context) error {
	return r.p.write(ctx, atEffected, records.effected)
}

func (r machineRight) Reverse(ctx context.Context, _ string) error {
	return r.p.write(ctx, atReverse, func(known records) (records, error) {
		r.p.checkReverse(known)
		return known.reverse()
	})
}

func (r machineRight) Finish(ctx context.Context, _, _ string) error {
	return r.p.write(ctx, atFinish, records.finish)
}

func (r machineRight) Turn(ctx context.Context, _ plan.RehearsalWay) error {
	return r.p.write(ctx, atTurn, records.turn)
}

func (r machineRight) FinishRehearsal(ctx context.Context, _ plan.RehearsalWay, _, _ *int64, _ string) error {
	return r.p.write(ctx, atFinish, records.finish)
}

func (r machineRight) Lost() <-chan struct{} { return r.p.lost }

// Until never comes: a lock that is lost is an event of its own.
func (r machineRight) Until() time.Time { return time.Time{} }

func (r machineRight) Release() error {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if !r.p.paused && r.p.m.lock == r.p.self {
		r.p.m.lock = 0
	}
	return nil
}
