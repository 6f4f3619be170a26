package milvus

import (
	"context"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Depth says how much an observation reads beyond reach, version, identity and
// the stored configuration.
type Depth struct {
	// Progress: channel progress of every cluster, what its source has not sent,
	// and whether it could be promoted by force.
	Progress bool
	Contents bool // databases and collections
}

// Observe reads every cluster of the topologies, side by side, and returns a
// view of each, sorted by cluster. A cluster that does not answer is a view,
// not an error; one that may not be called says why.
func (r *Reader) Observe(ctx context.Context, topologies []plan.Topology, depth Depth) []plan.View {
	what := look{identity: true, features: depth.Progress, hangs: true, reuse: true, progress: depth.Progress, contents: depth.Contents}
	return r.each(ctx, topologies, depth, func(t plan.Topology, a access) plan.View { return r.fleet.view(ctx, t, a, what) })
}

// Deepen adds to views that were made a moment ago what they lack, and returns
// the views of the topologies, sorted by cluster. What a cluster is and believes
// is not asked again: where that takes a deadline, it was paid for already. A
// cluster that did not answer then is not called.
func (r *Reader) Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth Depth) []plan.View {
	return r.each(ctx, topologies, depth, func(t plan.Topology, a access) plan.View {
		v := plan.Observed{Views: views}.View(a.cluster.ID)
		if v.Reach == plan.ReachUp && a.allowed() {
			r.fleet.deepen(ctx, t, a, &v, depth)
		}
		return v
	})
}

// each makes a view of every cluster of the topologies.
func (r *Reader) each(ctx context.Context, topologies []plan.Topology, depth Depth, view func(plan.Topology, access) plan.View) []plan.View {
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
	unhurried(len(jobs), r.fleet.concurrency, func(i int) { views[i] = view(jobs[i].topology, jobs[i].access) })
	if depth.Progress {
		r.backlogs(ctx, topologies, bound, views)
	}
	slices.SortStableFunc(views, func(a, b plan.View) int { return strings.Compare(a.Cluster, b.Cluster) })
	return views
}

// deepen reads what a view lacks, over a connection of its own.
func (f *Fleet) deepen(ctx context.Context, t plan.Topology, a access, v *plan.View, depth Depth) {
	pass, err := f.ticket(a)
	if err != nil {
		return // what is not read stays unknown
	}
	l, err := f.dial(pass)
	if err != nil {
		return
	}
	defer l.close()
	r := reading{link: l, topology: t, self: a.cluster, view: *v}
	both(
		func() {
			if depth.Progress && len(v.Progress) == 0 {
				v.Progress = r.progress(ctx, nil)
			}
		},
		func() {
			if depth.Progress && v.ForcePromotes == plan.SupportUnknown {
				v.ForcePromotes = r.forcePromotes(ctx)
			}
		},
		func() {
			if depth.Contents && !v.Contents.Known {
				v.Contents = f.contents(ctx, pass)
			}
		},
	)
}
