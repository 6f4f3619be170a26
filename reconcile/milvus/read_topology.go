package milvus

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/milvus/localpause"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// topologyRead is one topology in one observation.
type topologyRead struct {
	document plan.Topology
	reads    []*clusterRead // the primary first
	unread   atomic.Int32
	rest     *atRest       // what the observation before left; nil: everything is read
	keeps    bool          // what it finds is kept for the next observation
	kept     localMessages // that its sources hold behind the checkpoints
	stored   answers.Last  // configuration that a member gave
}

// clusterRead is one cluster in one observation.
type clusterRead struct {
	access
	topology *topologyRead
	view     plan.View
	// link stays open until every cluster of the topology is read; nil: there is none.
	link    *link
	pass    ticket // of link
	release func() // closes or keeps link
	// checkpoints are those of the channels in view.Progress, if the channels were read
	// after the tick of their source.
	checkpoints      []*commonpb.ReplicateCheckpoint
	tick             sourceTick
	featuresFromDump bool // a source: its features come from the dump of its own messages
	// rest is what the observation before left of it; nil: everything is read.
	rest            *restingCluster
	contentsAssumed bool // its collections are those of the observation before
}

// newTopologyRead prepares the reads of a topology, the primary first. rest is what the
// observation before left of it.
func newTopologyRead(t plan.Topology, bound map[string]access, rest *atRest) *topologyRead {
	s := &topologyRead{document: t, rest: rest}
	for _, c := range t.Clusters {
		one := s.newClusterRead(bound[c.ID])
		one.rest = rest.restOf(c.ID)
		s.reads = append(s.reads, one)
	}
	slices.SortStableFunc(s.reads, func(a, b *clusterRead) int { return primaryFirst(a) - primaryFirst(b) })
	s.unread.Store(int32(len(s.reads))) //nolint:gosec // a handful
	return s
}

// primaryFirst ranks reads for sorting.
func primaryFirst(s *clusterRead) int {
	if s.cluster.Role == plan.RolePrimary {
		return 0
	}
	return 1
}

// newClusterRead prepares the read of one cluster.
func (s *topologyRead) newClusterRead(a access) *clusterRead {
	return &clusterRead{access: a, topology: s, tick: sourceTick{published: make(chan struct{})}}
}

// readOf returns the read of a cluster, or nil.
func (s *topologyRead) readOf(cluster string) *clusterRead {
	i := slices.IndexFunc(s.reads, func(o *clusterRead) bool { return o.cluster.ID == cluster })
	if i < 0 {
		return nil
	}
	return s.reads[i]
}

// closeLinks releases every connection of the topology.
func (s *topologyRead) closeLinks() {
	for _, o := range s.reads {
		o.releaseLink()
	}
}

// holdLink takes over a connection until it is released.
func (s *clusterRead) holdLink(l *link, pass ticket, leave func()) {
	s.link, s.pass, s.release = l, pass, leave
}

// releaseLink closes or keeps the connection. Only the view remains.
func (s *clusterRead) releaseLink() {
	if s.link != nil {
		s.release()
	}
	s.link, s.release, s.checkpoints = nil, nil, nil
}

// releaseUnused releases a connection over which nothing else is asked, while other clusters
// of the topology may be waited for: that of a cluster that did not answer and, in a process
// that observes once, that of a standby whose channels were read in time.
func (s *clusterRead) releaseUnused() {
	read := s.link != nil && s.link.brief != nil && s.link.fleet.oneShot && s.view.Belief.Kind == plan.BeliefStandby && s.checkpoints != nil
	if s.view.Reach == plan.ReachUp && !read {
		return
	}
	checkpoints := s.checkpoints
	s.releaseLink()
	s.checkpoints = checkpoints
}

// sourceTick is a time tick of a source. What a standby says of its channels after the
// source gave the tick, and what the source holds up to the tick, show together what is
// unsent.
type sourceTick struct {
	once      sync.Once
	published chan struct{} // closed once value is set
	value     uint64        // 0: the source gave none
	// asked: the source was asked for the tick. One that did not answer is not asked
	// again, because that would cost a second deadline.
	asked bool
}

// publish sets the tick and ends the wait for it. Only the first call counts.
func (m *sourceTick) publish(tick uint64) {
	m.once.Do(func() {
		m.value = tick
		close(m.published)
	})
}

// await waits for the tick, for at most within: its source may be lost. It says whether
// there is one.
func (m *sourceTick) await(ctx context.Context, within time.Duration) bool {
	soon := time.NewTimer(within)
	defer soon.Stop()
	select {
	case <-m.published:
		return m.value != 0
	case <-soon.C:
	case <-ctx.Done():
	}
	return false
}

// hangingPart: an observation waits for a hanging cluster one part in this many of the
// read timeout. The rounds of evidence, which decide, give it more.
const hangingPart = 12

// Observe reads every cluster of the topologies in parallel and returns a view of each,
// sorted by cluster. That a cluster does not answer, or may not be called, is in its view.
func (r *Reader) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	what := probeOptions{identity: true, features: depth.Progress, askTwice: true, reuse: !depth.Fresh, progress: depth.Progress, contents: depth.Contents, unlisted: depth.Unlisted}
	pause := localpause.Start(r.fleet.wakeUpEvery)
	defer pause.Stop()
	return r.readAll(ctx, r.fleet.newReads(topologies, depth.AtRest), depth, func(s *clusterRead) {
		if s.cluster.ID == depth.Hanging {
			s.rest = nil
		}
		if s.cluster.ID == depth.Hanging && depth.InFlight != nil {
			r.fleet.viewInFlight(s, *depth.InFlight)
			return
		}
		if s.cluster.ID == depth.Hanging {
			r.fleet.readCluster(ctx, s, probeOptions{identity: true, within: r.fleet.readTimeout / hangingPart})
			return
		}
		r.fleet.observeCluster(ctx, s, what, pause)
	})
}

// newReads prepares the reads of topologies that are observed. With atRest they use what
// the observation before left.
func (f *Fleet) newReads(topologies []plan.Topology, atRest bool) []*topologyRead {
	var out []*topologyRead
	for _, t := range topologies {
		rest := f.takeRest(t)
		if !atRest {
			rest = nil
		}
		read := newTopologyRead(t, f.bind(t), rest)
		read.keeps = f.keepFor > 0
		out = append(out, read)
	}
	return out
}

// Deepen adds to views that were just made what they lack for the depth, and returns the
// views of the topologies, sorted by cluster. It does not read again what a cluster is and
// believes: where that costs a deadline, it was paid already. It does not call a cluster
// that did not answer before.
func (r *Reader) Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth plan.Depth) []plan.View {
	var reads []*topologyRead
	for _, t := range topologies {
		reads = append(reads, newTopologyRead(t, r.fleet.bind(t), nil))
	}
	depth.AtRest = false
	return r.readAll(ctx, reads, depth, func(s *clusterRead) {
		s.view = plan.Observed{Views: views}.View(s.cluster.ID)
		if s.view.Reach == plan.ReachUp && s.allowed() {
			r.fleet.deepen(ctx, s, depth)
		}
	})
}

// readAll reads every cluster of the topologies, and the backlog of a topology once all of
// it is read. Primaries come first, because their standbys wait for their tick.
func (r *Reader) readAll(ctx context.Context, topologies []*topologyRead, depth plan.Depth, read func(*clusterRead)) []plan.View {
	var reads []*clusterRead
	for _, t := range topologies {
		reads = append(reads, t.reads...)
	}
	parallel.EachOvertaking(len(reads), r.fleet.concurrency, func(i int) {
		read(reads[i])
		reads[i].tick.publish(0)
		if !depth.Progress {
			reads[i].releaseLink() // nothing else is asked over its connection
			return
		}
		reads[i].releaseUnused()
		if t := reads[i].topology; t.unread.Add(-1) == 0 {
			r.fleet.backlogs(ctx, t)
			r.fleet.settle(ctx, t)
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
		contents: depth.Contents && !s.view.Contents.Known, readiness: depth.Readiness && s.changesRole(),
	}}
	r.details(ctx)
	s.view = r.view
}
