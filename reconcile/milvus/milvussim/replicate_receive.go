package milvussim

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// CreateReplicateStream takes what a source's CDC component sends for one
// pchannel (replicate_stream_server.go, milvus.md §1.5). Clusters of one World replicate
// without it; it is there for sources outside. It takes inserts, deletes and
// transactions; a broadcast message belongs to several channels and comes from a
// cluster of the same World only. The stream ends at the first message that
// cannot be appended.
func (service) CreateReplicateStream(stream milvuspb.MilvusService_CreateReplicateStreamServer) error {
	c := rpcOf(stream.Context()).cluster
	md, _ := metadata.FromIncomingContext(stream.Context())
	id := md.Get("cluster-id")
	if len(id) == 0 || id[0] == "" {
		return status.Error(codes.InvalidArgument, "cluster-id is not found in the metadata of the replicate stream")
	}
	for {
		var req *milvuspb.ReplicateRequest
		err := c.world.unlocked(func() (err error) {
			req, err = stream.Recv()
			return err
		})
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		confirmed, err := c.receiveOutside(stream, id[0], req.GetReplicateMessage())
		if err != nil {
			return err
		}
		if confirmed == 0 {
			continue
		}
		if err := c.world.unlocked(func() error { return stream.Send(confirmation(confirmed)) }); err != nil {
			return err
		}
	}
}

func confirmation(tick uint64) *milvuspb.ReplicateResponse {
	return &milvuspb.ReplicateResponse{Response: &milvuspb.ReplicateResponse_ReplicateConfirmedMessageInfo{
		ReplicateConfirmedMessageInfo: &milvuspb.ReplicateConfirmedMessageInfo{ConfirmedTimeTick: tick},
	}}
}

// receiveOutside appends a message and returns the source tick to confirm, 0
// within a transaction: those are confirmed at their commit only. A target
// without a configuration waits for one.
func (c *cluster) receiveOutside(stream milvuspb.MilvusService_CreateReplicateStreamServer, addressee string, in *milvuspb.ReplicateMessage) (uint64, error) {
	m, err := c.decode(in.GetMessage())
	if err != nil {
		return 0, status.Error(codes.InvalidArgument, err.Error())
	}
	from := origin{cluster: in.GetSourceClusterId(), id: m.id, lastConfirmed: m.lastConfirmed, tick: m.tick}
	var failed error
	err = c.wait(stream.Context(), func() bool {
		failed = c.receive(addressee, c.ownPChannel(from.cluster, in.GetMessage()), m, from)
		return !errors.Is(failed, errWaiting)
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, status.Error(codes.FailedPrecondition, failed.Error())
	case m.txn != 0 && m.kind != kindCommitTxn:
		return 0, nil
	}
	return m.tick, nil
}

// ownPChannel is this cluster's channel at the place that the source's channel
// of a message has in the stored configuration.
func (c *cluster) ownPChannel(source string, m *commonpb.ImmutableMessage) string {
	vchannel := m.GetProperties()[propVChannel]
	own := entry(c.stored, c.id).GetPchannels()
	for i, name := range entry(c.stored, source).GetPchannels() {
		if i < len(own) && onPChannel(vchannel, name) {
			return own[i]
		}
	}
	return ""
}

// onPChannel reports whether a virtual channel, <pchannel>_<collection>v<shard>, is
// on that pchannel.
func onPChannel(vchannel, pchannel string) bool {
	return vchannel == pchannel || len(vchannel) > len(pchannel) && vchannel[:len(pchannel)+1] == pchannel+"_"
}

// decode reads a message from outside.
func (c *cluster) decode(in *commonpb.ImmutableMessage) (message, error) {
	props := in.GetProperties()
	k, err := strconv.Atoi(props[propType])
	if err != nil {
		return message{}, fmt.Errorf("message type %q: %w", props[propType], err)
	}
	m := message{kind: kind(k)}
	wal := in.GetId().GetWALName()
	if m.id, err = decodeID(wal, in.GetId().GetId()); err != nil {
		return m, fmt.Errorf("message id: %w", err)
	}
	m.lastConfirmed = m.id - 1
	if lc, ok := props[propLastConfirmed]; ok {
		if m.lastConfirmed, err = decodeID(wal, lc); err != nil {
			return m, fmt.Errorf("last confirmed id: %w", err)
		}
	}
	if m.tick, err = strconv.ParseUint(props[propTick], walIDBase, 64); err != nil {
		return m, fmt.Errorf("time tick: %w", err)
	}
	if tx, ok := props[propTxn]; ok {
		if m.txn, err = strconv.ParseUint(tx, walIDBase, 64); err != nil {
			return m, fmt.Errorf("transaction: %w", err)
		}
	}
	m.body, err = c.decodeBody(m.kind, in.GetPayload())
	return m, err
}

func (c *cluster) decodeBody(k kind, payload []byte) (any, error) {
	switch k {
	case kindBeginTxn, kindCommitTxn, kindRollbackTxn:
		return nil, nil //nolint:nilnil // these messages have no body
	case kindInsert:
		req := &msgpb.InsertRequest{}
		if err := proto.Unmarshal(payload, req); err != nil {
			return nil, err
		}
		return c.insertionOf(req)
	case kindDelete:
		req := &msgpb.DeleteRequest{}
		if err := proto.Unmarshal(payload, req); err != nil {
			return nil, err
		}
		d := &deletion{collection: req.GetCollectionID(), partition: max(req.GetPartitionID(), 0)}
		for _, k := range req.GetPrimaryKeys().GetIntId().GetData() {
			d.keys = append(d.keys, k)
		}
		for _, k := range req.GetPrimaryKeys().GetStrId().GetData() {
			d.keys = append(d.keys, k)
		}
		return d, nil
	default:
		return nil, fmt.Errorf("message type %d does not come over a stream from outside", k)
	}
}

func (c *cluster) insertionOf(req *msgpb.InsertRequest) (*insertion, error) {
	coll := c.byCollectionID(req.GetCollectionID())
	if coll == nil {
		return nil, fmt.Errorf("collection %d not found", req.GetCollectionID())
	}
	in := &insertion{
		collection: coll.id, partition: req.GetPartitionID(), segment: req.GetSegmentID(),
		batch: &batch{fields: req.GetFieldsData()},
	}
	keys := in.batch.field(coll.key().GetName())
	for i := range int(req.GetNumRows()) {
		k := scalarAt(keys, i)
		if k == nil {
			return nil, fmt.Errorf("row %d has no primary key", i)
		}
		in.index, in.keys = append(in.index, i), append(in.keys, k)
	}
	return in, nil
}

func (c *cluster) byCollectionID(id int64) *collection {
	for _, db := range c.databases {
		for _, coll := range db.collections {
			if coll.id == id {
				return coll
			}
		}
	}
	return nil
}

// errWaiting is a delivery that would wait inside the target: it has no
// configuration yet, or its channel is held up.
var errWaiting = errors.New("target is not ready to append")

// receive appends a message that another cluster sends, after the checks of the
// target's proxy and of its channel (replicate_service.go, replicates, milvus.md §1.5).
// addressee is the id that the sender means to talk to.
func (c *cluster) receive(addressee, pchannel string, m message, from origin) error {
	if addressee != c.id {
		return violation("cluster id mismatch, current: %s, expected: %s", c.id, addressee)
	}
	if m.kind.skipped() {
		return nil
	}
	if c.stored == nil {
		return errWaiting
	}
	if c.source() == "" {
		return violation(textPrimaryReceive)
	}
	if entry(c.stored, from.cluster) == nil {
		return violation("source cluster %s not found in replicate configuration", from.cluster)
	}
	ch := c.channel(pchannel)
	switch {
	case ch == nil:
		return violation("failed to get target channel, current cluster pchannel %s not found in the graph", pchannel)
	case !ch.secondary:
		return violation(textChannelPrimary)
	case ch.source != from.cluster:
		return violation("cluster id mismatch, current: %s, expected: %s", from.cluster, ch.source)
	case from.tick <= ch.checkpoint.tick:
		return nil // too old: ignored with success
	}
	return ch.replicate(m, from)
}

// replicate appends the message and moves the checkpoint; a transaction moves it
// at its commit only (milvus.md §1.5).
func (ch *channel) replicate(m message, from origin) error {
	c := ch.owner
	msg, broadcasted := m.body.(*broadcastMessage)
	if broadcasted && ch.held {
		return errWaiting
	}
	if broadcasted {
		if err := ch.admitControl(from.cluster); err != nil {
			return err
		}
		local, err := c.localize(msg, from.cluster)
		if err != nil {
			return err
		}
		msg = local
	}
	if m.txn == 0 || m.kind == kindCommitTxn {
		ch.checkpoint.id, ch.checkpoint.tick, ch.checkpoint.confirmed = from.lastConfirmed, from.tick, true
	}
	if broadcasted {
		c.received(msg, ch, &from)
		return nil
	}
	ch.append(message{kind: m.kind, txn: m.txn, body: m.body, origin: &from})
	return nil
}

// localize rewrites a replicated configuration that omits this cluster into its
// own entry without edges, so that a removed standby becomes a primary of its
// own (overwriteAlterReplicateConfigMessage, milvus.md §2.10). A removal together with
// a growth of channels cannot be rewritten, and its source tries for ever
// (#50041).
func (c *cluster) localize(msg *broadcastMessage, source string) (*broadcastMessage, error) {
	if known := c.known(msg.id); known != nil {
		return known, nil
	}
	a, ok := msg.ddl.(*alterReplicateConfig)
	if !ok {
		return c.mapped(msg, source), nil
	}
	if entry(a.cfg, c.id) != nil || a.cfg == nil && c.profile.dropEmpty {
		return msg, nil
	}
	own := entry(c.stored, c.id)
	if len(own.GetPchannels()) != len(msg.channels) {
		return nil, fmt.Errorf("failed to parse new replicate config: pchannel count of cluster %s is %d, the message has %d",
			c.id, len(own.GetPchannels()), len(msg.channels))
	}
	return &broadcastMessage{id: msg.id, channels: msg.channels, ddl: &alterReplicateConfig{cfg: alone(own)}}, nil
}

// controlChannel is the place of the channel on which every broadcast goes, the
// first one of a cluster (milvus.md §2.2).
const controlChannel = 0

// admitControl refuses what comes from the source's control channel to another
// channel than this cluster's own: the lists of the two clusters are in different
// orders, and no DDL gets through (replicate_service.go, milvus.md §2.2).
func (ch *channel) admitControl(source string) error {
	from := ch.owner.world.byID[source]
	if from == nil || ch.index == controlChannel || ch.sourceChannel != from.channels[controlChannel].name {
		return nil
	}
	return violation("invalid control channel %s_vcchan, expected pchannel %s", ch.name, ch.owner.channels[controlChannel].name)
}

// mapped is a broadcast message with the source's channels turned into those that
// the stored configuration has at the same places (milvus.md §2.2). Most lists are in the
// order of the channels themselves, and the message stays as it is.
func (c *cluster) mapped(msg *broadcastMessage, source string) *broadcastMessage {
	at := c.channelsFor(source)
	if at == nil {
		return msg
	}
	out := &broadcastMessage{id: msg.id, channels: reorder(at, msg.channels), ddl: msg.ddl}
	if d, ok := msg.ddl.(*createCollection); ok {
		own := *d
		own.shards = reorder(at, d.shards)
		out.ddl = &own
	}
	return out
}

// channelsFor is the place of the own channel for each channel of the source; nil
// if each is at the same place.
func (c *cluster) channelsFor(source string) []int {
	from := c.world.byID[source]
	if from == nil {
		return nil
	}
	theirs, own := entry(c.stored, source).GetPchannels(), entry(c.stored, c.id).GetPchannels()
	at, same := make([]int, len(from.channels)), true
	for i, ch := range from.channels {
		at[i] = i
		if p := slices.Index(theirs, ch.name); p >= 0 && p < len(own) {
			if to := c.channel(own[p]); to != nil {
				at[i] = to.index
			}
		}
		same = same && at[i] == i
	}
	if same {
		return nil
	}
	return at
}

func reorder(at, channels []int) []int {
	out := make([]int, len(channels))
	for i, from := range channels {
		out[i] = at[from]
	}
	return out
}
