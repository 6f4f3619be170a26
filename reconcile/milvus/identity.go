package milvus

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
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
	if own || named {
		return true, ""
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
	ctx, cancel := r.withReadTimeout(ctx)
	defer cancel()
	_, err := r.info(ctx, r.target.cluster.PChannels[0], r.target.cluster.ID)
	return err == nil
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
