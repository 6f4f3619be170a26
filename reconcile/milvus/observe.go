package milvus

import (
	"context"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// hardly is the part of a deadline for which an observation waits for a cluster that
// hangs. The rounds of evidence, which decide, give it more.
const hardly = 12

// Observe reads every cluster of the topologies, side by side, and returns a
// view of each, sorted by cluster. A cluster that does not answer is a view,
// not an error; one that may not be called says why.
func (r *Reader) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	what := look{identity: true, features: depth.Progress, hangs: true, reuse: !depth.Fresh, progress: depth.Progress, contents: depth.Contents, unlisted: depth.Unlisted}
	return r.each(ctx, topologies, depth, func(s *sight) {
		if s.cluster.ID == depth.Hanging && depth.InFlight != nil {
			r.fleet.shown(s, *depth.InFlight)
			return
		}
		if s.cluster.ID == depth.Hanging {
			r.fleet.see(ctx, s, look{identity: true, within: r.fleet.readTimeout / hardly})
			return
		}
		r.fleet.see(ctx, s, what)
	})
}

// Deepen adds to views that were made a moment ago what they lack, and returns
// the views of the topologies, sorted by cluster. What a cluster is and believes
// is not asked again: where that takes a deadline, it was paid for already. A
// cluster that did not answer then is not called.
func (r *Reader) Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth plan.Depth) []plan.View {
	return r.each(ctx, topologies, depth, func(s *sight) {
		s.view = plan.Observed{Views: views}.View(s.cluster.ID)
		if s.view.Reach == plan.ReachUp && s.allowed() {
			r.fleet.deepen(ctx, s, depth)
		}
	})
}

// each sees every cluster of the topologies, and asks for the backlog of a
// topology once all of it was seen. Primaries come first: their standbys wait
// for their moment.
func (r *Reader) each(ctx context.Context, topologies []plan.Topology, depth plan.Depth, see func(*sight)) []plan.View {
	var sights []*sight
	for _, t := range topologies {
		sights = append(sights, newScene(t, r.fleet.bind(t)).sights...)
	}
	unhurried(len(sights), r.fleet.concurrency, func(i int) {
		see(sights[i])
		sights[i].moment.tell(0)
		if !depth.Progress {
			sights[i].end() // nothing else is asked over its connection
		} else if scene := sights[i].scene; scene.left.Add(-1) == 0 {
			r.fleet.backlogs(ctx, scene)
			scene.leave()
		}
	})
	views := make([]plan.View, len(sights))
	for i, s := range sights {
		views[i] = s.view
	}
	slices.SortStableFunc(views, func(a, b plan.View) int { return strings.Compare(a.Cluster, b.Cluster) })
	return views
}

// deepen reads what a view lacks, over a connection of its own.
func (f *Fleet) deepen(ctx context.Context, s *sight, depth plan.Depth) {
	pass, err := f.ticket(s.access)
	if err != nil {
		return // what is not read stays unknown
	}
	l, err := f.dial(pass)
	if err != nil {
		return
	}
	s.holds(l, pass, l.close)
	r := reading{link: l, sight: s, view: s.view, pass: pass, what: look{
		progress: depth.Progress, features: depth.Progress && s.view.ForcePromotes == plan.SupportUnknown,
		contents: depth.Contents && !s.view.Contents.Known,
	}}
	r.details(ctx)
	s.view = r.view
}
