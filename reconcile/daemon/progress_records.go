package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// recordEvery is how far apart two writes of progress are. With many topologies a pass
// ends every few milliseconds, and each write makes every process read the ledger again.
const recordEvery = time.Second

// recorder writes progress and outages in few transactions: the first at once, and those
// that come within recordEvery together.
type recorder struct {
	records Records
	noted   func(began time.Time, err error)
	clock   Clock

	mu       sync.Mutex
	pending  map[string]plan.ProgressRecord // by cluster
	seen     map[string]plan.Outage         // by cluster
	over     map[string]bool                // clusters whose outage ended
	busy     bool
	flushing sync.WaitGroup
	ending   chan struct{} // closed once nothing is added any more
}

// add has records written soon. The newest record of a cluster replaces older ones.
func (r *recorder) add(records []plan.ProgressRecord, seen []plan.Outage, over []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.pending, r.seen, r.over = map[string]plan.ProgressRecord{}, map[string]plan.Outage{}, map[string]bool{}
	}
	for _, p := range records {
		r.pending[p.Cluster] = p
	}
	for _, o := range seen {
		r.seen[o.Cluster] = o
	}
	for _, cluster := range over {
		r.over[cluster] = true
		delete(r.seen, cluster)
	}
	if r.busy || len(r.pending)+len(r.seen)+len(r.over) == 0 {
		return
	}
	r.busy = true
	r.flushing.Go(r.flush)
}

// flush writes until nothing is left.
func (r *recorder) flush() {
	for {
		r.mu.Lock()
		progress, seen, over := slices.Collect(maps.Values(r.pending)), slices.Collect(maps.Values(r.seen)), slices.Collect(maps.Keys(r.over))
		clear(r.pending)
		clear(r.seen)
		clear(r.over)
		r.busy = len(progress)+len(seen)+len(over) > 0
		r.mu.Unlock()
		if len(progress)+len(seen)+len(over) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), recordWithin)
		r.noted(r.clock.Now(), r.write(ctx, progress, seen, over))
		cancel()
		select {
		case <-r.clock.After(recordEvery):
		case <-r.ending:
		}
	}
}

// write writes progress, and outages where there are some.
func (r *recorder) write(ctx context.Context, progress []plan.ProgressRecord, seen []plan.Outage, over []string) error {
	var errs []error
	if len(progress) > 0 {
		errs = append(errs, r.records.RecordProgress(ctx, progress...))
	}
	if len(seen)+len(over) > 0 {
		errs = append(errs, r.records.RecordOutages(ctx, seen, over))
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
