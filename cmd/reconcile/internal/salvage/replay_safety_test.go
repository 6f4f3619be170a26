package salvage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/replay"
)

// disturbed is a writer whose first batch meets something.
type disturbed struct {
	replayWriter
	meets func(send func() error) error // nil: it has met it
}

func (w *disturbed) Send(ctx context.Context, b *logrows.Batch) error {
	send := func() error { return w.replayWriter.Send(ctx, b) }
	if meets := w.meets; meets != nil {
		w.meets = nil
		return meets(send)
	}
	return send()
}

// longs are the values of a field of some rows.
func (x *lab) longs(in milvuspb.MilvusServiceClient, filter string) map[int64]int64 {
	x.t.Helper()
	got, err := in.Query(x.ctx, &milvuspb.QueryRequest{CollectionName: "t", Expr: filter, OutputFields: []string{"id", "long"}})
	x.took(got.GetStatus(), err)
	var keys, values []int64
	for _, f := range got.GetFieldsData() {
		switch f.GetFieldName() {
		case "id":
			keys = f.GetScalars().GetLongData().GetData()
		case "long":
			values = f.GetScalars().GetLongData().GetData()
		}
	}
	out := map[int64]int64{}
	for i, k := range keys {
		out[k] = values[i]
	}
	return out
}

// lossyShard is a pair on which b lacks rows of one shard alone: a batch of another would be
// sent at the same time.
func lossyShard(t testing.TB) (x *lab, keys []int64) {
	x = newLab(t)
	x.table("t", false)
	x.insert(x.a, "t", everyColumn(span(0, 20), 0), 20)
	x.await(func() bool { return len(x.times(x.b, "t")) == 20 })
	for k := range int64(10) {
		keys = append(keys, 1000+4*k)
	}
	x.lose(func() { x.insert(x.a, "t", everyColumn(keys, 1), len(keys)) })
	x.fence()
	return x, keys
}

func longOf(key int64, version int) int64 {
	return everyColumn([]int64{key}, version)[5].GetScalars().GetLongData().GetData()[0]
}

// TestATryWithoutAnAnswerOverwritesNothing: an application writes the keys of a batch after
// its first try, whether that was taken or not. The next try leaves them alone.
func TestATryWithoutAnAnswerOverwritesNothing(t *testing.T) {
	for _, taken := range []bool{true, false} {
		x, keys := lossyShard(t)
		lost := errors.New("no answer came")
		got, err := x.run(func(r *ReplayRun) {
			r.wrap = func(w replayWriter) replayWriter {
				return &disturbed{w, func(send func() error) error {
					if taken {
						x.must(send())
					}
					x.upsert(x.b, "t", everyColumn(keys, 9), len(keys))
					return lost
				}}
			}
		})
		x.must(err)
		for k, v := range x.longs(x.b, "id >= 1000") {
			if v != longOf(k, 9) {
				t.Fatalf("taken %t: the application's row %d was written over: %+v", taken, k, got.Done)
			}
		}
		if got.ToWrite() != 0 || got.Done.Problem != "" || got.Done.Doubled+got.Done.Missing != 0 {
			t.Errorf("taken %t: %+v", taken, got.Done)
		}
	}
}

// TestATryThatWasTakenIsNotRepeated: what the log shows of it is not sent again.
func TestATryThatWasTakenIsNotRepeated(t *testing.T) {
	x, keys := lossyShard(t)
	want := int64(len(keys))
	before := x.State("b").WritesAccepted
	got, err := x.run(func(r *ReplayRun) {
		r.wrap = func(w replayWriter) replayWriter {
			return &disturbed{w, func(send func() error) error {
				x.must(send())
				return errors.New("no answer came")
			}}
		}
	})
	x.must(err)
	if n := int64(x.State("b").WritesAccepted - before); n != want || got.Done.Written != want || !got.Done.Whole() {
		t.Errorf("%d rows were taken and %d are told, want %d: %+v", n, got.Done.Written, want, got.Done)
	}
}

// TestWhatIsWrittenDuringABatchStaysInTheNext: the log is read after a batch was taken, so that
// what an application wrote up to then is not overwritten by the next batch.
func TestWhatIsWrittenDuringABatchStaysInTheNext(t *testing.T) {
	x, keys := lossyShard(t)
	later := keys[6:]
	got, err := x.run(func(r *ReplayRun) {
		r.batch = 3 // so the second batch is not the last one
		r.wrap = func(w replayWriter) replayWriter {
			d := &disturbed{replayWriter: w}
			second := func(send func() error) error {
				err := send()
				<-time.After(250 * time.Millisecond) // a reading that began with the batch ends
				x.upsert(x.b, "t", everyColumn(later, 9), len(later))
				return err
			}
			d.meets = func(send func() error) error {
				d.meets = second
				return send()
			}
			return d
		}
	})
	x.must(err)
	for k, v := range x.longs(x.b, "id >= 1000") {
		if version := 1 + 8*min(1, k/later[0]); v != longOf(k, int(version)) {
			t.Errorf("row %d is not that of version %d", k, version)
		}
	}
	if n := int64(len(later)); got.Done.HeldBack != n || got.HeldBack() != n || !got.Done.Whole() {
		t.Errorf("%+v", got.Done)
	}
}

// TestACollectionThatIsMadeAgainTakesNoLostRow: it has the name, and is another one. The
// moment is the last before a batch, which no reading of the log can see.
func TestACollectionThatIsMadeAgainTakesNoLostRow(t *testing.T) {
	x, _ := lossyShard(t)
	got, err := x.run(func(r *ReplayRun) {
		r.wrap = func(w replayWriter) replayWriter {
			return &disturbed{w, func(send func() error) error {
				x.took(x.b.DropCollection(x.ctx, dropRequest("t")))
				x.tableIn(x.b, "t", false)
				return send()
			}}
		}
	})
	x.must(err)
	if n := len(x.times(x.b, "t")); n != 0 || got.Done.Whole() {
		t.Errorf("the new collection has %d rows: %+v", n, got.Done)
	}
}

// TestAReplayWritesOnlyWhatItBeganWith: a channel of the promoted cluster that could not be
// read is left out, and so out of the digest. That it can be read later approves nothing.
func TestAReplayWritesOnlyWhatItBeganWith(t *testing.T) {
	x := lossy(t, 20, 200)
	x.fence()
	whole := x.plan()
	var began replay.Report
	got, err := x.run(func(r *ReplayRun) {
		r.Begin = func(_ context.Context, report replay.Report) error {
			began = report
			return nil
		}
		r.wrap = func(w replayWriter) replayWriter { // the first comparison meets an error
			x.must(x.AddFault("b", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError, Code: codes.Internal, Times: 1}))
			return w
		}
	})
	x.must(err)
	if len(began.Problems) != 1 || began.Digest == whole.Digest || began.ToWrite() >= whole.ToWrite() {
		t.Fatalf("the fault hit nothing: %+v", began)
	}
	if n := int64(len(x.times(x.b, "t"))); n > 20+began.ToWrite() || got.Done.Written > began.ToWrite() || got.Done.Problem == "" {
		t.Errorf("it began with %d rows; b has %d: %+v", began.ToWrite(), n, got.Done)
	}
}

// TestWhatThePromotedClusterDeletedStaysDeleted: a delete since the promotion is newer than
// a lost row, also of a key that was not there.
func TestWhatThePromotedClusterDeletedStaysDeleted(t *testing.T) {
	x := lossy(t, 20, 40)
	x.remove(x.b, "t", "id in [3, 1003, 1004]")
	x.fence()
	got, err := x.run(nil)
	x.must(err)
	if got.HeldBack() != 3 || !got.Done.Whole() {
		t.Errorf("%+v", got)
	}
	times := x.times(x.b, "t")
	for _, k := range []int64{3, 1003, 1004} {
		if times[k] != 0 {
			t.Errorf("row %d is back", k)
		}
	}
}

// TestAnExpiredRowDoesNotComeBack: it would live once more. It stays in the digest, so that
// the clock changes no approval.
func TestAnExpiredRowDoesNotComeBack(t *testing.T) {
	x := newLab(t)
	x.table("t", false)
	x.took(x.a.AlterCollection(x.ctx, &milvuspb.AlterCollectionRequest{
		CollectionName: "t", Properties: []*commonpb.KeyValuePair{{Key: "collection.ttl.seconds", Value: "86400"}},
	}))
	x.insert(x.a, "t", everyColumn(span(0, 5), 0), 5)
	x.await(func() bool { return len(x.times(x.b, "t")) == 5 })
	x.lose(func() {
		x.insert(x.a, "t", everyColumn(span(100, 5), 1), 5)
		x.remove(x.a, "t", "id in [1]")
	})
	x.fence()
	r, err := openComparison(x.ctx, x.fleet.Reader(), x.topology, ReplayOf{Promoted: "b", Stale: "a"}, "")
	x.must(err)
	defer func() { x.must(r.close(false)) }()
	young, err := r.find(x.ctx, x.topology, nil)
	x.must(err)
	r.logs.Now = r.logs.Now.Add(48 * time.Hour)
	old, err := r.find(x.ctx, x.topology, nil)
	x.must(err)
	if young.report.ToWrite() != 6 || old.report.ToWrite() != 1 || young.report.Digest != old.report.Digest {
		t.Errorf("%+v and then %+v", young.report, old.report)
	}
	if len(old.report.Rest) != 1 || old.report.Rest[0].Rows != 5 || old.report.Rest[0].Why != replay.WhyExpired {
		t.Errorf("%+v", old.report.Rest)
	}
}

// TestADecisionIsForItsRow: a log that lost its beginning between two readings gives no row
// the decision about another.
func TestADecisionIsForItsRow(t *testing.T) {
	s := newSpill(t.TempDir(), 0)
	rows := []replay.Write{{Key: replay.Mark{0: 32, 9: 1}, Group: 1}, {Key: replay.Mark{0: 64, 9: 2}, Group: 2}}
	for _, w := range rows {
		if err := s.add(logged{Write: w}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.judge(), s.close()); err != nil {
		t.Fatal(err)
	}
	d := s.decisions()
	defer d.close() //nolint:errcheck // only read
	if _, err := d.next(rows[1]); !errors.Is(err, errOtherLog) {
		t.Errorf("the second row takes the decision about the first: %v", err)
	}
}

// TestAnExportIsWholeOrNotThere: a run that could not finish leaves no file, so that the same
// command can go on.
func TestAnExportIsWholeOrNotThere(t *testing.T) {
	x := lossy(t, 20, 10)
	x.fence()
	path := filepath.Join(t.TempDir(), "rest.jsonl")
	no := errors.New("no")
	got, err := x.run(func(r *ReplayRun) { r.Export, r.Wanted = path, func(context.Context) error { return no } })
	x.must(err)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || got.Export != "" {
		t.Errorf("%v, %q", err, got.Export)
	}
	if got, err = x.run(func(r *ReplayRun) { r.Export = path }); err != nil || !strings.HasSuffix(got.Export, "rest.jsonl") {
		t.Errorf("%v, %+v, %+v", err, got, got.Done)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
