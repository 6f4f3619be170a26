package milvus

import (
	"context"
	"errors"
	"io"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// details reads what only a cluster that answers can tell.
func (r *reading) details(ctx context.Context) {
	blind := r.view.ReadsConfiguration == plan.SupportNo
	var progress []plan.ChannelProgress
	var own bool
	var other string
	var promotes plan.Support
	var contents plan.Contents
	both(
		func() {
			if r.what.progress || blind {
				progress = r.progress(ctx)
			}
		},
		func() {
			if r.what.identity {
				own, other = r.identity(ctx)
			}
		},
		func() {
			if r.what.identity {
				promotes = r.forcePromotes(ctx)
			}
		},
		func() {
			if r.what.contents {
				contents = r.fleet.contents(ctx, r.pass)
			}
		},
	)
	v := &r.view
	v.Progress, v.ForcePromotes, v.Contents = progress, promotes, contents
	if blind {
		v.Belief = believeProgress(progress)
		own = own || v.Belief.Kind == plan.BeliefStandby
	}
	if v.IdentityConflict == "" {
		v.IdentityConflict = other
	}
	v.IdentityProven = own && v.IdentityConflict == ""
}

// identity asks who answers: own is proven by a channel that only this
// cluster has, by its stored list, or by the physical channels of a
// collection; other is another member whose channel is served here.
func (r *reading) identity(ctx context.Context) (own bool, other string) {
	named, alone := listProves(r.view.Belief.Configuration, r.self)
	if alone {
		return true, ""
	}
	own, other = r.channelServed(ctx)
	if other != "" {
		return false, other
	}
	if own || named {
		return true, ""
	}
	return r.collectionChannels(ctx)
}

// channelServed asks for the first channel of this cluster and of every other
// member at once: a cluster waits for a channel that is not its own until the
// deadline (milvus.md section 1.3).
func (r *reading) channelServed(ctx context.Context) (own bool, other string) {
	ctx, cancel := r.shortly(ctx)
	defer cancel()
	type served struct {
		id string
		ok bool
	}
	asked := r.firstChannels()
	answers := make(chan served, len(asked))
	for id, channel := range asked {
		go func() {
			_, err := r.info(ctx, channel, id)
			answers <- served{id, err == nil}
		}()
	}
	for range asked {
		a := <-answers
		switch {
		case a.ok && a.id == r.self.ID:
			return true, "" // cancels the others
		case a.ok:
			other = a.id
		}
	}
	return false, other
}

// firstChannels is the first channel of every member by which it can be told
// from the others.
func (r *reading) firstChannels() map[string]string {
	count := map[string]int{}
	for _, c := range r.topology.Clusters {
		if len(c.PChannels) > 0 {
			count[c.PChannels[0]]++
		}
	}
	out := map[string]string{}
	for _, c := range r.topology.Clusters {
		if len(c.PChannels) > 0 && count[c.PChannels[0]] == 1 {
			out[c.ID] = c.PChannels[0]
		}
	}
	return out
}

// collectionChannels looks at the physical channels of any one collection:
// they carry the cluster's own names.
func (r *reading) collectionChannels(ctx context.Context) (own bool, other string) {
	ctx, cancel := r.shortly(ctx)
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
	for _, c := range r.topology.Clusters {
		if slices.Contains(c.PChannels, channel) {
			owners++
			own, other = c.ID == r.self.ID, c.ID
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

// forcePromotes probes whether DumpMessages is known: it came with
// force_promote, and without arguments it is refused before it does anything
// (contract section 7, UNSUPPORTED_SERVER). Only words of the handler count:
// something before it could refuse us on any version.
func (r *reading) forcePromotes(ctx context.Context) plan.Support {
	ctx, cancel := r.shortly(ctx)
	defer cancel()
	stream, err := r.api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return plan.SupportYes
	case r.trace.seen(err).stage != stageSpoke:
		return plan.SupportUnknown
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		return plan.SupportNo
	case codes.Unauthenticated, codes.PermissionDenied, codes.DeadlineExceeded, codes.Canceled, codes.Unavailable, codes.ResourceExhausted:
		return plan.SupportUnknown
	default:
		return plan.SupportYes
	}
}
