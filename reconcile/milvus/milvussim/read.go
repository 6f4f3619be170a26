package milvussim

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// GetReplicateConfiguration answers what the coordinator has stored, tokens
// blanked, order kept. Until newer versions, a cluster that never had a
// configuration waits for one (milvus.md §1.2, #52686).
func (s service) GetReplicateConfiguration(ctx context.Context, req *milvuspb.GetReplicateConfigurationRequest) (*milvuspb.GetReplicateConfigurationResponse, error) {
	c := rpcOf(ctx).cluster
	if c.profile.read == readStub {
		return s.UnimplementedMilvusServiceServer.GetReplicateConfiguration(ctx, req)
	}
	ctx, cancel := c.ownDeadline(ctx)
	defer cancel()
	err := c.needCoordinator(ctx)
	if err == nil && c.profile.read == readHangs {
		err = c.wait(ctx, func() bool { return c.stored != nil && c.coordinator == CoordinatorUp })
	}
	if c.passedOwnDeadline(err) {
		err = failf(codeTimeout, textDeadline)
	}
	st, err := split(err)
	if err != nil {
		return nil, err
	}
	resp := &milvuspb.GetReplicateConfigurationResponse{Status: st}
	if st.GetCode() == 0 {
		resp.Configuration = redacted(c.stored)
	}
	return resp, nil
}

// GetReplicateInfo answers how far a channel of the called cluster has
// replicated its source, and what a forced promotion kept for salvage (milvus.md §1.3).
// It needs no coordinator. The source named by the request picks the salvage
// entry and nothing else.
func (service) GetReplicateInfo(ctx context.Context, req *milvuspb.GetReplicateInfoRequest) (*milvuspb.GetReplicateInfoResponse, error) {
	c := rpcOf(ctx).cluster
	// The handler looks the channel up among the cluster's own, and retries until
	// the deadline where it is unknown or, in older versions, not a secondary.
	err := c.wait(ctx, func() bool {
		ch := c.channel(req.GetTargetPchannel())
		return ch != nil && (ch.secondary || c.profile.infoOnPrimary)
	})
	if err != nil {
		return nil, grpcError(err)
	}
	ch := c.channel(req.GetTargetPchannel())
	resp := &milvuspb.GetReplicateInfoResponse{}
	if ch.secondary {
		resp.Checkpoint = ch.checkpoint.proto(c.world.walOf(ch.checkpoint.cluster))
	}
	if kept, ok := ch.salvage[req.GetSourceClusterId()]; ok && c.profile.dump {
		resp.SalvageCheckpoint = kept.proto(c.world.walOf(kept.cluster))
	}
	return resp, nil
}
