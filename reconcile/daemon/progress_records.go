package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// recordEvery is how far apart two writes of what passes found are. With many topologies a
// pass ends every few milliseconds, and each write makes every process read the ledger again.
const recordEvery = time.Second

// recorder writes what passes found in few transactions: the first at once, and what comes
// within recordEvery together.
type recorder struct {
	records Records
	noted   func(began time.Time, err error)
	clock   Clock

	mu       sync.Mutex
	pending  found
	busy     bool
	flushing sync.WaitGroup
	ending   chan struct{} // closed once nothing is added any more
}

// found is what passes found that the ledger keeps. The newest of each counts.
type found struct {
	progress    map[string]plan.ProgressRecord // by cluster
	seen        map[string]plan.Outage         // by cluster
	over        map[string]bool                // clusters whose outage ended
	generations map[string]plan.GenerationMark // by topology
	homes       map[string]plan.Home           // by cluster
	published   map[string]reconcile.Published // by topology; of those without a record
}

func newFound() found {
	return found{
		progress: map[string]plan.ProgressRecord{}, seen: map[string]plan.Outage{}, over: map[string]bool{},
		generations: map[string]plan.GenerationMark{}, homes: map[string]plan.Home{}, published: map[string]reconcile.Published{},
	}
}

func (f found) empty() bool {
	return len(f.progress)+len(f.seen)+len(f.over)+len(f.generations)+len(f.homes)+len(f.published) == 0
}

// add has what one pass found written soon.
func (r *recorder) add(change func(found)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending.progress == nil {
		r.pending = newFound()
	}
	change(r.pending)
	if r.busy || r.pending.empty() {
		return
	}
	r.busy = true
	r.flushing.Go(r.flush)
}

// flush writes until nothing is left.
func (r *recorder) flush() {
	for {
		r.mu.Lock()
		some := r.pending
		r.pending = newFound()
		r.busy = !some.empty()
		r.mu.Unlock()
		if some.empty() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), recordWithin)
		r.noted(r.clock.Now(), r.write(ctx, some))
		cancel()
		select {
		case <-r.clock.After(recordEvery):
		case <-r.ending:
		}
	}
}

// write writes what was found, in a transaction for each kind. The topologies of clusters come
// first: the ledger may keep what is known of a cluster with its topology.
func (r *recorder) write(ctx context.Context, f found) error {
	var errs []error
	if len(f.homes) > 0 {
		errs = append(errs, r.records.RecordHome(ctx, slices.Collect(maps.Values(f.homes))...))
	}
	if len(f.progress) > 0 {
		errs = append(errs, r.records.RecordProgress(ctx, slices.Collect(maps.Values(f.progress))...))
	}
	if len(f.seen)+len(f.over) > 0 {
		errs = append(errs, r.records.RecordOutages(ctx, slices.Collect(maps.Values(f.seen)), slices.Collect(maps.Keys(f.over))))
	}
	if len(f.generations) > 0 {
		errs = append(errs, r.records.RecordGeneration(ctx, slices.Collect(maps.Values(f.generations))...))
	}
	if len(f.published) > 0 {
		errs = append(errs, r.records.RecordFirstPublished(ctx, f.published))
	}
	return errors.Join(errs...)
}

// wait writes what is left and returns when it is written. Nothing may be added after it.
func (r *recorder) wait() {
	close(r.ending)
	r.flushing.Wait()
}

// workContext returns the context of work that outlives the stop by the grace.
func (l *Loop) workContext() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.workCtx
}
