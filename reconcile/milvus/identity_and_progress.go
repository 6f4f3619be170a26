package milvus

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
)

// identity finds out who answers. own: it is this cluster, proven by a channel that only
// this cluster has, by its stored list, or by the physical channels of a collection. other
// is another member whose channel is served here. first asks whether the cluster answers
// for its first channel.
func (r *viewReader) identity(ctx context.Context, first func() <-chan bool) (own bool, other string) {
	named, alone := listProves(r.view.Belief.Configuration, r.target.cluster)
	if alone {
		return true, ""
	}
	own, other = r.channelServed(ctx, first)
	if other != "" {
		return false, other
	}
	if own || named && r.brief == nil { // over a brief connection others had little time to answer
		return true, ""
	}
	if r.brief != nil {
		return false, "" // and is asked again
	}
	return r.collectionChannels(ctx)
}

// channelServed asks for the first channel of this cluster and, unless the answer comes
// soon, for those of every other member at once: a cluster waits until the deadline for a
// channel that is not its own (milvus.md §1.3).
func (r *viewReader) channelServed(ctx context.Context, first func() <-chan bool) (own bool, other string) {
	ctx, cancel := r.withReadTimeout(ctx)
	defer cancel()
	asked := r.firstChannels()
	var mine <-chan bool
	if _, tells := asked[r.target.cluster.ID]; tells {
		mine = first()
		delete(asked, r.target.cluster.ID)
	}
	if mine != nil {
		soon := time.NewTimer(r.fleet.awaitSoon)
		defer soon.Stop()
		select {
		case ok := <-mine:
			if ok {
				return true, ""
			}
			mine = nil
		case <-soon.C:
		}
	}
	answers := r.servedOf(ctx, asked)
	for left := len(asked); left > 0 || mine != nil; {
		select {
		case ok := <-mine:
			if ok {
				return true, "" // cancels the others
			}
			mine = nil
		case id := <-answers:
			left--
			other = cmp.Or(id, other)
		}
	}
	return false, other
}

// servedOf asks for one channel of each member. It sends the members that the cluster
// answers for, and an empty name at the end.
func (r *viewReader) servedOf(ctx context.Context, asked map[string]string) <-chan string {
	answers := make(chan string, len(asked))
	for id, channel := range asked {
		go func() {
			if _, err := r.info(ctx, channel, id); err != nil {
				id = ""
			}
			answers <- id
		}()
	}
	return answers
}

// firstServed says whether the cluster answers for its first channel.
func (r *viewReader) firstServed(ctx context.Context) bool {
	if r.early.first != nil {
		return r.early.first.wait(ctx) == nil
	}
	ctx, cancel := r.withReadTimeout(ctx)
	defer cancel()
	_, err := r.info(ctx, r.target.cluster.PChannels[0], r.target.cluster.ID)
	return err == nil
}

// firstTells says whether the first channel of this cluster tells it from the other members.
func (r *viewReader) firstTells() bool {
	self := r.target.cluster
	return len(self.PChannels) > 0 && !slices.ContainsFunc(r.target.topology.document.Clusters, func(c plan.Cluster) bool {
		return c.ID != self.ID && len(c.PChannels) > 0 && c.PChannels[0] == self.PChannels[0]
	})
}

// firstChannels returns, for every member, the first channel that tells it from the other
// members.
func (r *viewReader) firstChannels() map[string]string {
	count := map[string]int{}
	for _, c := range r.target.topology.document.Clusters {
		if len(c.PChannels) > 0 {
			count[c.PChannels[0]]++
		}
	}
	out := map[string]string{}
	for _, c := range r.target.topology.document.Clusters {
		if len(c.PChannels) > 0 && count[c.PChannels[0]] == 1 {
			out[c.ID] = c.PChannels[0]
		}
	}
	return out
}

// collectionChannels reads the physical channels of any one collection: they have the
// cluster's own names.
func (r *viewReader) collectionChannels(ctx context.Context) (own bool, other string) {
	ctx, cancel := r.withReadTimeout(ctx)
	defer cancel()
	shown, err := r.api.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{})
	if err != nil || len(shown.GetCollectionNames()) == 0 {
		return false, ""
	}
	coll, err := r.api.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{CollectionName: shown.GetCollectionNames()[0]})
	if err != nil || len(coll.GetPhysicalChannelNames()) == 0 {
		return false, ""
	}
	channel := coll.GetPhysicalChannelNames()[0]
	owners := 0
	for _, c := range r.target.topology.document.Clusters {
		if slices.Contains(c.PChannels, channel) {
			owners++
			own, other = c.ID == r.target.cluster.ID, c.ID
		}
	}
	if owners != 1 {
		return false, ""
	}
	if own {
		return true, ""
	}
	return false, other
}

// progress reads how far each own channel has replicated, and what force promotes left
// behind (milvus.md §1.3). timely says that the source gave its tick before. first
// receives at once whether the cluster answered for its first channel.
func (r *viewReader) progress(ctx context.Context, sources []string, timely bool, first chan<- bool) []plan.ChannelProgress {
	channels := r.target.cluster.PChannels
	out := make([]plan.ChannelProgress, len(channels))
	checkpoints := make([]*commonpb.ReplicateCheckpoint, len(channels))
	read := func(i int) {
		out[i], checkpoints[i] = r.channel(ctx, channels[i], sources)
		if i == 0 {
			first <- out[0].Known
		}
	}
	switch {
	case len(out) == 0:
		first <- false
	case r.view.Belief.Kind == plan.BeliefStandby && r.brief != nil:
		ctx, cancel := r.withReadTimeout(ctx)
		defer cancel()
		infos, errs := r.brief.infos(ctx, channels, r.view.Belief.Source)
		for i, channel := range channels {
			out[i].Channel = channel
			checkpoints[i] = r.setChannel(&out[i], infos[i], errs[i])
		}
		first <- out[0].Known
	case r.view.Belief.Kind == plan.BeliefStandby:
		parallel.EachOvertaking(len(out), r.fleet.concurrency, read)
	default:
		// A primary before 2.6.19 waits until the deadline on every channel; the
		// first one tells for all.
		if read(0); !out[0].Known {
			for i, channel := range channels {
				out[i] = plan.ChannelProgress{Channel: channel, Error: out[0].Error}
			}
			break
		}
		parallel.EachOvertaking(len(out)-1, r.fleet.concurrency, func(i int) { read(i + 1) })
	}
	if timely {
		r.target.checkpoints = checkpoints
	}
	return out
}

// sources returns the clusters whose salvage checkpoints are asked for; none: no channel
// is read. The live checkpoint comes for any source, so a standby is asked once. A primary
// has no progress, only what force promotes left behind. That decides nothing about a
// member that the document calls a standby and that the primary stores as its target: it
// matters for a fence and for the loss, both of stale clusters. A primary that is to serve
// more channels than it stores is asked whether it does.
func (r *viewReader) sources() []string {
	belief, self := r.view.Belief, r.target.cluster
	if belief.Kind == plan.BeliefStandby {
		return []string{belief.Source}
	}
	var out []string
	for _, c := range r.target.topology.document.Clusters {
		if c.ID != self.ID && !(c.Role == plan.RoleStandby && belief.Configuration.HasEdge(self.ID, c.ID)) {
			out = append(out, c.ID)
		}
	}
	stored, _ := belief.Configuration.Member(self.ID)
	if len(out) == 0 && !slices.Equal(stored.PChannels, self.PChannels) {
		out = []string{self.ID}
	}
	return out
}

// channel reads one channel, and returns its checkpoint as it came too.
func (r *viewReader) channel(ctx context.Context, channel string, sources []string) (plan.ChannelProgress, *commonpb.ReplicateCheckpoint) {
	p := plan.ChannelProgress{Channel: channel}
	var checkpoint *commonpb.ReplicateCheckpoint
	for _, source := range sources {
		one, cancel := r.withReadTimeout(ctx)
		info, err := r.info(one, channel, source)
		cancel()
		if checkpoint = r.setChannel(&p, info, err); err != nil {
			break
		}
	}
	slices.SortFunc(p.Salvage, func(a, b plan.Salvage) int { return cmp.Compare(a.SourceCluster, b.SourceCluster) })
	return p, checkpoint
}

// setChannel sets what an answer says of a channel, and returns its checkpoint.
func (r *viewReader) setChannel(p *plan.ChannelProgress, info *milvuspb.GetReplicateInfoResponse, err error) *commonpb.ReplicateCheckpoint {
	if err != nil {
		p.Error = r.fleet.secrets.Scrub(tokens.Text(err))
		return nil
	}
	p.Known = true
	setProgress(p, info)
	return info.GetCheckpoint()
}

func (l *link) info(ctx context.Context, channel, source string) (*milvuspb.GetReplicateInfoResponse, error) {
	return l.api.GetReplicateInfo(ctx, &milvuspb.GetReplicateInfoRequest{SourceClusterId: source, TargetPchannel: channel}) //nolint:wrapcheck // classified by the caller
}

func setProgress(p *plan.ChannelProgress, info *milvuspb.GetReplicateInfoResponse) {
	if c := info.GetCheckpoint(); c != nil {
		p.SourceCluster, p.SourceChannel = interned(c.GetClusterId()), interned(c.GetPchannel())
		p.MessageID, p.TimeTick = messageID(c.GetMessageId()), c.GetTimeTick()
	}
	if s := info.GetSalvageCheckpoint(); s != nil {
		p.Salvage = append(p.Salvage, plan.Salvage{
			SourceCluster: interned(s.GetClusterId()), SourceChannel: interned(s.GetPchannel()),
			MessageID: messageID(s.GetMessageId()), TimeTick: s.GetTimeTick(),
		})
	}
}

// messageID returns the id in hex: it is a byte string whose form depends on the message
// queue.
func messageID(id *commonpb.MessageID) string { return hex.EncodeToString([]byte(id.GetId())) }
