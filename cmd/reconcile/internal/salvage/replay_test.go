package salvage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
