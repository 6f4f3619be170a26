package wire

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/schema"
)

// servingReader keeps in the ledger what the primaries have loaded, where the configuration says
// 'load: auto', so that a new primary can load it after a failover. It reads one primary at a
// time, and only of topologies that are as Git says, while this process leads.
type servingReader struct {
	log *slog.Logger
	now func() time.Time
	// read reads what a primary has loaded, and keep keeps it.
	read func(ctx context.Context, e *Environment, t plan.Topology, primary string) (plan.ServingMark, error)
	keep func(ctx context.Context, m plan.ServingMark) error

	mu          sync.Mutex
	environment *Environment // nil: nothing is wanted
	documents   map[string]plan.Topology
	tried       map[servedBy]time.Time // when each was last read, or could not be
	waiting     map[string]bool        // topologies that are to be read
	working     bool
	end         context.CancelFunc // of the reading that runs
	reading     string             // its topology; empty: none
	ended       sync.WaitGroup
}

type servedBy struct{ topology, primary string }

func newServingReader(d *service) *servingReader {
	return &servingReader{
		log: d.log, now: d.options.Clock, keep: d.ledger.RecordServing,
		read: func(ctx context.Context, e *Environment, t plan.Topology, primary string) (plan.ServingMark, error) {
			return e.readServing(ctx, t, primary)
		},
	}
}

// use takes over a configuration. It ends a reading over the clients of the one before.
func (r *servingReader) use(e *Environment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.environment = nil; e.Config.Load == schema.LoadAuto {
		r.environment = e
	}
	r.tried, r.waiting = map[servedBy]time.Time{}, map[string]bool{}
	r.discard(r.reading)
}

// fetched takes over the documents that were read from Git.
func (r *servingReader) fetched(topologies []plan.Topology) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.documents = map[string]plan.Topology{}
	for _, t := range topologies {
		r.documents[t.Name] = t
	}
}

// close ends the reading that runs, and waits for its end.
func (r *servingReader) close() {
	r.mu.Lock()
	r.environment, r.waiting = nil, map[string]bool{}
	r.discard(r.reading)
	r.mu.Unlock()
	r.ended.Wait()
}

// discard ends the reading of a topology and forgets that it was to be read. The caller holds
// the lock.
func (r *servingReader) discard(topology string) {
	delete(r.waiting, topology)
	if topology != "" && r.reading == topology {
		r.end()
	}
}

// onPass has the primary of a topology read that is due, and discards what is read of one that
// is no longer as Git says. It does not wait.
func (r *servingReader) onPass(s daemon.TopologyStatus, leads bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !leads || s.State != daemon.StateInSync || !atRest(s) {
		r.discard(s.Name)
		return
	}
	t, known := r.documents[s.Name]
	primary, has := t.Primary()
	at, tried := r.tried[servedBy{s.Name, primary.ID}]
	if r.environment == nil || !known || !has || tried && r.now().Sub(at) < ServingEvery {
		return
	}
	r.waiting[s.Name] = true
	if !r.working {
		r.working = true
		r.ended.Go(r.work)
	}
}

// work reads what waits, one primary after the other.
func (r *servingReader) work() {
	for {
		ctx, e, t, ok := r.next()
		if !ok {
			return
		}
		primary, _ := t.Primary()
		mark, err := r.read(ctx, e, t, primary.ID)
		if err == nil {
			err = ctx.Err() // what was read while the topology changed is not kept
		}
		if err == nil {
			err = r.keep(ctx, mark)
		}
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			r.again(t.Name, primary.ID)
		case err != nil:
			r.log.Warn("what the primary has loaded could not be kept", "topology", t.Name, "cluster", primary.ID, "error", err)
		}
	}
}

// again makes a primary due at once: its reading was discarded.
func (r *servingReader) again(topology, primary string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tried, servedBy{topology, primary})
}

// next ends the reading before, and returns what is to be read next. ok is false if nothing is.
func (r *servingReader) next() (ctx context.Context, e *Environment, t plan.Topology, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reading != "" {
		r.end()
		r.reading = ""
	}
	for name := range r.waiting {
		delete(r.waiting, name)
		if t, ok = r.documents[name]; !ok || r.environment == nil {
			continue
		}
		primary, _ := t.Primary()
		r.tried[servedBy{name, primary.ID}] = r.now()
		r.reading = name
		ctx, r.end = context.WithTimeout(context.Background(), readServingWithin)
		return ctx, r.environment, t, true
	}
	r.working = false
	return nil, nil, plan.Topology{}, false
}
