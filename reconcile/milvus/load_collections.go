package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// Served reads what a cluster has loaded and indexed, of all its collections.
func (r *Reader) Served(ctx context.Context, t plan.Topology, cluster string) ([]plan.ServedCollection, error) {
	c, err := r.fleet.openAuditCluster(r.fleet.bind(t)[cluster])
	if err != nil {
		return nil, err
	}
	defer c.close()
	if hidden := c.hides(ctx, c.token); hidden != "" {
		return nil, errors.New(c.fleet.secrets.Scrub(hidden))
	}
	v := &inventory{auditCluster: c, out: audit.Inventory{Cluster: cluster}}
	v.loads(ctx)
	all := v.out.Collections
	parallel.Each(len(all), v.fleet.concurrency, func(i int) {
		if database, name, _ := strings.Cut(all[i].Name, "/"); all[i].Loaded {
			v.indexes(ctx, database, name, all[i].Name)
			v.load(ctx, database, name, all[i].Name)
		}
	})
	served, ok := v.out.Served()
	if !ok || ctx.Err() != nil {
		return nil, fmt.Errorf("not all of what %s has loaded could be read", cluster)
	}
	return served, nil
}

// LoadResult is what came of loading on a cluster what its predecessor had loaded.
type LoadResult struct {
	Status    plan.StepStatus
	Detail    string
	Readiness plan.Readiness // as read after it
}

// loading is the work on one cluster.
type loading struct {
	*data
	mu                                sync.Mutex
	already, indexed, loaded, pending []string
	absent, failed                    []string
}

// loadConcurrency is how many collections are worked on at once: a cluster that was just
// promoted has enough to do.
const loadConcurrency = 4

// Load makes on a primary the indexes and the loads that had names and that it lacks: indexes by
// the same name and parameters, loads by the same number of replicas. It leaves alone what is
// there, releases nothing and drops nothing. Done twice, it has the effect of once. It asks for
// the loads, and waits for them only as long as ctx lasts.
func (f *Fleet) Load(ctx context.Context, t plan.Topology, cluster string, had plan.ServingMark) LoadResult {
	refused := func(err error) LoadResult {
		return LoadResult{Status: plan.StepFailed, Detail: f.secrets.Err(err).Error()}
	}
	a := f.bind(t)[cluster]
	if !a.allowed() || a.cluster.ID == "" {
		return refused(fmt.Errorf("%s may not be called: %s", cluster, a.reason))
	}
	if err := f.verifyRole(ctx, t, a, plan.VerifyRole); err != nil {
		return refused(fmt.Errorf("nothing is loaded on a cluster that is no primary: %w", err))
	}
	pass, err := f.ticket(a)
	if err != nil {
		return refused(err)
	}
	d, err := f.dialData(pass, "")
	if err != nil {
		return refused(err)
	}
	defer d.close()
	w := &loading{data: d}
	wanted := had.Loads()
	parallel.Each(len(wanted), loadConcurrency, func(i int) { w.restore(ctx, wanted[i]) })
	w.awaitLoads(ctx)
	out := w.result()
	out.Readiness = d.readiness(context.WithoutCancel(ctx), pass, true)
	return out
}

func (w *loading) note(list *[]string, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, name)
}

// restore makes what one collection lacks.
func (w *loading) restore(ctx context.Context, c plan.ServedCollection) {
	state, err := w.stateOf(ctx, c.Name)
	switch {
	case err != nil:
		w.note(&w.failed, fmt.Sprintf("%s: %v", c.Name, err))
		return
	case state == commonpb.LoadState_LoadStateNotExist:
		w.note(&w.absent, c.Name)
		return
	}
	made, err := w.restoreIndexes(ctx, c)
	for _, name := range made {
		w.note(&w.indexed, name+" of "+c.Name)
	}
	if err == nil && state == commonpb.LoadState_LoadStateNotLoad {
		err = w.startLoad(ctx, c)
	}
	switch {
	case err != nil:
		w.note(&w.failed, fmt.Sprintf("%s: %v", c.Name, err))
	case state == commonpb.LoadState_LoadStateLoaded && len(made) == 0:
		w.note(&w.already, c.Name)
	case state != commonpb.LoadState_LoadStateLoaded:
		w.note(&w.pending, c.Name)
	}
}

// loadCallWithin bounds the calls on one collection, so that one that hangs does not take the
// time of the others.
const loadCallWithin = 10 * time.Second

// in returns the calls on one collection with a deadline for each.
func (w *loading) in(ctx context.Context, full string) (d *data, name string, bounded context.Context, cancel context.CancelFunc) {
	database, name, _ := strings.Cut(full, "/")
	bounded, cancel = context.WithTimeout(ctx, min(w.fleet.updateTimeout, loadCallWithin))
	return &data{link: w.link, database: database}, name, bounded, cancel
}

func (w *loading) stateOf(ctx context.Context, full string) (commonpb.LoadState, error) {
	d, name, ctx, cancel := w.in(ctx, full)
	defer cancel()
	resp, err := d.api.GetLoadState(ctx, &milvuspb.GetLoadStateRequest{DbName: d.database, CollectionName: name})
	if err := d.refusal(resp.GetStatus(), err); err != nil {
		return 0, fmt.Errorf("ask whether it is loaded: %w", err)
	}
	return resp.GetState(), nil
}

// restoreIndexes makes the indexes of fields that have none.
func (w *loading) restoreIndexes(ctx context.Context, c plan.ServedCollection) (made []string, err error) {
	if len(c.Indexes) == 0 {
		return nil, nil
	}
	d, name, ctx, cancel := w.in(ctx, c.Name)
	defer cancel()
	resp, err := d.api.DescribeIndex(ctx, &milvuspb.DescribeIndexRequest{DbName: d.database, CollectionName: name})
	if err := d.refusal(resp.GetStatus(), err); err != nil && resp.GetStatus().GetCode() != codeIndexNotFound {
		return nil, fmt.Errorf("describe its indexes: %w", err)
	}
	for _, x := range c.Indexes {
		if slices.ContainsFunc(resp.GetIndexDescriptions(), func(h *milvuspb.IndexDescription) bool {
			return h.GetFieldName() == x.Field || h.GetIndexName() == x.Name
		}) {
			continue
		}
		params := make([]*commonpb.KeyValuePair, len(x.Params))
		for i, p := range x.Params {
			params[i] = &commonpb.KeyValuePair{Key: p.Key, Value: p.Value}
		}
		status, err := d.api.CreateIndex(ctx, &milvuspb.CreateIndexRequest{
			DbName: d.database, CollectionName: name, FieldName: x.Field, IndexName: x.Name, ExtraParams: params,
		})
		if err := d.refusal(status, err); err != nil {
			return made, fmt.Errorf("make the index %s: %w", x.Name, err)
		}
		made = append(made, x.Name)
	}
	return made, nil
}

// startLoad asks for a load with the number of replicas that the predecessor had.
func (w *loading) startLoad(ctx context.Context, c plan.ServedCollection) error {
	d, name, ctx, cancel := w.in(ctx, c.Name)
	defer cancel()
	status, err := d.api.LoadCollection(ctx, &milvuspb.LoadCollectionRequest{
		DbName: d.database, CollectionName: name, ReplicaNumber: int32(max(c.Replicas, 1)), //nolint:gosec // a few
	})
	if err := d.refusal(status, err); err != nil {
		return fmt.Errorf("load it: %w", err)
	}
	return nil
}

// awaitLoadsFor bounds the wait for loads: a large collection takes minutes, and is named as
// loading.
const awaitLoadsFor = 10 * time.Second

// awaitLoads waits until what was asked for is loaded, or the wait is over.
func (w *loading) awaitLoads(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, awaitLoadsFor)
	defer cancel()
	for pause := 5 * time.Millisecond; len(w.pending) > 0 && ctx.Err() == nil; pause = min(2*pause, slowestLoadPoll) {
		w.pending = slices.DeleteFunc(w.pending, func(name string) bool {
			state, err := w.stateOf(ctx, name)
			done := err == nil && state == commonpb.LoadState_LoadStateLoaded
			if done {
				w.loaded = append(w.loaded, name)
			}
			return done
		})
		select {
		case <-ctx.Done():
			return
		case <-w.fleet.clock.After(pause):
		}
	}
}

// result says what was done.
func (w *loading) result() LoadResult {
	var parts []string
	add := func(what string, names []string) {
		if slices.Sort(names); len(names) > 0 {
			parts = append(parts, what+" "+plan.FirstNames(names))
		}
	}
	add("loaded", w.loaded)
	add("loading goes on of", w.pending)
	add("indexed", w.indexed)
	add("not there:", w.absent)
	add("failed:", w.failed)
	if len(w.already) > 0 {
		parts = append(parts, "in place already: "+plan.FirstNames(slices.Sorted(slices.Values(w.already))))
	}
	out := LoadResult{Status: plan.StepDone, Detail: strings.Join(parts, "; ")}
	switch {
	case len(w.failed)+len(w.absent) > 0:
		out.Status = plan.StepFailed
	case len(w.loaded)+len(w.pending)+len(w.indexed) == 0:
		out.Status = plan.StepAlready
	}
	if out.Detail == "" {
		out.Detail = "the old primary had nothing loaded"
	}
	return out
}
