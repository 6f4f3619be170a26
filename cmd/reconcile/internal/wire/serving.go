package wire

import (
	"context"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// ServingEvery is how old what the ledger holds of a primary's loads may get, where the
// configuration says 'load: auto'.
const ServingEvery = 10 * time.Minute

// readServingWithin bounds the reading of what one primary has loaded.
const readServingWithin = 15 * time.Second

// servingAtOnce is how many primaries a command reads at the same time.
const servingAtOnce = 8

// readServing reads what a primary has loaded and indexed now.
func (e *Environment) readServing(ctx context.Context, t plan.Topology, primary string) (plan.ServingMark, error) {
	mark := plan.ServingMark{Topology: t.Name, Primary: primary, At: e.Now()}
	var err error
	mark.Collections, err = e.Fleet.Reader().Served(ctx, t, primary)
	return mark, err
}

// noteServing keeps in the ledger what a primary has loaded and indexed now.
func (e *Environment) noteServing(ctx context.Context, t plan.Topology, primary string) (plan.ServingMark, error) {
	mark, err := e.readServing(ctx, t, primary)
	if err != nil {
		return mark, err
	}
	l, err := e.Ledger()
	if err != nil {
		return mark, err
	}
	return mark, l.RecordServing(ctx, mark)
}

// NoteServing keeps in the ledger what the primaries of topologies that are as Git says have
// loaded, where the configuration says 'load: auto' and what the ledger holds is old. Without a
// ledger, or of a primary that cannot be read, it keeps nothing: doctor says how old it is.
func (e *Environment) NoteServing(ctx context.Context, topologies []plan.Topology, known plan.Memory) {
	if e.opened == nil || e.Config.Load != schema.LoadAuto {
		return
	}
	var all sync.WaitGroup
	free := make(chan struct{}, servingAtOnce)
	for _, t := range topologies {
		primary, ok := t.Primary()
		if had, read := known.ServedBy(t.Name, primary.ID); !ok || read && e.Now().Sub(had.At) < ServingEvery {
			continue
		}
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			bounded, cancel := context.WithTimeout(ctx, readServingWithin)
			defer cancel()
			_, _ = e.noteServing(bounded, t, primary.ID) // see above
		})
	}
	all.Wait()
}
