package ledger

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

// A process that has read the ledger sees whatever another one writes to it,
// at once, and reads the same snapshot while nobody does.
func TestKeptIsWhatStands(t *testing.T) {
	here := written(t, t.TempDir())
	there, err := Embedded(here.store.name(), Options{})
	must(t, err)
	read := func(l *Ledger) Snapshot {
		t.Helper()
		s, err := l.Read(t.Context())
		must(t, err)
		return s
	}
	for i := range 5 {
		before := read(here)
		if again := read(here); again.Version() != before.Version() || before.Version() == 0 {
			t.Fatalf("versions %d and %d of one content", before.Version(), again.Version())
		}
		home := plan.Home{Cluster: fmt.Sprintf("new-%d", i), Topology: "orders"}
		must(t, there.RecordHome(t.Context(), home))
		must(t, there.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: home.Cluster, Source: "a"}))
		after := read(here)
		if after.Version() == before.Version() {
			t.Fatal("another process's write went unseen")
		}
		same(t, after.Memory(), read(there).Memory())
		same(t, after.History(""), read(there).History(""))
		must(t, here.RecordGeneration(t.Context(), plan.GenerationMark{Topology: "orders", Generation: int64(100 + i)}))
		fresh, err := Embedded(here.store.name(), Options{})
		must(t, err)
		same(t, read(here).Memory(), read(fresh).Memory())
	}
}

// Somebody who edits the file behind the ledger's back is found out by a
// process that knows it already.
func TestKeptIsNotBelievedAfterAnEdit(t *testing.T) {
	l := written(t, t.TempDir())
	_, err := l.Read(t.Context())
	must(t, err)
	whole, err := os.ReadFile(l.store.name())
	must(t, err)
	db, err := bbolt.Open(l.store.name(), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyHead, []byte("1 other")) }))
	must(t, db.Close())
	edited, err := os.ReadFile(l.store.name())
	must(t, err)
	if _, err := l.Read(t.Context()); err == nil {
		t.Fatal("an edit by a transaction went unseen")
	}
	must(t, os.WriteFile(l.store.name(), whole, 0o600))
	if _, err := l.Read(t.Context()); err != nil {
		t.Fatalf("what was put back is refused: %v", err)
	}
	must(t, os.WriteFile(l.store.name(), edited[:len(edited)/2], 0o600))
	if _, err := l.Read(t.Context()); err == nil {
		t.Fatal("a file that was cut went unseen")
	}
}

// Many goroutines of one process use one ledger without waiting for its file
// lock, and none loses what another wrote.
func TestGoroutinesTakeTurns(t *testing.T) {
	l := written(t, t.TempDir())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				cluster := fmt.Sprintf("c-%d-%d", i, j)
				if err := l.RecordHome(t.Context(), plan.Home{Cluster: cluster, Topology: "orders"}); err != nil {
					t.Error(err)
				}
				if err := l.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: cluster, Source: "a"}); err != nil {
					t.Error(err)
				}
				m, err := l.Memory(t.Context())
				if err != nil || len(m.Homes) == 0 {
					t.Errorf("%d homes, %v", len(m.Homes), err)
				}
			}
		})
	}
	all.Wait()
	fresh, err := Embedded(l.store.name(), Options{})
	must(t, err)
	m, err := fresh.Memory(t.Context())
	must(t, err)
	now, err := l.Memory(t.Context())
	must(t, err)
	same(t, now, m)
	if len(m.Progress) < 80 {
		t.Fatalf("%d progress records, want at least 80", len(m.Progress))
	}
}

// What nobody wrote since is read without the lock of the file: somebody who
// holds it, and has written nothing yet, delays no reader. What they then wrote
// is seen, or waited for.
func TestUnchangedIsReadWithoutTheLock(t *testing.T) {
	path := written(t, t.TempDir()).store.name()
	l, err := Embedded(path, Options{BusyWait: 20 * time.Millisecond})
	must(t, err)
	before, err := l.Read(t.Context())
	must(t, err)
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	again, err := l.Read(t.Context())
	must(t, err)
	same(t, again.Version(), before.Version())
	must(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put([]byte("other"), nil) }))
	if _, err := l.Read(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("after a write by the holder of the lock: %v", err)
	}
	must(t, db.Close())
	after, err := l.Read(t.Context())
	must(t, err)
	same(t, after.Version() != before.Version(), true)
	same(t, after.SameRecords(before), true)
}

// What was handed out stays as it was, also when the file goes back and then on
// in another way.
func TestSnapshotsStay(t *testing.T) {
	l := written(t, t.TempDir())
	early, err := os.ReadFile(l.store.name())
	must(t, err)
	home := func(cluster string) {
		must(t, l.RecordHome(t.Context(), plan.Home{Cluster: cluster, Topology: "orders"}))
	}
	home("x")
	home("y")
	first, err := l.Read(t.Context())
	must(t, err)
	history := first.History("")
	must(t, os.WriteFile(l.store.name(), early, 0o600))
	_, err = l.Accept(t.Context())
	must(t, err)
	home("z")
	second, err := l.Read(t.Context())
	must(t, err)
	same(t, second.SameRecords(first), false)
	same(t, len(second.History("")), len(history)) // the acceptance stands for one
	same(t, first.History(""), history)
}

// What was written is remembered as it would be read.
func TestWrittenProgressIsKnownAsItIsRead(t *testing.T) {
	times := rapid.Custom(func(rt *rapid.T) *time.Time {
		if rapid.Bool().Draw(rt, "unknown") {
			return nil
		}
		zone := time.FixedZone("elsewhere", rapid.SampledFrom([]int{0, 3600}).Draw(rt, "offset"))
		at := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(rt, "at")).In(rapid.SampledFrom([]*time.Location{time.UTC, zone}).Draw(rt, "zone"))
		return &at
	})
	names := rapid.SampledFrom([]string{"", "a", "b"})
	channels := rapid.Custom(func(rt *rapid.T) plan.ChannelProgress {
		return plan.ChannelProgress{
			Channel: names.Draw(rt, "channel"), Known: rapid.Bool().Draw(rt, "known"), Error: names.Draw(rt, "error"),
			SourceCluster: names.Draw(rt, "source"), MessageID: names.Draw(rt, "message"), TimeTick: rapid.Uint64().Draw(rt, "tick"),
			Salvage: rapid.SliceOfN(rapid.Just(plan.Salvage{SourceCluster: "c", TimeTick: 1}), 0, 2).Draw(rt, "salvage"),
			Unsent:  times.Draw(rt, "unsent"), CaughtUpAt: times.Draw(rt, "caught up"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		p := plan.ProgressRecord{
			Cluster: "b", Source: names.Draw(rt, "from"), At: time.Now(), NoBacklogAt: time.Now(),
			Channels:    rapid.SliceOfN(channels, 0, 3).Draw(rt, "channels"),
			Collections: rapid.SliceOfN(names, 0, 2).Draw(rt, "collections"),
		}
		raw, err := encodeProgress(p)
		must(t, err)
		_, body, _ := cutHash(raw)
		want, err := decodeProgress(body)
		must(t, err)
		if got := asDecoded(p); !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %#v\nwant %#v", got, want)
		}
	})
}

// TestMemoryIsInOrder: callers find what is about a cluster by its place.
func TestMemoryIsInOrder(t *testing.T) {
	l := written(t, t.TempDir())
	for _, id := range []string{"z", "k", "c"} {
		must(t, l.RecordHome(t.Context(), plan.Home{Cluster: id, Topology: "orders"}))
		must(t, l.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: id, Source: "a"}))
		must(t, l.RecordGeneration(t.Context(), plan.GenerationMark{Topology: "t-" + id, Generation: 1}))
	}
	m, err := l.Memory(t.Context())
	must(t, err)
	same(t, len(m.Progress) >= 3 && len(m.Homes) >= 3 && len(m.Generations) >= 3, true)
	same(t, slices.IsSortedFunc(m.Progress, func(x, y plan.ProgressRecord) int { return strings.Compare(x.Cluster, y.Cluster) }), true)
	same(t, slices.IsSortedFunc(m.Homes, func(x, y plan.Home) int { return strings.Compare(x.Cluster, y.Cluster) }), true)
	same(t, slices.IsSortedFunc(m.Generations, func(x, y plan.GenerationMark) int { return strings.Compare(x.Topology, y.Topology) }), true)
}
