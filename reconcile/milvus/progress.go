package milvus

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// progress reads how far each own channel has replicated, and what force
// promotes left behind (milvus.md section 1.3). first, if not nil, hears at once
// whether the cluster answered for its first channel.
func (r *reading) progress(ctx context.Context, first chan<- bool) []plan.ChannelProgress {
	sources := r.sources()
	out := make([]plan.ChannelProgress, len(r.self.PChannels))
	if len(out) == 0 {
		return nil
	}
	// A primary before 2.6.19 waits until the deadline on every channel; the
	// first one tells for all.
	out[0] = r.channel(ctx, r.self.PChannels[0], sources)
	if first != nil {
		first <- out[0].Known
	}
	if !out[0].Known && r.view.Belief.Kind != plan.BeliefStandby {
		for i, channel := range r.self.PChannels {
			out[i] = plan.ChannelProgress{Channel: channel, Error: out[0].Error}
		}
		return out
	}
	limited(len(out)-1, r.fleet.concurrency, func(i int) {
		out[i+1] = r.channel(ctx, r.self.PChannels[i+1], sources)
	})
	return out
}

// sources are the clusters whose salvage checkpoints are asked for. The live
// checkpoint comes whatever source is named, so a standby is asked once.
func (r *reading) sources() []string {
	if r.view.Belief.Kind == plan.BeliefStandby {
		return []string{r.view.Belief.Source}
	}
	var out []string
	for _, c := range r.topology.Clusters {
		if c.ID != r.self.ID {
			out = append(out, c.ID)
		}
	}
	if len(out) == 0 {
		out = []string{r.self.ID}
	}
	return out
}

func (r *reading) channel(ctx context.Context, channel string, sources []string) plan.ChannelProgress {
	p := plan.ChannelProgress{Channel: channel}
	for _, source := range sources {
		one, cancel := r.shortly(ctx)
		info, err := r.info(one, channel, source)
		cancel()
		if err != nil {
			p.Error = r.fleet.secrets.scrub(words(err))
			break
		}
		p.Known = true
		take(&p, info)
	}
	slices.SortFunc(p.Salvage, func(a, b plan.Salvage) int { return cmp.Compare(a.SourceCluster, b.SourceCluster) })
	return p
}

func (l *link) info(ctx context.Context, channel, source string) (*milvuspb.GetReplicateInfoResponse, error) {
	return l.api.GetReplicateInfo(ctx, &milvuspb.GetReplicateInfoRequest{SourceClusterId: source, TargetPchannel: channel}) //nolint:wrapcheck // classified by the caller
}

func take(p *plan.ChannelProgress, info *milvuspb.GetReplicateInfoResponse) {
	if c := info.GetCheckpoint(); c != nil {
		p.SourceCluster, p.SourceChannel = c.GetClusterId(), c.GetPchannel()
		p.MessageID, p.TimeTick = messageID(c.GetMessageId()), c.GetTimeTick()
	}
	if s := info.GetSalvageCheckpoint(); s != nil {
		p.Salvage = append(p.Salvage, plan.Salvage{
			SourceCluster: s.GetClusterId(), SourceChannel: s.GetPchannel(),
			MessageID: messageID(s.GetMessageId()), TimeTick: s.GetTimeTick(),
		})
	}
}

// messageID is the id in hex: it is a byte string whose form depends on the
// message queue.
func messageID(id *commonpb.MessageID) string { return hex.EncodeToString([]byte(id.GetId())) }
