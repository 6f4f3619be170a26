package milvussim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/proto"
)

// UpdateReplicateConfiguration replaces the replicate configuration, or promotes
// by force (assignment.go, milvus.md §1.1). Versions that do not know force_promote yet
// ignore it (S06).
func (service) UpdateReplicateConfiguration(ctx context.Context, req *milvuspb.UpdateReplicateConfigurationRequest) (*commonpb.Status, error) {
	c := rpcOf(ctx).cluster
	ctx, cancel := c.ownDeadline(ctx)
	defer cancel()
	err := c.needCoordinator(ctx)
	switch {
	case err != nil:
	case req.GetForcePromote() && c.profile.forcePromote:
		err = c.forcePromote(ctx, req.GetReplicateConfiguration())
	default:
		err = c.update(ctx, req.GetReplicateConfiguration())
	}
	if c.passedOwnDeadline(err) {
		err = rejectUpdate(streamingUnknown, textDeadline)
	}
	return answer(err)
}

// ownDeadline ends a call a little before its caller gives up, on versions that
// then answer instead of letting the caller's deadline pass.
func (c *cluster) ownDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	const part = 4 // of the time that is left
	end, bounded := ctx.Deadline()
	if !bounded || !c.profile.ownDeadline {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end.Add(-time.Until(end)/part))
}

func (c *cluster) passedOwnDeadline(err error) bool {
	return c.profile.ownDeadline && errors.Is(err, context.DeadlineExceeded)
}

// update is the normal call: compare, validate, take the lock, look at the role,
// do the first two again, broadcast. What is wrong with a configuration is told
// before the role is looked at, so a standby tells it at once (milvus.md §2.2).
func (c *cluster) update(ctx context.Context, incoming *commonpb.ReplicateConfiguration) error {
	_, same, err := c.prepareUpdate(incoming)
	if same || err != nil {
		return err
	}
	if err := c.acquire(ctx, true); err != nil {
		return err
	}
	if c.source() != "" {
		c.unlock(true)
		return c.barrier(ctx, incoming)
	}
	cfg, same, err := c.prepareUpdate(incoming)
	if same || err != nil {
		c.unlock(true)
		return err
	}
	b := c.startBroadcast(&alterReplicateConfig{cfg: cloneConfiguration(cfg)}, c.allChannels(), true)
	return c.await(ctx, b)
}

// prepareUpdate is the part of a normal call that does not depend on the role. It returns
// the configuration to store, whether it is stored already, and what is wrong with it.
func (c *cluster) prepareUpdate(incoming *commonpb.ReplicateConfiguration) (cfg *commonpb.ReplicateConfiguration, same bool, err error) {
	cfg = c.fillTokens(incoming)
	if sameConfiguration(c.stored, cfg) {
		return cfg, true, nil
	}
	if cfg == nil && incoming != nil {
		return nil, false, nil
	}
	if err := c.newValidator(cfg).validate(); err != nil {
		return nil, false, rejectUpdate(streamingUnknown, err.Error())
	}
	if err := checkGraph(c.id, cfg); err != nil {
		return nil, false, rejectUpdate(streamingUnknown, err.Error())
	}
	return cfg, false, nil
}

// fillTokens returns the configuration that an incoming one stands for: blank tokens may
// mean those that are stored, and an empty configuration none at all (#48994).
func (c *cluster) fillTokens(incoming *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	switch {
	case incoming == nil:
		return nil
	case c.profile.dropEmpty && len(incoming.GetClusters()) == 0 && len(incoming.GetCrossClusterTopology()) == 0:
		return nil
	case c.profile.fillTokens:
		return withStoredTokens(incoming, c.stored)
	}
	return incoming
}

func (c *cluster) newValidator(cfg *commonpb.ReplicateConfiguration) *validator {
	return &validator{profile: c.profile, self: c.id, live: c.pchannels(), stored: c.stored, incoming: cfg}
}

// barrier is what a normal call does on a secondary: it waits until replication
// has brought the very same configuration, without a limit of its own
// (waitUntilPrimaryChangeOrConfigurationSame, milvus.md §2.5).
func (c *cluster) barrier(ctx context.Context, incoming *commonpb.ReplicateConfiguration) error {
	return c.wait(ctx, func() bool {
		return c.coordinator == CoordinatorUp && sameConfiguration(c.stored, c.fillTokens(incoming))
	})
}

func (c *cluster) allChannels() []int {
	all := make([]int, len(c.channels))
	for i := range all {
		all[i] = i
	}
	return all
}

// forcePromote makes a secondary a primary of its own without its source
// (handleForcePromote, milvus.md §2.9). The caller's uri, token and pchannels are not
// used: the configuration is built from what is stored.
func (c *cluster) forcePromote(ctx context.Context, incoming *commonpb.ReplicateConfiguration) error {
	if err := c.acquire(ctx, true); err != nil {
		return err
	}
	cfg, err := c.promoted(incoming)
	if err != nil {
		c.unlock(true)
		return err
	}
	return c.await(ctx, c.broadcastPromotion(cfg))
}

// promoted is the configuration after a force promote, or why there is none.
func (c *cluster) promoted(incoming *commonpb.ReplicateConfiguration) (*commonpb.ReplicateConfiguration, error) {
	invalid := func(text string) error { return rejectUpdate(streamingInvalidArgument, text) }
	if c.source() == "" {
		return nil, invalid(textForcePrimary)
	}
	if err := checkGraph(c.id, incoming); err != nil {
		return nil, invalid(textForcePrefix + err.Error())
	}
	if err := onlySelf(incoming); err != nil {
		return nil, invalid(err.Error())
	}
	cfg := alone(entry(c.stored, c.id))
	if err := c.newValidator(cfg).validate(); err != nil {
		return nil, rejectUpdate(streamingUnknown, err.Error())
	}
	return cfg, nil
}

// onlySelf demands exactly one cluster and no edge.
func onlySelf(cfg *commonpb.ReplicateConfiguration) error {
	if n := len(cfg.GetClusters()); n != 1 {
		return errors.New(forceCount(n))
	}
	if n := len(cfg.GetCrossClusterTopology()); n != 0 {
		return errors.New(forceEdges(n))
	}
	return nil
}

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

// cloneConfiguration copies a configuration; nil stays nil.
func cloneConfiguration(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	if cfg == nil {
		return nil
	}
	return proto.Clone(cfg).(*commonpb.ReplicateConfiguration)
}

// sameConfiguration is Milvus' own idea of "same": proto equality, tokens
// included, the order of the lists significant; nil on both sides is equal
// (assignment.go, milvus.md §2.3).
func sameConfiguration(stored, incoming *commonpb.ReplicateConfiguration) bool {
	if stored == nil || incoming == nil {
		return stored == nil && incoming == nil
	}
	return proto.Equal(stored, incoming)
}

// redacted is a copy with every token blanked (sanitize.go, milvus.md §1.2).
func redacted(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	cfg = cloneConfiguration(cfg)
	for _, c := range cfg.GetClusters() {
		if c.GetConnectionParam() != nil {
			c.ConnectionParam.Token = ""
		}
	}
	return cfg
}

// withStoredTokens is a copy in which a blank token of a cluster that is stored
// already is the stored one (newer sanitize.go, milvus.md §2.4). The uri must be the
// stored one too, or the token would go to an address that it was not given for
// (#53340).
func withStoredTokens(cfg, stored *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	cfg = cloneConfiguration(cfg)
	for _, c := range cfg.GetClusters() {
		known := entry(stored, c.GetClusterId()).GetConnectionParam()
		if p := c.GetConnectionParam(); p != nil && p.Token == "" && p.Uri == known.GetUri() {
			p.Token = known.GetToken()
		}
	}
	return cfg
}

// entry is the cluster of that id in a configuration, or nil.
func entry(cfg *commonpb.ReplicateConfiguration, id string) *commonpb.MilvusCluster {
	for _, c := range cfg.GetClusters() {
		if c.GetClusterId() == id {
			return c
		}
	}
	return nil
}

// sourceOf is the cluster that id replicates from, "" if no edge targets it
// (helper, milvus.md §2.1).
func sourceOf(cfg *commonpb.ReplicateConfiguration, id string) string {
	for _, e := range cfg.GetCrossClusterTopology() {
		if e.GetTargetClusterId() == id {
			return e.GetSourceClusterId()
		}
	}
	return ""
}

// hasEdge reports whether the configuration replicates from one cluster to another.
func hasEdge(cfg *commonpb.ReplicateConfiguration, from, to string) bool {
	return slices.ContainsFunc(cfg.GetCrossClusterTopology(), func(e *commonpb.CrossClusterTopology) bool {
		return e.GetSourceClusterId() == from && e.GetTargetClusterId() == to
	})
}

// alone is the configuration of a cluster without replication: its stored entry
// and no edges.
func alone(own *commonpb.MilvusCluster) *commonpb.ReplicateConfiguration {
	return &commonpb.ReplicateConfiguration{
		Clusters: []*commonpb.MilvusCluster{proto.Clone(own).(*commonpb.MilvusCluster)},
	}
}

// halfPromotion is what an operator of the World has set for forced promotions
// of one cluster (docs/design/real-milvus.md, "Half promotion").
type halfPromotion struct {
	next  bool          // the next one stays half done
	after time.Duration // how long after a restart it finishes
}

// HalfPromote has the next forced promotion of a cluster stay half done, as was
// seen on real servers: every channel stops replicating and keeps its salvage
// checkpoint, the coordinator keeps the old configuration and its lock, and no
// call that needs that lock comes back. A restart of the cluster, or of its
// coordinator, finishes it, so long after. With now one is begun at once, as if
// somebody had sent it; the cluster must be a standby.
func (w *World) HalfPromote(id string, begin bool, after time.Duration) error {
	if after < 0 {
		return fmt.Errorf("%w: after is negative", ErrBadRequest)
	}
	return w.change(id, func(c *cluster) error {
		c.halfPromotion = halfPromotion{next: true, after: after}
		if !begin {
			return nil
		}
		if c.source() == "" || c.lock.exclusive || c.lock.shared > 0 {
			c.halfPromotion.next = false
			return fmt.Errorf("%w: %s is no standby at rest", ErrBadRequest, id)
		}
		c.lock.exclusive = true
		c.broadcastPromotion(alone(entry(c.stored, c.id)))
		return nil
	})
}

// DetachChannel leaves one channel of a standby without a source, with its
// salvage checkpoint only, while the coordinator stores the edge. It takes
// nothing that is replicated to it, and a forced promotion of the cluster stays
// half done. Attached again, it goes on with nothing replicated yet.
func (w *World) DetachChannel(id, pchannel string, detached bool) error {
	return w.change(id, func(c *cluster) error {
		ch := c.channel(pchannel)
		switch {
		case ch == nil:
			return fmt.Errorf("%w: %s has no channel %q", ErrBadRequest, id, pchannel)
		case c.source() == "":
			return fmt.Errorf("%w: %s is no standby", ErrBadRequest, id)
		case detached && ch.secondary:
			ch.keepSalvage()
			ch.rollback()
			ch.stop()
		case !detached && !ch.secondary:
			ch.follow(c.source(), c.stored)
		}
		return nil
	})
}

// broadcastPromotion begins a forced promotion; whether it will end is decided
// here. The caller holds the lock.
func (c *cluster) broadcastPromotion(cfg *commonpb.ReplicateConfiguration) *broadcast {
	stays := c.halfPromotion.next || slices.ContainsFunc(c.channels, func(ch *channel) bool { return !ch.secondary })
	c.halfPromotion.next = false
	return c.begin(&alterReplicateConfig{cfg: cfg, force: true}, c.allChannels(), true, stays)
}

// halfPromoted reports whether a forced promotion of the cluster stays half done.
func (c *cluster) halfPromoted() bool {
	return slices.ContainsFunc(c.broadcasts, func(b *broadcast) bool { return b.stuck })
}

// finishPromotion is what a new process of the coordinator does.
func (c *cluster) finishPromotion() {
	for _, b := range c.broadcasts {
		if !b.stuck {
			continue
		}
		c.world.schedule(c.now().Add(c.halfPromotion.after), func() {
			b.stuck = false
			c.advance()
			c.notify()
		})
	}
}
