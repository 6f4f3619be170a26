package conformance

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// converge brings expendable clusters back to a star of A, whatever the case
// before has left: each alone first, then linked anew.
func (e *env) converge(standbys ...*Cluster) {
	e.t.Helper()
	want := star(e.a, standbys...)
	for _, c := range append([]*Cluster{e.a}, standbys...) {
		if e.fresh(c) || !sameShape(e.read(c), want) {
			e.part()
			for _, c := range append([]*Cluster{e.a}, standbys...) {
				e.call(c, want)
			}
			break
		}
	}
	for _, c := range standbys {
		e.flowing(e.a, c)
	}
}

// part leaves every cluster alone: those that are no standby first, since their
// standbys may hear of it from them.
func (e *env) part() {
	e.t.Helper()
	all := e.clusters()
	slices.SortStableFunc(all, func(x, y *Cluster) int { return e.rank(x) - e.rank(y) })
	for _, c := range all {
		e.separate(c)
	}
}

func (e *env) rank(c *Cluster) int {
	if !e.fresh(c) && e.standby(c) {
		return 1
	}
	return 0
}

// separate makes a cluster a primary of its own. It may become one by
// replication meanwhile, so an error is no verdict.
func (e *env) separate(c *Cluster) {
	e.t.Helper()
	e.eventually(c.ID+" is alone", func() bool {
		if !e.fresh(c) && e.alone(c) {
			return true
		}
		standby := !e.fresh(c) && e.standby(c)
		// A removal that a source has sent must arrive: forcing the standby first
		// would leave the source's task behind, and that would replay the removal
		// as soon as the two are linked again (M §4.4).
		if standby && e.within(e.patience, func() bool { return e.alone(c) }) {
			return true
		}
		e.send(e.long(c), c, star(c), standby)
		return false
	})
}

func (e *env) alone(c *Cluster) bool { return len(e.read(c).GetClusters()) == 1 }

func (e *env) standby(c *Cluster) bool {
	return slices.ContainsFunc(e.read(c).GetCrossClusterTopology(), func(edge *commonpb.CrossClusterTopology) bool {
		return edge.GetTargetClusterId() == c.ID
	})
}

// sameShape tells whether two configurations are the same but for their tokens,
// which are not told.
func sameShape(x, y *commonpb.ReplicateConfiguration) bool {
	return proto.Equal(blank(cloned(x)), blank(cloned(y)))
}

func cloned(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	return proto.Clone(cfg).(*commonpb.ReplicateConfiguration)
}
