package milvussim_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// outside sends messages for one channel as a source's CDC component would.
type outside struct {
	t      *testing.T
	stream milvuspb.MilvusService_CreateReplicateStreamClient
	id     int64
	tick   uint64
}

func (o *outside) send(kind int, txn string, body proto.Message) {
	o.t.Helper()
	o.id++
	o.tick++
	m := &commonpb.ImmutableMessage{Id: &commonpb.MessageID{Id: strconv.FormatInt(o.id, 36)}, Properties: map[string]string{
		"_t": strconv.Itoa(kind), "_tt": strconv.FormatUint(o.tick, 36), "_lc": strconv.FormatInt(o.id-1, 36), "_vc": "a-rootcoord-dml_0",
	}}
	if txn != "" {
		m.Properties["_tx"] = txn
	}
	if body != nil {
		raw, err := proto.Marshal(body)
		if err != nil {
			o.t.Fatal(err)
		}
		m.Payload = raw
	}
	err := o.stream.Send(&milvuspb.ReplicateRequest{Request: &milvuspb.ReplicateRequest_ReplicateMessage{
		ReplicateMessage: &milvuspb.ReplicateMessage{SourceClusterId: "a", Message: m},
	}})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *outside) confirmed() uint64 {
	o.t.Helper()
	resp, err := o.stream.Recv()
	if err != nil {
		o.t.Fatal(err)
	}
	return resp.GetReplicateConfirmedMessageInfo().GetConfirmedTimeTick()
}

// asTarget is a context for a stream to the cluster of that id.
func asTarget(t *testing.T, id string) context.Context {
	return metadata.AppendToOutgoingContext(root(t), "cluster-id", id)
}

func insertRows(collection int64, keys ...int64) *msgpb.InsertRequest {
	return &msgpb.InsertRequest{CollectionID: collection, NumRows: uint64(len(keys)), FieldsData: []*schemapb.FieldData{{
		Type: schemapb.DataType_Int64, FieldName: "id",
		Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}}},
	}}}
}

func TestOpenTransactionIsRolledBackByForce(t *testing.T) {
	const begin, commit, insert = 900, 901, 2
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	mustWrite(t, w, "a", 16)
	waitFor(t, func() bool { return w.State("b").Rows == 16 })
	a, b := dial(t, w, "a"), dial(t, w, "b")
	coll, err := a.DescribeCollection(root(t), &milvuspb.DescribeCollectionRequest{CollectionName: milvussim.RowsCollection})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Stop("a"); err != nil {
		t.Fatal(err)
	}
	stream, err := b.CreateReplicateStream(asTarget(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, stream: stream, id: 1000, tick: w.State("b").Checkpoints[0].SourceTimeTick + 1<<30}
	o.send(begin, "1", nil)
	o.send(insert, "1", insertRows(coll.GetCollectionID(), 100, 101))
	o.send(commit, "1", nil)
	if got := o.confirmed(); got != o.tick {
		t.Errorf("confirmed %d, want the commit at %d", got, o.tick)
	}
	if got := w.State("b").Rows; got != 18 {
		t.Errorf("%d rows after the commit, want 18", got)
	}
	o.send(begin, "2", nil)
	o.send(insert, "2", insertRows(coll.GetCollectionID(), 200, 201))
	o.send(insert, "", insertRows(coll.GetCollectionID(), 300))
	_ = o.confirmed()
	if s, err := update(t, root(t), b, only(w, "b"), true); err != nil || s.GetCode() != 0 {
		t.Fatal(s, err)
	}
	if got := w.State("b").Rows; got != 19 {
		t.Errorf("%d rows after the promotion, want 19: the open transaction must be gone", got)
	}
	o.send(insert, "", insertRows(coll.GetCollectionID(), 400))
	if _, err := o.stream.Recv(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "primary cluster cannot receive replicate message") {
		t.Errorf("a message for a primary: %v", err)
	}
}

func TestReplicateStreamNeedsATarget(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	stream, err := dial(t, w, "b").CreateReplicateStream(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

// TestReplicationStreamRefusals: what a target tells a source that it does not
// take anything from (milvus.md §1.5).
func TestReplicationStreamRefusals(t *testing.T) {
	for _, tc := range []struct {
		name      string
		addressee string
		source    string
		channel   string
		want      string
	}{
		{"another cluster is meant", "z", "a", "a-rootcoord-dml_0", "cluster id mismatch, current: b, expected: z"},
		{"a source that is not listed", "b", "z", "z-rootcoord-dml_0", "source cluster z not found in replicate configuration"},
		{"a channel that is not listed", "b", "a", "a-other_0", "failed to get target channel, "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			stream, err := dial(t, w, "b").CreateReplicateStream(asTarget(t, tc.addressee))
			if err != nil {
				t.Fatal(err)
			}
			err = stream.Send(&milvuspb.ReplicateRequest{Request: &milvuspb.ReplicateRequest_ReplicateMessage{
				ReplicateMessage: &milvuspb.ReplicateMessage{SourceClusterId: tc.source, Message: &commonpb.ImmutableMessage{
					Id: &commonpb.MessageID{Id: "1"}, Properties: map[string]string{"_t": "900", "_tt": "zzzzzzzzzzz", "_tx": "1", "_vc": tc.channel},
				}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = stream.Recv(); err == nil || !strings.Contains(err.Error(), "STREAMING_CODE_REPLICATE_VIOLATION") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
