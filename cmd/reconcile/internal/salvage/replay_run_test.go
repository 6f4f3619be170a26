package salvage

import (
	"context"
	"errors"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/replay"
)

func (x *lab) run(change func(*ReplayRun)) (replay.Report, error) {
	x.t.Helper()
	r := ReplayRun{
		Fleet: x.fleet, Topology: x.topology, Of: ReplayOf{Promoted: "b", Stale: "a"},
		Begin:  func(context.Context, replay.Report) error { return nil },
		Wanted: func(context.Context) error { return nil },
	}
	if change != nil {
		change(&r)
	}
	return r.Run(x.ctx)
}

// lossy is a pair on which b lacks rows of every type.
func lossy(t testing.TB, before, lost int) *lab {
	x := newLab(t)
	x.table("t", false)
	x.insert(x.a, "t", everyColumn(span(0, before), 0), before)
	x.await(func() bool { return len(x.times(x.b, "t")) == before })
	x.lose(func() {
		for first := 0; first < lost; first += 500 {
			n := min(500, lost-first)
			x.insert(x.a, "t", everyColumn(span(1000+first, n), 1), n)
		}
		x.upsert(x.a, "t", everyColumn(span(0, 10), 1), 10)
		x.upsert(x.a, "t", everyColumn(span(1000, 10), 2), 10)
		x.remove(x.a, "t", "id in [20, 21, 22]")
	})
	return x
}

// TestAReplayBringsLostRowsBack: every lost row of every type is back once, what is newer
// stays, and a second run has nothing to do.
func TestAReplayBringsLostRowsBack(t *testing.T) {
	x := lossy(t, 40, 300)
	x.upsert(x.b, "t", everyColumn(span(0, 4), 9), 4)
	x.upsert(x.b, "t", everyColumn(span(4, 2), 1), 2)
	x.fence()
	planned := x.plan()
	got, err := x.run(nil)
	x.must(err)
	if d := got.Done; d.Written != planned.ToWrite() || d.Right != planned.ToWrite()+2 || d.Missing+d.Doubled+d.Remaining != 0 || d.Problem != "" || len(d.NotRead) != 0 {
		t.Errorf("planned %d: %+v", planned.ToWrite(), d)
	}
	if got.ToWrite() != 0 || got.HeldBack() != 4 || got.Digest != planned.Digest {
		t.Errorf("%+v", got)
	}
	times := x.times(x.b, "t")
	for _, k := range append(span(0, 40), span(1000, 300)...) {
		want := 1
		if k >= 20 && k <= 22 {
			want = 0
		}
		if times[k] != want {
			t.Errorf("row %d is there %d times", k, times[k])
		}
	}
	again, err := x.run(nil)
	x.must(err)
	if again.Done.Written != 0 || again.Done.Right != got.Done.Right {
		t.Errorf("a second run: %+v", again.Done)
	}
}

// TestAReplayHoldsBackWhatIsWrittenMeanwhile: a key that an application writes after the logs
// were compared is not written over.
func TestAReplayHoldsBackWhatIsWrittenMeanwhile(t *testing.T) {
	x := lossy(t, 20, 40)
	x.fence()
	got, err := x.run(func(r *ReplayRun) {
		r.Begin = func(context.Context, replay.Report) error {
			x.upsert(x.b, "t", everyColumn(span(1000, 8), 9), 8)
			return nil
		}
	})
	x.must(err)
	if got.Done.HeldBack != 8 || got.HeldBack() != 8 || got.ToWrite() != 0 {
		t.Errorf("%+v, %+v", got.Done, got.Counts)
	}
	read, err := x.b.Query(x.ctx, &milvuspb.QueryRequest{CollectionName: "t", Expr: "id in [1003]", OutputFields: []string{"long"}})
	x.must(err)
	want := everyColumn(span(1003, 1), 9)
	for _, f := range read.GetFieldsData() {
		if f.GetFieldName() == "long" && f.GetScalars().GetLongData().GetData()[0] != want[5].GetScalars().GetLongData().GetData()[0] {
			t.Error("an application's row was written over")
		}
	}
}

// TestAReplayThatIsNotWantedWritesNothing.
func TestAReplayThatIsNotWantedWritesNothing(t *testing.T) {
	x := lossy(t, 20, 10)
	x.fence()
	no := errors.New("no")
	if _, err := x.run(func(r *ReplayRun) { r.Begin = func(context.Context, replay.Report) error { return no } }); !errors.Is(err, no) {
		t.Error(err)
	}
	got, err := x.run(func(r *ReplayRun) { r.Wanted = func(context.Context) error { return no } })
	x.must(err)
	if got.Done.Problem == "" || got.Done.Written != 0 {
		t.Errorf("%+v", got.Done)
	}
	if n := len(x.times(x.b, "t")); n != 20 {
		t.Errorf("b has %d rows", n)
	}
}
