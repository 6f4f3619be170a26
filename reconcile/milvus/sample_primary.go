package milvus

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// Sample asks the old primary alone, at a random moment of every plan.Want.SampleEvery,
// and returns the round in which it answered. ok is false when it never did until over
// was closed or ctx ended. A sample that fails counts nothing: only a round may, in
// which the candidate answers too. So sampling can end a failover, and never begin one.
func (r *Reader) Sample(ctx context.Context, t plan.Topology, want plan.Want, over <-chan struct{}) (lived plan.Round, ok bool) {
	every := want.SampleEvery()
	if every <= 0 {
		return plan.Round{}, false
	}
	ctx, enough := context.WithCancel(ctx)
	answered := make(chan plan.Round, 1)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer enough()
	ask := func() {
		if round := r.sample(ctx, t, want); round.Lives() {
			select {
			case answered <- round:
			default: // one is enough
			}
		}
	}
	slot := time.NewTicker(every)
	defer slot.Stop()
	for {
		asking.Go(func() {
			if !arrivesWithin(ctx.Done(), rand.N(every)) { //nolint:gosec // it only has to be in step with nothing
				ask()
			}
		})
		select {
		case round := <-answered:
			return round, true
		case <-ctx.Done():
			return plan.Round{}, false
		case <-over:
			return r.lastAnswer(ctx, &asking, answered)
		case <-slot.C:
		}
	}
}

// lastAnswer waits for what was asked already.
func (r *Reader) lastAnswer(ctx context.Context, asking *sync.WaitGroup, answered <-chan plan.Round) (lived plan.Round, ok bool) {
	none := make(chan struct{})
	go func() {
		defer close(none)
		asking.Wait()
	}()
	select {
	case round := <-answered:
		return round, true
	case <-ctx.Done():
	case <-none:
		select {
		case round := <-answered:
			return round, true
		default:
		}
	}
	return plan.Round{}, false
}

// sample asks over a new connection and waits for a part of a deadline, so that a
// cluster which swallows packets is asked as often as one that refuses. The round
// bears the time of the answer.
func (r *Reader) sample(ctx context.Context, t plan.Topology, want plan.Want) plan.Round {
	f := r.fleet
	within := f.readTimeout / briefPart
	v := f.view(ctx, t, probeAccess(f.bind(t), want.Primary), probeOptions{within: within})
	return plan.Round{At: f.clock.Now(), Limit: within, Reach: v.Reach, Class: v.Class, Error: v.Error}
}
