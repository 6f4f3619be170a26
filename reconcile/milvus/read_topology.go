package milvus

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

// topologyRead is one topology in one observation.
type topologyRead struct {
	document plan.Topology
	reads    []*clusterRead // the primary's first
	unread   atomic.Int32
}

// clusterRead is one cluster in one observation.
type clusterRead struct {
	access
	topology *topologyRead
	view     plan.View
	// link stays open until all of the topology was seen; nil: there is none.
	link    *link
	pass    ticket // of link
	release func() // ends or keeps link
	// checkpoints of the channels in view.Progress, if they were read after the
	// moment of their source.
	checkpoints      []*commonpb.ReplicateCheckpoint
	tick             sourceTick
	featuresFromDump bool // a source, of which DumpMessages will tell its features
}

func newTopologyRead(t plan.Topology, bound map[string]access) *topologyRead {
	s := &topologyRead{document: t}
	for _, c := range t.Clusters {
		s.reads = append(s.reads, s.newClusterRead(bound[c.ID]))
	}
	slices.SortStableFunc(s.reads, func(a, b *clusterRead) int { return primaryFirst(a) - primaryFirst(b) })
	s.unread.Store(int32(len(s.reads))) //nolint:gosec // a handful
	return s
}

func primaryFirst(s *clusterRead) int {
	if s.cluster.Role == plan.RolePrimary {
		return 0
	}
	return 1
}

func (s *topologyRead) newClusterRead(a access) *clusterRead {
	return &clusterRead{access: a, topology: s, tick: sourceTick{published: make(chan struct{})}}
}

// readOf is the sight of a cluster, or nil.
func (s *topologyRead) readOf(cluster string) *clusterRead {
	i := slices.IndexFunc(s.reads, func(o *clusterRead) bool { return o.cluster.ID == cluster })
	if i < 0 {
		return nil
	}
	return s.reads[i]
}

func (s *topologyRead) closeLinks() {
	for _, o := range s.reads {
		o.releaseLink()
	}
}

// holdLink takes over a connection until the scene is left.
func (s *clusterRead) holdLink(l *link, pass ticket, leave func()) {
	s.link, s.pass, s.release = l, pass, leave
}

// releaseLink leaves the cluster; only the view is kept.
func (s *clusterRead) releaseLink() {
	if s.link != nil {
		s.release()
	}
	s.link, s.release, s.checkpoints = nil, nil, nil
}

// sourceTick is a tick of a source. What its standbys say of their channels after it
// was given, and what the source holds up to it, together tell what is unsent.
type sourceTick struct {
	once      sync.Once
	published chan struct{} // closed once tick stands
	value     uint64        // 0: none was given
	// asked: the source was asked for it. One that was and did not answer is not
	// asked again, which would cost a second deadline.
	asked bool
}

// publish ends the waiting for a moment. Only the first word counts.
func (m *sourceTick) publish(tick uint64) {
	m.once.Do(func() {
		m.value = tick
		close(m.published)
	})
}

// await waits a little for the moment of a source that may be lost.
func (m *sourceTick) await(ctx context.Context, patience time.Duration) bool {
	soon := time.NewTimer(patience)
	defer soon.Stop()
	select {
	case <-m.published:
		return m.value != 0
	case <-soon.C:
	case <-ctx.Done():
	}
	return false
}
