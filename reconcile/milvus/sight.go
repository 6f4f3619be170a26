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

// scene is one topology in one observation.
type scene struct {
	topology plan.Topology
	sights   []*sight // the primary's first
	left     atomic.Int32
}

// sight is one cluster in one observation.
type sight struct {
	access
	scene *scene
	view  plan.View
	// link stays open until all of the topology was seen; nil: there is none.
	link  *link
	pass  ticket // of link
	leave func() // ends or keeps link
	// checkpoints of the channels in view.Progress, if they were read after the
	// moment of their source.
	checkpoints []*commonpb.ReplicateCheckpoint
	moment      moment
	unprobed    bool // a source, of which DumpMessages will tell its features
}

func newScene(t plan.Topology, bound map[string]access) *scene {
	s := &scene{topology: t}
	for _, c := range t.Clusters {
		s.sights = append(s.sights, s.sight(bound[c.ID]))
	}
	slices.SortStableFunc(s.sights, func(a, b *sight) int { return rank(a) - rank(b) })
	s.left.Store(int32(len(s.sights))) //nolint:gosec // a handful
	return s
}

func rank(s *sight) int {
	if s.cluster.Role == plan.RolePrimary {
		return 0
	}
	return 1
}

func (s *scene) sight(a access) *sight {
	return &sight{access: a, scene: s, moment: moment{told: make(chan struct{})}}
}

// of is the sight of a cluster, or nil.
func (s *scene) of(cluster string) *sight {
	i := slices.IndexFunc(s.sights, func(o *sight) bool { return o.cluster.ID == cluster })
	if i < 0 {
		return nil
	}
	return s.sights[i]
}

func (s *scene) leave() {
	for _, o := range s.sights {
		o.end()
	}
}

// holds takes over a connection until the scene is left.
func (s *sight) holds(l *link, pass ticket, leave func()) { s.link, s.pass, s.leave = l, pass, leave }

// end leaves the cluster; only the view is kept.
func (s *sight) end() {
	if s.link != nil {
		s.leave()
	}
	s.link, s.leave, s.checkpoints = nil, nil, nil
}

// moment is a tick of a source. What its standbys say of their channels after it
// was given, and what the source holds up to it, together tell what is unsent.
type moment struct {
	once sync.Once
	told chan struct{} // closed once tick stands
	tick uint64        // 0: none was given
	// asked: the source was asked for it. One that was and did not answer is not
	// asked again, which would cost a second deadline.
	asked bool
}

// tell ends the waiting for a moment. Only the first word counts.
func (m *moment) tell(tick uint64) {
	m.once.Do(func() {
		m.tick = tick
		close(m.told)
	})
}

// given waits a little for the moment of a source that may be lost.
func (m *moment) given(ctx context.Context, patience time.Duration) bool {
	soon := time.NewTimer(patience)
	defer soon.Stop()
	select {
	case <-m.told:
		return m.tick != 0
	case <-soon.C:
	case <-ctx.Done():
	}
	return false
}
