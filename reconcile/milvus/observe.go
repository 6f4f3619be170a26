package milvus

import (
	"context"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// hangingPart: an observation waits for a hanging cluster one part in this many of the
// read timeout. The rounds of evidence, which decide, give it more.
const hangingPart = 12

// Observe reads every cluster of the topologies in parallel and returns a view of each,
// sorted by cluster. That a cluster does not answer, or may not be called, is in its view.
func (r *Reader) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	what := probeOptions{identity: true, features: depth.Progress, askTwice: true, reuse: !depth.Fresh, progress: depth.Progress, contents: depth.Contents, unlisted: depth.Unlisted}
	return r.readAll(ctx, topologies, depth, func(s *clusterRead) {
		if s.cluster.ID == depth.Hanging && depth.InFlight != nil {
			r.fleet.viewInFlight(s, *depth.InFlight)
			return
		}
		if s.cluster.ID == depth.Hanging {
			r.fleet.readCluster(ctx, s, probeOptions{identity: true, within: r.fleet.readTimeout / hangingPart})
			return
		}
		r.fleet.readCluster(ctx, s, what)
	})
}

// Deepen adds to views that were just made what they lack for the depth, and returns the
// views of the topologies, sorted by cluster. It does not read again what a cluster is and
// believes: where that costs a deadline, it was paid already. It does not call a cluster
// that did not answer before.
func (r *Reader) Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth plan.Depth) []plan.View {
	return r.readAll(ctx, topologies, depth, func(s *clusterRead) {
		s.view = plan.Observed{Views: views}.View(s.cluster.ID)
		if s.view.Reach == plan.ReachUp && s.allowed() {
			r.fleet.deepen(ctx, s, depth)
		}
	})
}

// readAll reads every cluster of the topologies, and the backlog of a topology once all of
// it is read. Primaries come first, because their standbys wait for their tick.
func (r *Reader) readAll(ctx context.Context, topologies []plan.Topology, depth plan.Depth, read func(*clusterRead)) []plan.View {
	var reads []*clusterRead
	for _, t := range topologies {
		reads = append(reads, newTopologyRead(t, r.fleet.bind(t)).reads...)
	}
	inParallelOvertaking(len(reads), r.fleet.concurrency, func(i int) {
		read(reads[i])
		reads[i].tick.publish(0)
		if !depth.Progress {
			reads[i].releaseLink() // nothing else is asked over its connection
		} else if t := reads[i].topology; t.unread.Add(-1) == 0 {
			r.fleet.backlogs(ctx, t)
			t.closeLinks()
		}
	})
	views := make([]plan.View, len(reads))
	for i, s := range reads {
		views[i] = s.view
	}
	slices.SortStableFunc(views, func(a, b plan.View) int { return strings.Compare(a.Cluster, b.Cluster) })
	return views
}

// deepen reads what a view lacks, over a connection of its own.
func (f *Fleet) deepen(ctx context.Context, s *clusterRead, depth plan.Depth) {
	pass, err := f.ticket(s.access)
	if err != nil {
		return // what is not read stays unknown
	}
	l, err := f.dial(pass)
	if err != nil {
		return
	}
	s.holdLink(l, pass, l.close)
	r := viewReader{link: l, target: s, view: s.view, pass: pass, options: probeOptions{
		progress: depth.Progress, features: depth.Progress && s.view.ForcePromotes == plan.SupportUnknown,
		contents: depth.Contents && !s.view.Contents.Known,
	}}
	r.details(ctx)
	s.view = r.view
}
