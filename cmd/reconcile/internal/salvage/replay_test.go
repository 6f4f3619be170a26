package salvage

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

// TestAReplayIsPlanned: of each lost row it is decided what becomes of it.
func TestAReplayIsPlanned(t *testing.T) {
	x := newLab(t)
	x.table("t", false)
	x.table("auto", true)
	x.table("gone", false)
	x.insert(x.a, "t", everyColumn(span(0, 40), 0), 40)
	x.await(func() bool { return len(x.times(x.b, "t")) == 40 })
	x.await(func() bool { return x.has("b", "gone") })
	x.lose(func() {
		x.insert(x.a, "t", everyColumn(span(100, 30), 1), 30) // ten of them are written again below
		x.upsert(x.a, "t", everyColumn(span(0, 10), 1), 10)
		x.upsert(x.a, "t", everyColumn(span(100, 10), 2), 10)
		x.remove(x.a, "t", "id in [20, 21, 22]")
		x.insert(x.a, "gone", everyColumn(span(0, 5), 1), 5)
		x.insert(x.a, "auto", everyColumn(span(0, 4), 1)[1:], 4)
		x.table("made", false)
		x.insert(x.a, "made", everyColumn(span(0, 2), 1), 2)
	})
	x.upsert(x.b, "t", everyColumn(span(0, 4), 9), 4) // newer than what was lost
	x.upsert(x.b, "t", everyColumn(span(4, 2), 1), 2) // the very same rows
	x.upsert(x.b, "t", everyColumn(span(22, 1), 9), 1)
	x.took(x.b.DropCollection(x.ctx, dropRequest("gone")))
	got := x.plan()
	if got.Fenced {
		t.Error("a passes for fenced")
	}
	x.fence()
	fenced := x.plan()
	if !fenced.Fenced || fenced.Digest != got.Digest || !strings.HasPrefix(got.Digest, "sha256:") {
		t.Errorf("fenced: %t, digest %q and then %q", fenced.Fenced, got.Digest, fenced.Digest)
	}
	ignore := cmpopts.IgnoreFields(replay.Count{}, "CollectionID", "First", "Last")
	want := []replay.Count{{Database: "default", Collection: "t", Upserts: 34, Deletes: 2, There: 2, Conflicts: 5, Replaced: 10}}
	if d := cmp.Diff(want, got.Counts, ignore); d != "" {
		t.Error(d)
	}
	rest := map[string]int64{}
	for _, r := range got.Rest {
		rest[r.Collection+" "+r.Kind] += r.Rows
	}
	for name, rows := range map[string]int64{"gone insert": 5, "auto insert": 4, "made insert": 2} {
		if rest[name] != rows {
			t.Errorf("%s: %d rows are left out, want %d: %+v", name, rest[name], rows, got.Rest)
		}
	}
	if len(got.Conflicts) != 5 || len(got.Problems) != 0 {
		t.Errorf("%+v, %+v", got.Conflicts, got.Problems)
	}
}

// heldSends counts what batches hold in all, and at most at one time.
type heldSends struct {
	replayWriter
	holding   *holding
	mu        sync.Mutex
	all, most int64
	sends     int
}

func (w *heldSends) Send(ctx context.Context, b *logrows.Batch) error {
	w.mu.Lock()
	w.all, w.most, w.sends = w.all+int64(b.Held()), max(w.most, w.holding.now.Load()), w.sends+1
	w.mu.Unlock()
	return w.replayWriter.Send(ctx, b)
}

// TestTheBatchesOfAllChannelsHoldABoundedAmount: however many collections and channels there
// are, batches that are not full are sent once all of them together hold too much.
func TestTheBatchesOfAllChannelsHoldABoundedAmount(t *testing.T) {
	x := newLab(t)
	const tables, inserts, rows = 3, 8, 40
	name := func(i int) string { return fmt.Sprint("t", i) }
	for i := range tables {
		x.table(name(i), false)
	}
	x.await(func() bool { return x.has("b", name(tables-1)) })
	x.lose(func() {
		for i := range tables {
			for n := range inserts {
				x.insert(x.a, name(i), everyColumn(span(n*rows, rows), 1), rows)
			}
		}
	})
	x.fence()
	h := &holding{most: 64 << 10}
	sent := &heldSends{holding: h}
	got, err := x.run(func(r *ReplayRun) {
		r.holding = h
		r.wrap = func(w replayWriter) replayWriter { sent.replayWriter = w; return sent }
	})
	x.must(err)
	if got.Done.Written != tables*inserts*rows || !got.Done.Whole() {
		t.Errorf("%+v", got.Done)
	}
	if left := h.now.Load(); sent.most > sent.all/2 || sent.all <= 2*h.most || left != 0 {
		t.Errorf("of %d bytes %d were held at once by %d batches, and %d are left", sent.all, sent.most, sent.sends, left)
	}
}

// embedded makes a collection whose vectors a model computes from its texts, and says whether
// clients may bring them.
func (x *lab) embedded(name string, taken bool) {
	x.t.Helper()
	schema := &schemapb.CollectionSchema{
		Name: name,
		Fields: []*schemapb.FieldSchema{
			{Name: "id", DataType: schemapb.DataType_Int64, IsPrimaryKey: true},
			{Name: "text", DataType: schemapb.DataType_VarChar},
			{Name: "dense", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "4"}}, IsFunctionOutput: true},
		},
		Functions: []*schemapb.FunctionSchema{{
			Name: "embed", Type: schemapb.FunctionType_TextEmbedding, InputFieldNames: []string{"text"}, OutputFieldNames: []string{"dense"},
		}},
	}
	raw, err := proto.Marshal(schema)
	x.must(err)
	req := &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: raw, ShardsNum: 2}
	if taken {
		req.Properties = []*commonpb.KeyValuePair{{Key: logrows.OutputsProperty, Value: "true"}}
	}
	x.took(x.a.CreateCollection(x.ctx, req))
	x.took(x.a.LoadCollection(x.ctx, &milvuspb.LoadCollectionRequest{CollectionName: name}))
}

// dense are the vectors of a collection by key.
func (x *lab) dense(in milvuspb.MilvusServiceClient, name string) map[int64]float32 {
	x.t.Helper()
	got, err := in.Query(x.ctx, &milvuspb.QueryRequest{CollectionName: name, Expr: "id >= 0", OutputFields: []string{"id", "dense"}})
	x.took(got.GetStatus(), err)
	var keys []int64
	var vectors []float32
	for _, f := range got.GetFieldsData() {
		if f.GetFieldName() == "id" {
			keys = f.GetScalars().GetLongData().GetData()
		} else if f.GetFieldName() == "dense" {
			vectors = f.GetVectors().GetFloatVector().GetData()
		}
	}
	out := map[int64]float32{}
	for i, k := range keys {
		out[k] = vectors[4*i]
	}
	return out
}

// TestTheVectorsOfAModelComeBackAsTheyWere: where clients may bring them. Otherwise the model
// would be asked again, so the rows are exported.
func TestTheVectorsOfAModelComeBackAsTheyWere(t *testing.T) {
	x := newLab(t)
	x.embedded("taken", true)
	x.embedded("computed", false)
	x.await(func() bool { return x.has("b", "computed") })
	x.lose(func() {
		for _, name := range []string{"taken", "computed"} {
			all := everyColumn(span(0, 6), 1)
			x.insert(x.a, name, []*schemapb.FieldData{all[0], all[8]}, 6)
		}
	})
	lost := x.dense(x.a, "taken")
	x.fence()
	got, err := x.run(nil)
	x.must(err)
	if back := x.dense(x.b, "taken"); got.Done.Written != 6 || !got.Done.Whole() || len(lost) != 6 || !maps.Equal(lost, back) {
		t.Errorf("%v came back as %v: %+v", lost, back, got.Done)
	}
	if len(got.Rest) != 1 || got.Rest[0].Collection != "computed" || got.Rest[0].Rows != 6 || len(x.dense(x.b, "computed")) != 0 {
		t.Errorf("%+v", got.Rest)
	}
}
