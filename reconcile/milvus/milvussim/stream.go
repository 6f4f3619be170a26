package milvussim

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
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

// onPChannel tells whether a virtual channel, <pchannel>_<collection>v<shard>, is
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
