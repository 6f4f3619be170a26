package milvus

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

// A topology at rest is read in part. A standby that had replicated up to a place of the
// log of its source still has all of that, and the source holds nothing behind that place:
// then the standby has everything, and its checkpoint stands where it stood. So one read of
// the log answers for a channel of all standbys, and one channel of each standby, another
// each time, shows that it is still the same cluster and still attached. Where nothing was
// written, the collections are the same too.
//
// What nothing proves is read in the same observation (readUnproven). What changes without
// a message in the log is read again after wholeEvery at most: the version, a channel that
// lost its checkpoint alone, and rights.

// wholeEvery is after how long at most everything is read again.
const wholeEvery = 15 * time.Minute

// atRest is what an observation leaves for the next one of the same topology, if every
// cluster answered as the document wants it.
type atRest struct {
	clusters []plan.Cluster // of the document
	whole    time.Time      // when everything was read
	turn     int            // observations since
	quiet    bool           // nothing was written since the observation before
	kept     localMessages  // behind the checkpoints
	of       map[string]*restingCluster
}

// restingCluster is one cluster as the observation before found it.
type restingCluster struct {
	pass ticket
	view plan.View
	// wal names, by channel, the message queue of its message id.
	wal []commonpb.WALName
	// rests says, by channel, that its checkpoint did not move and nothing was unsent.
	rests []bool
}

// localMessages are messages behind a checkpoint that no standby ever gets.
type localMessages struct {
	count  int
	newest uint64 // tick
}

// add counts one message.
func (l *localMessages) add(m *commonpb.ImmutableMessage) {
	tick, _ := messageTick(m) // one that cannot be read is counted
	l.join(localMessages{1, tick})
}

func (l *localMessages) join(o localMessages) {
	l.count, l.newest = l.count+o.count, max(l.newest, o.newest)
}

// takeRest takes what the observation before left of a topology; nil: nothing, or it is of
// another document or too old. again says that the topology was read before.
func (f *Fleet) takeRest(t plan.Topology) (m *atRest, again bool) {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	m, again = f.resting[t.Name]
	if again {
		f.resting[t.Name] = nil
	}
	if m == nil || now.Sub(m.whole) >= wholeEvery || !reflect.DeepEqual(m.clusters, t.Clusters) {
		return nil, again
	}
	return m, true
}

// restOf returns what the observation before left of one cluster.
func (m *atRest) restOf(cluster string) *restingCluster {
	if m == nil {
		return nil
	}
	return m.of[cluster]
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
// something else, and asks for its version, which may have changed with that.
func (r *viewReader) forgetChange(ctx context.Context) {
	s := r.target
	if s.rest == nil {
		return
	}
	before := s.rest.view.Belief
	switch b := r.view.Belief; {
	case b.Kind == before.Kind && b.Source == before.Source && !b.Inferred && b.Configuration.Equal(before.Configuration):
		return
	case r.view.Reach == plan.ReachUp:
		r.view.Version, _ = r.version(ctx)
	}
	s.rest = nil
}

// versionOrKnown asks for the version, unless it is known from before and the cluster
// gives its configuration as usual.
func (r *viewReader) versionOrKnown(ctx context.Context, came <-chan struct{}, configuration *outcome) (tag string, told bool) {
	if before := r.target.rest; before != nil && before.view.Version != "" && arrivesWithin(came, r.fleet.awaitSoon) && configuration.answered() {
		return before.view.Version, true
	}
	return r.version(ctx)
}

// progressAtRest takes the progress of the channels that rest from the observation before,
// and reads the others and one that rests, which must be as it was. It returns nil if it
// is not.
func (r *viewReader) progressAtRest(ctx context.Context, sources []string) []plan.ChannelProgress {
	before, s := r.target.rest, r.target
	out := slices.Clone(before.view.Progress)
	checkpoints, assumed := make([]*commonpb.ReplicateCheckpoint, len(out)), slices.Clone(before.rests)
	probe := s.topology.rest.turn % len(out)
	assumed[probe] = false
	var read []int
	for i := range out {
		out[i].CaughtUpAt, out[i].Unsent = nil, nil
		if assumed[i] {
			checkpoints[i] = before.checkpoint(i)
		} else {
			read = append(read, i)
		}
	}
	inParallelOvertaking(len(read), r.fleet.concurrency, func(n int) {
		i := read[n]
		out[i], checkpoints[i] = r.channel(ctx, out[i].Channel, sources)
	})
	if !attachedAsBefore(out[probe], before.view.Progress[probe]) {
		return nil
	}
	s.checkpoints, s.assumed = checkpoints, assumed
	return out
}

// attachedAsBefore says whether a channel still replicates the same channel of the same
// source, and force promotes left nothing new behind.
func attachedAsBefore(now, before plan.ChannelProgress) bool {
	return now.Known && now.SourceCluster == before.SourceCluster && now.SourceChannel == before.SourceChannel && slices.Equal(now.Salvage, before.Salvage)
}

// checkpoint returns the checkpoint of a channel.
func (c *restingCluster) checkpoint(i int) *commonpb.ReplicateCheckpoint {
	p := c.view.Progress[i]
	out := &commonpb.ReplicateCheckpoint{ClusterId: p.SourceCluster, Pchannel: p.SourceChannel, TimeTick: p.TimeTick}
	if id, err := hex.DecodeString(p.MessageID); err == nil && len(id) > 0 {
		out.MessageId = &commonpb.MessageID{Id: string(id), WALName: c.wal[i]}
	}
	return out
}

// readProgress reads how far the channels have replicated: in part if they rest.
func (r *viewReader) readProgress(ctx context.Context, sources []string, timely bool, first chan<- bool) []plan.ChannelProgress {
	s := r.target
	if timely && s.rest != nil && len(s.rest.rests) == len(s.cluster.PChannels) && slices.Contains(s.rest.rests, true) {
		if out := r.progressAtRest(ctx, sources); out != nil {
			first <- true // only this cluster has such a channel
			return out
		}
	}
	return r.progress(ctx, sources, timely, first)
}

// readUnproven reads the channels of standbys that were taken from the observation before
// and that nothing shows to be unchanged. It returns those that some message is behind.
func (f *Fleet) readUnproven(ctx context.Context, reads []*clusterRead) []standbyBehind {
	var stale []standbyBehind
	var behind []standbyBehind
	for _, s := range reads {
		for i := range s.assumed {
			if p := &s.view.Progress[i]; s.assumed[i] && p.CaughtUpAt == nil {
				stale = append(stale, standbyBehind{standby: s.cluster.ID, channel: p, read: s, index: i})
			}
		}
	}
	for _, b := range stale {
		f.lasting(b.read)
	}
	inParallelOvertaking(len(stale), f.concurrency, func(n int) {
		s, i, p := stale[n].read, stale[n].index, stale[n].channel
		lacks := p.Unsent != nil
		r := viewReader{link: s.link, target: s, view: s.view, pass: s.pass}
		*p, s.checkpoints[i] = r.channel(ctx, p.Channel, []string{s.view.Belief.Source})
		stale[n].from, s.assumed[i] = s.checkpoints[i], false
		if !lacks || !p.Known {
			stale[n].read = nil
		}
	})
	for _, b := range stale {
		if b.read != nil {
			behind = append(behind, b)
		}
	}
	return behind
}

// settle reads what was taken from the observation before and is not proven to be
// unchanged, and keeps for the next one what this one found.
func (f *Fleet) settle(ctx context.Context, t *topologyRead) {
	f.readUnproven(ctx, t.reads)
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
	inParallelOvertaking(len(reads), f.concurrency, func(i int) {
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
			if p.CaughtUpAt == nil || !stands(p, s.rest.view.Progress[i]) {
				return false
			}
		}
	}
	primary := t.reads[0]
	return primary.rest != nil && !slices.ContainsFunc(primary.cluster.PChannels, func(channel string) bool {
		return !slices.ContainsFunc(t.reads[1].view.Progress, func(p plan.ChannelProgress) bool { return p.SourceChannel == channel })
	})
}

// stands says whether a channel has replicated nothing since before.
func stands(now, before plan.ChannelProgress) bool {
	return now.Known && before.Known && now.SourceCluster == before.SourceCluster && now.SourceChannel == before.SourceChannel &&
		now.MessageID == before.MessageID && now.TimeTick == before.TimeTick
}

// channelsDiffer says whether no two clusters have a channel of the same name: then one
// that is answered for tells which cluster answers.
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

// keepRest keeps what an observation found. The first time that everything is read again
// is drawn, so that not all topologies are read whole at once.
func (f *Fleet) keepRest(t *topologyRead, quiet bool) {
	if t.rest == nil && !channelsDiffer(t.document) {
		return
	}
	m := &atRest{clusters: t.document.Clusters, whole: f.clock.Now(), quiet: quiet, kept: t.kept, of: map[string]*restingCluster{}}
	switch {
	case t.rest != nil:
		m.whole, m.turn = t.rest.whole, t.rest.turn+1
	case !t.again:
		m.whole = m.whole.Add(-rand.N(wholeEvery)) //nolint:gosec // no secret
	}
	for _, s := range t.reads {
		m.of[s.cluster.ID] = s.resting()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resting[t.document.Name] = m
}

// resting is what the next observation is told of a cluster.
func (s *clusterRead) resting() *restingCluster {
	out := &restingCluster{pass: s.pass, view: s.view}
	for i, p := range s.view.Progress {
		wal := commonpb.WALName_Unknown
		if s.checkpoints != nil {
			wal = s.checkpoints[i].GetMessageId().GetWALName()
		}
		moved := s.rest != nil && i < len(s.rest.view.Progress) && !stands(p, s.rest.view.Progress[i])
		out.wal = append(out.wal, wal)
		out.rests = append(out.rests, s.checkpoints != nil && p.Known && p.SourceCluster != "" && p.CaughtUpAt != nil && p.Unsent == nil && !moved)
	}
	return out
}

// assumesSomethingUnsent says whether the source holds messages for a channel whose
// progress is that of the observation before.
func (s *clusterRead) assumesSomethingUnsent() bool {
	return slices.ContainsFunc(s.view.Progress, func(p plan.ChannelProgress) bool { return p.Unsent != nil }) && slices.Contains(s.assumed, true)
}
