package milvus

import (
	"context"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Depth says how much an observation reads beyond reach, version, features,
// identity and the stored configuration.
type Depth struct {
	Progress bool // channel progress of every cluster, and what its source has not sent
	Contents bool // databases and collections
}

// Observe reads every cluster of the topologies, side by side, and returns a
// view of each, sorted by cluster. A cluster that does not answer is a view,
// not an error; one that may not be called says why.
func (r *Reader) Observe(ctx context.Context, topologies []plan.Topology, depth Depth) []plan.View {
	type job struct {
		topology plan.Topology
		access   access
	}
	var jobs []job
	bound := make([]map[string]access, len(topologies))
	for i, t := range topologies {
		bound[i] = bind(t, r.fleet.credentials)
		for _, c := range t.Clusters {
			jobs = append(jobs, job{t, bound[i][c.ID]})
		}
	}
	views := make([]plan.View, len(jobs))
	what := look{identity: true, hangs: true, progress: depth.Progress, contents: depth.Contents}
	limited(len(jobs), r.fleet.concurrency, func(i int) {
		views[i] = r.fleet.view(ctx, jobs[i].topology, jobs[i].access, what)
	})
	if depth.Progress {
		r.backlogs(ctx, topologies, bound, views)
	}
	slices.SortStableFunc(views, func(a, b plan.View) int { return strings.Compare(a.Cluster, b.Cluster) })
	return views
}
