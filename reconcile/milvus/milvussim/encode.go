package milvussim

import (
	"encoding/base64"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// Properties of a WAL message (pkg/streaming/util/message/properties.go).
const (
	propVersion       = "_v"
	propType          = "_t"
	propTick          = "_tt"
	propLastConfirmed = "_lc"
	propTxn           = "_tx"
	propVChannel      = "_vc"
	propHeader        = "_h"
	messageVersion    = "2"
)

// immutable is a WAL message as it leaves the cluster: by DumpMessages, and in a
// replicate stream. Inserts and deletes carry Milvus' own bodies; of a DDL the
// properties say what it was.
func (m message) immutable(wal commonpb.WALName) *commonpb.ImmutableMessage {
	out := &commonpb.ImmutableMessage{
		Id: &commonpb.MessageID{Id: encodeID(wal, m.id), WALName: wal},
		Properties: map[string]string{
			propVersion:       messageVersion,
			propType:          strconv.Itoa(int(m.kind)),
			propTick:          strconv.FormatUint(m.tick, walIDBase),
			propLastConfirmed: encodeID(wal, m.lastConfirmed),
		},
	}
	if m.txn != 0 {
		out.Properties[propTxn] = strconv.FormatUint(m.txn, walIDBase)
	}
	var body proto.Message
	switch b := m.body.(type) {
	case *insertion:
		body = b.request(m.tick)
	case *deletion:
		body = b.request(m.tick)
	case *broadcastMessage:
		if d, ok := b.ddl.(*dropCollection); ok {
			body = &msgpb.DropCollectionRequest{DbName: d.database, CollectionName: d.name, CollectionID: d.collection}
		}
		if a, ok := b.ddl.(*alterReplicateConfig); ok {
			out.Properties[propHeader] = a.header()
		}
		if d, ok := b.ddl.(*createCollection); ok {
			body = &msgpb.CreateCollectionRequest{DbName: d.database, CollectionName: d.name, CollectionID: d.id, CollectionSchema: d.schema}
		}
	}
	if body != nil {
		// Marshalling fails for invalid UTF-8 only, which a request never brings.
		out.Payload, _ = proto.Marshal(body)
	}
	return out
}

// The fields of AlterReplicateConfigMessageHeader (messages.proto).
const (
	headerConfiguration = 1
	headerForcePromote  = 3
)

// header is what the message says, with the uri and the token of every cluster in
// clear, as Milvus writes it into its log and gives it to whoever dumps it (seen
// on master and 2.6, 2026-11-29).
func (a *alterReplicateConfig) header() string {
	body, _ := proto.Marshal(a.cfg) // as for a payload
	raw := protowire.AppendBytes(protowire.AppendTag(nil, headerConfiguration, protowire.BytesType), body)
	if a.force {
		raw = protowire.AppendVarint(protowire.AppendTag(raw, headerForcePromote, protowire.VarintType), 1)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func (in *insertion) request(tick uint64) *msgpb.InsertRequest {
	rows := make([]row, len(in.index))
	ticks := make([]uint64, len(in.index))
	for i, at := range in.index {
		rows[i], ticks[i] = row{batch: in.batch, at: at}, tick
	}
	req := &msgpb.InsertRequest{
		CollectionID: in.collection, PartitionID: in.partition, SegmentID: in.segment,
		NumRows: uint64(len(rows)), Timestamps: ticks, Version: msgpb.InsertDataVersion_ColumnBased,
	}
	for _, f := range in.batch.fields {
		schema := &schemapb.FieldSchema{Name: f.GetFieldName(), FieldID: f.GetFieldId(), DataType: f.GetType(), IsDynamic: f.GetIsDynamic()}
		if isVector(f.GetType()) {
			schema.TypeParams = []*commonpb.KeyValuePair{{Key: "dim", Value: strconv.FormatInt(f.GetVectors().GetDim(), 10)}}
		}
		req.FieldsData = append(req.FieldsData, column(schema, rows))
	}
	return req
}

func (d *deletion) request(tick uint64) *msgpb.DeleteRequest {
	ticks := make([]uint64, len(d.keys))
	for i := range ticks {
		ticks[i] = tick
	}
	return &msgpb.DeleteRequest{
		CollectionID: d.collection, PartitionID: d.partition, NumRows: int64(len(d.keys)),
		Timestamps: ticks, PrimaryKeys: idsOf(d.keys),
	}
}
