package milvussim

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/twpayne/go-geom/encoding/wkb"
	"github.com/twpayne/go-geom/encoding/wkbcommon"
	"github.com/twpayne/go-geom/encoding/wkt"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// kind is a WAL message type, with the numbers of messages.proto MessageType.
type kind int32

const (
	kindInsert               kind = 2
	kindDelete               kind = 3
	kindFlush                kind = 4
	kindCreateCollection     kind = 5
	kindDropCollection       kind = 6
	kindCreatePartition      kind = 7
	kindDropPartition        kind = 8
	kindManualFlush          kind = 9
	kindCreateSegment        kind = 10
	kindImport               kind = 11
	kindAlterCollection      kind = 13
	kindAlterLoadConfig      kind = 14
	kindDropLoadConfig       kind = 15
	kindCreateDatabase       kind = 16
	kindDropDatabase         kind = 18
	kindAlterAlias           kind = 19
	kindDropAlias            kind = 20
	kindAlterUser            kind = 22
	kindDropUser             kind = 23
	kindAlterRole            kind = 24
	kindDropRole             kind = 25
	kindAlterUserRole        kind = 26
	kindDropUserRole         kind = 27
	kindAlterPrivilege       kind = 28
	kindDropPrivilege        kind = 29
	kindAlterResourceGroup   kind = 32
	kindDropResourceGroup    kind = 33
	kindCreateIndex          kind = 34
	kindDropIndex            kind = 36
	kindCommitImport         kind = 45
	kindAlterReplicateConfig kind = 800
	kindBeginTxn             kind = 900
	kindCommitTxn            kind = 901
	kindRollbackTxn          kind = 902
	kindTxn                  kind = 999
)

// system reports whether a message belongs to its own WAL only: it is never
// replicated and never dumped (milvus.md §1.4, §6). TimeTick messages would be of this
// kind too; the simulator does not write them, a channel without news costs
// nothing.
func (k kind) system() bool {
	return k == kindFlush || k == kindCreateSegment || k == kindRollbackTxn
}

// skipped reports whether a standby drops such a message when it is sent one: it
// is done with, and no checkpoint moves (streaming.replication.skipMessageTypes,
// replicate_service.go).
func (k kind) skipped() bool {
	return k == kindAlterResourceGroup || k == kindDropResourceGroup
}

// message is one entry of a channel's WAL. What it points to is shared between
// clusters and never written to.
type message struct {
	id            int64
	lastConfirmed int64
	tick          uint64
	written       time.Time // which can be later than its tick
	kind          kind
	txn           uint64
	body          any
	origin        *origin
}

// origin is the replicate header of a message that came from another cluster
// (messages.proto ReplicateHeader).
type origin struct {
	cluster       string
	id            int64
	lastConfirmed int64
	tick          uint64
}

// position is a place in a channel's WAL.
type position struct {
	id   int64
	tick uint64
}

// truncate forgets what is older than the horizon, replicated or not: retention
// is not tied to replication (milvus.md §4.6).
func (ch *channel) truncate(horizon time.Time) {
	limit := Tick(horizon, 0)
	n := 0
	for n < len(ch.log) && ch.log[n].tick < limit {
		n++
	}
	if n == 0 {
		return
	}
	ch.firstID = ch.log[n-1].id + 1
	ch.log = append([]message(nil), ch.log[n:]...)
}

// after is the part of the WAL that follows an id, as far as it is retained; gap
// tells that messages in between are gone.
func (ch *channel) after(id int64) (rest []message, gap bool) {
	ch.retain()
	first := ch.firstID
	if id+1 < first {
		return ch.log, true
	}
	skip := min(id+1-first, int64(len(ch.log)))
	return ch.log[skip:], false
}

// holdsAfter reports whether the WAL still holds a message behind an id. It may have
// had some that its retention has removed.
func (ch *channel) holdsAfter(id int64) bool {
	rest, _ := ch.after(id)
	return len(rest) > 0
}

// retain applies the cluster's retention, if it has one.
func (ch *channel) retain() {
	if keep := ch.owner.retention; keep > 0 {
		ch.truncate(ch.owner.world.clock.Now().Add(-keep))
	}
}

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
// clear, as Milvus writes it into its log and gives it to every reader of the log (seen
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
		if in.isColumn(f) {
			req.FieldsData = append(req.FieldsData, f)
			continue
		}
		req.FieldsData = append(req.FieldsData, loggedColumns(f, rows)...)
	}
	return req
}

// allPartitions stands for every partition in a delete (common.AllPartitionsID).
const allPartitions int64 = -1

func (d *deletion) request(tick uint64) *msgpb.DeleteRequest {
	ticks := make([]uint64, len(d.keys))
	for i := range ticks {
		ticks[i] = tick
	}
	return &msgpb.DeleteRequest{
		CollectionID: d.collection, PartitionID: cmp.Or(d.partition, allPartitions), NumRows: int64(len(d.keys)),
		Timestamps: ticks, PrimaryKeys: idsOf(d.keys),
	}
}

// walIDBase is the base in which Milvus writes numbers in messages, the ids of
// RocksMQ and Kafka among them (pkg/streaming/util/message/encoder.go).
const walIDBase = 36

// encodeID writes an id as the message queue does: a number, or, in base64, a
// protobuf message with the number as the entry of a ledger (Pulsar) or segment
// (Woodpecker) (pkg/streaming/walimpls/impls/*/message_id.go).
func encodeID(wal commonpb.WALName, id int64) string {
	var raw []byte
	switch wal {
	case commonpb.WALName_Pulsar:
		raw = appendNumber(raw, pulsarLedger, 1)
		raw = appendNumber(raw, pulsarEntry, id)
		raw = appendNumber(raw, pulsarPartition, -1)
		raw = appendNumber(raw, pulsarBatch, 0)
	case commonpb.WALName_WoodPecker: // segment 0, which protobuf leaves out
		raw = appendNumber(raw, woodpeckerEntry, id)
	default:
		return strconv.FormatInt(id, walIDBase)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// The fields of the ids that are protobuf messages.
const (
	pulsarLedger, pulsarEntry, pulsarPartition, pulsarBatch = 1, 2, 3, 4
	woodpeckerSegment, woodpeckerEntry                      = 1, 2
)

func appendNumber(raw []byte, number protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(raw, number, protowire.VarintType), uint64(v)) //nolint:gosec // as protobuf has negative numbers
}

// decodeID reads an id of a message queue. An id from before the log, such as
// Kafka's -2 and Pulsar's earliest, is negative.
func decodeID(wal commonpb.WALName, text string) (int64, error) {
	switch wal {
	case commonpb.WALName_Pulsar:
		fields, err := decodeNumbers(text)
		if err == nil && (fields[pulsarLedger] == 0 || len(fields) < pulsarBatch) {
			err = errors.New("a ledger and an entry are required")
		}
		return fields[pulsarEntry], err
	case commonpb.WALName_WoodPecker:
		fields, err := decodeNumbers(text)
		if fields[woodpeckerSegment] > 0 {
			err = errors.Join(err, errors.New("there is one segment only"))
		}
		return fields[woodpeckerEntry], err
	default:
		return strconv.ParseInt(text, walIDBase, 64)
	}
}

func decodeNumbers(text string) (map[protowire.Number]int64, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decode id %q: %w", text, err)
	}
	out := map[protowire.Number]int64{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 || kind != protowire.VarintType {
			return nil, fmt.Errorf("decode id %q: not of numbers", text)
		}
		v, m := protowire.ConsumeVarint(raw[n:])
		if m < 0 {
			return nil, fmt.Errorf("decode id %q: cut off", text)
		}
		out[number], raw = int64(v), raw[n+m:] //nolint:gosec // as protobuf has negative numbers
	}
	return out, nil
}

// loggedColumns are the columns of a request as the log has them: what is null is marked,
// a struct has a column for each of its fields (util.go, checkAndFlattenStructFieldData),
// points in time are numbers (validate_util.go, checkTimestamptzFieldData), and geometries are
// binary (checkGeometryFieldData).
func loggedColumns(f *schemapb.FieldData, rows []row) []*schemapb.FieldData {
	if s := f.GetStructArrays(); s != nil {
		var out []*schemapb.FieldData
		for _, part := range s.GetFields() {
			for _, c := range loggedColumns(part, withBatch(rows, part)) {
				c.FieldName = f.GetFieldName() + "[" + part.GetFieldName() + "]"
				out = append(out, c)
			}
		}
		return out
	}
	schema := &schemapb.FieldSchema{
		Name: f.GetFieldName(), FieldID: f.GetFieldId(), DataType: f.GetType(), IsDynamic: f.GetIsDynamic(), Nullable: len(f.GetValidData()) > 0,
		ElementType: f.GetScalars().GetArrayData().GetElementType(),
	}
	if isVector(f.GetType()) {
		schema.TypeParams = []*commonpb.KeyValuePair{{Key: "dim", Value: strconv.FormatInt(f.GetVectors().GetDim(), 10)}}
	}
	out := column(schema, rows)
	if f.GetType() == schemapb.DataType_Timestamptz {
		out.Field = pointsInTime(out.GetScalars().GetStringData().GetData())
	}
	if f.GetType() == schemapb.DataType_Geometry {
		out.Field = geometries(out.GetScalars().GetGeometryWktData().GetData())
	}
	return []*schemapb.FieldData{out}
}

// withBatch are the same rows of a batch with one column.
func withBatch(rows []row, f *schemapb.FieldData) []row {
	b := &batch{fields: []*schemapb.FieldData{f}}
	out := make([]row, len(rows))
	for i, r := range rows {
		r.batch = b
		out[i] = r
	}
	return out
}

// pointsInTime are texts as microseconds. One that is no time is 0.
func pointsInTime(texts []string) *schemapb.FieldData_Scalars {
	data := make([]int64, len(texts))
	for i, text := range texts {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			data[i] = at.UnixMicro()
		}
	}
	return &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_TimestamptzData{TimestamptzData: &schemapb.TimestamptzArray{Data: data}},
	}}
}

// geometries are texts in the binary form of a log. One that is no geometry is empty.
func geometries(texts []string) *schemapb.FieldData_Scalars {
	data := make([][]byte, len(texts))
	for i, text := range texts {
		if g, err := wkt.Unmarshal(text); err == nil {
			data[i], _ = wkb.Marshal(g, wkb.NDR, wkbcommon.WKBOptionEmptyPointHandling(wkbcommon.EmptyPointHandlingNaN))
		}
	}
	return &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_GeometryData{GeometryData: &schemapb.GeometryArray{Data: data}},
	}}
}
