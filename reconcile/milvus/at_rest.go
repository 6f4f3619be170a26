package milvus

import (
	"context"
	"reflect"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/wal"
)

// A topology at rest is read without its collections. Each observation reads what every
// cluster believes, its version, and every channel of each standby, and behind the
// checkpoints the log of the primary. A standby that had replicated up to a place of the
// log of its source still has all of that. If its checkpoints stand where they stood and
// the source holds nothing behind them, then nothing was written, and no collection came
// or went without a message. If anything was written, the collections are read in the same
// observation (settle).

// atRest is what an observation leaves for the next one of the same topology, if every
// cluster answered as the document wants it.
type atRest struct {
	clusters  []plan.Cluster // of the document
	quiet     bool           // nothing was written since the observation before
	kept      localMessages  // behind the checkpoints
	byCluster map[string]*restingCluster
}

// restingCluster is one cluster as the observation before found it.
type restingCluster struct {
	pass ticket
	view plan.View
}

// localMessages are messages behind a checkpoint that no standby ever gets.
type localMessages struct {
	count  int
	newest uint64 // tick
}

// add counts one message.
func (l *localMessages) add(m *commonpb.ImmutableMessage) {
	tick, _ := wal.Tick(m) // one that cannot be read is counted
	l.join(localMessages{1, tick})
}

func (l *localMessages) join(o localMessages) {
	l.count, l.newest = l.count+o.count, max(l.newest, o.newest)
}

// takeRest takes what the observation before left of a topology; nil: nothing, or it is of
// another document.
func (f *Fleet) takeRest(t plan.Topology) *atRest {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.resting[t.Name]
	delete(f.resting, t.Name)
	if m == nil || !reflect.DeepEqual(m.clusters, t.Clusters) {
		return nil
	}
	return m
}

// restOf returns what the observation before left of one cluster.
func (m *atRest) restOf(cluster string) *restingCluster {
	if m == nil {
		return nil
	}
	return m.byCluster[cluster]
}

// believeStored derives the belief from the stored configuration. One that is as before is
// not taken apart again.
func (r *viewReader) believeStored(stored *commonpb.ReplicateConfiguration) (belief plan.Belief, conflict string) {
	if before := r.target.rest; before != nil && !before.view.Belief.Inferred && holds(stored, before.view.Belief.Configuration) {
		return before.view.Belief, ""
	}
	return believe(r.target.cluster.ID, fromProto(stored, r.target.topology.document))
}

// holds says whether an answer is a configuration, in the same order.
func holds(stored *commonpb.ReplicateConfiguration, c plan.Configuration) bool {
	return slices.EqualFunc(stored.GetClusters(), c.Clusters, func(m *commonpb.MilvusCluster, o plan.Member) bool {
		return m.GetClusterId() == o.ID && m.GetConnectionParam().GetUri() == o.URI && slices.Equal(m.GetPchannels(), o.PChannels)
	}) && slices.EqualFunc(stored.GetCrossClusterTopology(), c.Edges, func(e *commonpb.CrossClusterTopology, o plan.Edge) bool {
		return e.GetSourceClusterId() == o.From && e.GetTargetClusterId() == o.To
	})
}

// forgetChange drops what the observation before left of a cluster that now believes
// something else, or is of another version.
func (r *viewReader) forgetChange() {
	if r.target.rest == nil {
		return
	}
	b, before := r.view.Belief, r.target.rest.view
	same := b.Kind == before.Belief.Kind && b.Source == before.Belief.Source && !b.Inferred && b.Configuration.Equal(before.Belief.Configuration)
	if !same || r.view.Version != before.Version {
		r.target.rest = nil
	}
}

// attachedAsBefore says whether a channel still replicates the same channel of the same
// source, and force promotes left nothing new behind.
func attachedAsBefore(now, before plan.ChannelProgress) bool {
	return now.Known && now.SourceCluster == before.SourceCluster && now.SourceChannel == before.SourceChannel && slices.Equal(now.Salvage, before.Salvage)
}

// settle reads the collections that were taken from the observation before and are not
// proven to be unchanged, and keeps for the next one what this one found.
func (f *Fleet) settle(ctx context.Context, t *topologyRead) {
	quiet := t.quiet()
	if !quiet {
		f.readContents(ctx, t.reads)
	}
	if t.keeps && t.asWanted() {
		f.keepRest(t, quiet)
	}
}

// readContents reads the collections that were taken from the observation before.
func (f *Fleet) readContents(ctx context.Context, reads []*clusterRead) {
	reads = slices.DeleteFunc(slices.Clone(reads), func(s *clusterRead) bool { return !s.contentsAssumed })
	parallel.EachOvertaking(len(reads), f.concurrency, func(i int) {
		s := reads[i]
		f.lasting(s)
		s.view.Contents = s.link.contents(ctx, s.pass)
	})
}

// asWanted says whether every cluster answered as itself and is what the document says: one
// primary, and standbys that replicate from it.
func (t *topologyRead) asWanted() bool {
	primary := t.reads[0]
	for _, s := range t.reads {
		v := s.view
		if s.link == nil || v.Reach != plan.ReachUp || v.Class != plan.ClassNone || !v.IdentityProven {
			return false
		}
		standby := v.Belief.Kind == plan.BeliefStandby && v.Belief.Source == primary.cluster.ID && len(v.Progress) == len(s.cluster.PChannels)
		if s == primary && (s.cluster.Role != plan.RolePrimary || v.Belief.Kind != plan.BeliefPrimary) || s != primary && (s.cluster.Role != plan.RoleStandby || !standby) {
			return false
		}
	}
	return len(t.reads) > 1
}

// quiet says whether the log of the primary shows that nothing was written on any of its
// channels since the observation before, not even what no standby gets.
func (t *topologyRead) quiet() bool {
	if t.rest == nil || t.kept != t.rest.kept || !t.asWanted() {
		return false
	}
	for _, s := range t.reads[1:] {
		if s.rest == nil || len(s.rest.view.Progress) != len(s.view.Progress) {
			return false
		}
		for i, p := range s.view.Progress {
			if p.CaughtUpAt == nil || !replicatedNothing(p, s.rest.view.Progress[i]) {
				return false
			}
		}
	}
	primary := t.reads[0]
	return primary.rest != nil && !slices.ContainsFunc(primary.cluster.PChannels, func(channel string) bool {
		return !slices.ContainsFunc(t.reads[1].view.Progress, func(p plan.ChannelProgress) bool { return p.SourceChannel == channel })
	})
}

// replicatedNothing says whether a channel has replicated nothing since before.
func replicatedNothing(now, before plan.ChannelProgress) bool {
	return now.Known && before.Known && now.SourceCluster == before.SourceCluster && now.SourceChannel == before.SourceChannel &&
		now.MessageID == before.MessageID && now.TimeTick == before.TimeTick
}

// channelsDiffer says whether no two clusters have a channel of the same name. Then the
// name of a channel shows which cluster answers for it.
func channelsDiffer(t plan.Topology) bool {
	known := map[string]bool{}
	for _, c := range t.Clusters {
		for _, channel := range c.PChannels {
			if known[channel] {
				return false
			}
			known[channel] = true
		}
	}
	return true
}

// keepRest keeps what an observation found.
func (f *Fleet) keepRest(t *topologyRead, quiet bool) {
	if t.rest == nil && !channelsDiffer(t.document) {
		return
	}
	m := &atRest{clusters: t.document.Clusters, quiet: quiet, kept: t.kept, byCluster: map[string]*restingCluster{}}
	for _, s := range t.reads {
		m.byCluster[s.cluster.ID] = &restingCluster{pass: s.pass, view: s.view}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resting[t.document.Name] = m
}
