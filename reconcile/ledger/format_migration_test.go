package ledger

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"milvus-reconcile/plan"
)

// stored copies a ledger of an older build.
func stored(t *testing.T, name string) *Ledger {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	path := filepath.Join(t.TempDir(), "ledger.db")
	must(t, os.WriteFile(path, raw, 0o600))
	l, err := Embedded(path, Options{Clock: func() time.Time { return start.Add(time.Hour) }})
	must(t, err)
	return l
}

// checkFormat1 knows what the build that wrote testdata/format-1.db was told.
func checkFormat1(t *testing.T, l *Ledger) Snapshot {
	t.Helper()
	s, err := l.Read(t.Context())
	must(t, err)
	m := s.Memory()
	same(t, len(m.Progress), 2)
	same(t, m.Progress[0].Channels[0].TimeTick, uint64(7))
	same(t, m.Progress[0].NoBacklogAt, start.Add(time.Minute))
	same(t, []int64{m.Intents[0].Generation, m.Generations[1].Generation}, []int64{9, 3})
	same(t, m.Intents[0].MayHaveSent, true)
	same(t, len(s.Spent("orders"))+len(s.Spent("users")), 3)
	same(t, m.Failovers[0].Promoted, "b")
	return s
}

func TestFormat1IsMigratedByTheFirstWrite(t *testing.T) {
	l := stored(t, "format-1.db")
	path := l.store.name()
	before, err := os.ReadFile(path)
	must(t, err)
	old := checkFormat1(t, l)
	after, err := os.ReadFile(path)
	must(t, err)
	if string(before) != string(after) {
		t.Fatal("a reader wrote")
	}
	must(t, l.RecordServed(t.Context(), "orders", Served{Version: 8}))
	inside(t, l, func(tx *bbolt.Tx) error {
		same(t, string(tx.Bucket(bucketMeta).Get(keyFormat)), formatVersion)
		same(t, tx.Bucket(bucketProgress) == nil, true)
		return nil
	})
	again, err := Embedded(path, Options{})
	must(t, err)
	migrated := checkFormat1(t, again)
	same(t, migrated.Served()["orders"].Version, int64(8))
	same(t, migrated.History("")[:len(old.History(""))], old.History(""))
	must(t, again.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: "b", Source: "a", At: start}))
	m, err := again.Memory(t.Context())
	must(t, err)
	same(t, len(m.Progress), 2)
}

func TestDamageIsNotMigrated(t *testing.T) {
	for name, edit := range map[string]func(*bbolt.Tx) error{
		"the last record taken out": func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketRecords).Cursor()
			c.Last()
			return c.Delete()
		},
		"edited progress": func(tx *bbolt.Tx) error { return tx.Bucket(bucketProgress).Put([]byte("b"), []byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			l := stored(t, "format-1.db")
			inside(t, l, edit)
			var damaged *CorruptError
			if _, err := l.Read(t.Context()); !errors.As(err, &damaged) {
				t.Fatal(err)
			}
		})
	}
}

// formatCases need a backend that is written to behind the ledger's back.
var formatCases = map[string]func(*testing.T, *fixture){
	"a newer format is refused, and left alone": func(t *testing.T, f *fixture) {
		f.plant(t, "7", nil)
		var format *FormatError
		if _, err := f.Read(t.Context()); !errors.As(err, &format) || format.Format != "7" || format.Path != f.store.name() {
			t.Fatal(err)
		}
		if err := f.RecordServed(t.Context(), "orders", Served{Version: 1}); !errors.As(err, &format) {
			t.Fatal(err)
		}
	},
	"an older format runs every migration up to this one": func(t *testing.T, f *fixture) {
		before := maps.Clone(migrations)
		t.Cleanup(func() { migrations = before })
		migrations["0.8"] = migration{to: "0.9", run: func(im image) (image, error) {
			im.latest = map[string][]byte{"swept/b": im.latest["b"]}
			return im, nil
		}}
		migrations["0.9"] = migration{to: formatVersion, run: func(im image) (image, error) {
			im.latest = map[string][]byte{progressKey("b"): im.latest["swept/b"]}
			return im, nil
		}}
		raw, err := encodeProgress(plan.ProgressRecord{Cluster: "b", Source: "a", At: start})
		must(t, err)
		f.plant(t, "0.8", map[string][]byte{"b": raw})
		same(t, len(f.read().Memory().Progress), 1)
		must(t, f.RecordServed(t.Context(), "orders", Served{Version: 1}))
		im, err := f.store.load(t.Context())
		must(t, err)
		same(t, im.format, formatVersion)
		same(t, im.latest, map[string][]byte{progressKey("b"): raw})
		same(t, f.read().Served()["orders"].Version, int64(1))
	},
	"a migration of very many values is one transaction": func(t *testing.T, f *fixture) {
		const many = 700
		before := maps.Clone(migrations)
		t.Cleanup(func() { migrations = before })
		migrations["0.9"] = migration{to: formatVersion, run: migrateProgress}
		old := map[string][]byte{}
		for i := range many {
			raw, err := encodeProgress(plan.ProgressRecord{Cluster: fmt.Sprint("c", i), Source: "a", At: start})
			must(t, err)
			old[fmt.Sprint("c", i)] = raw
		}
		f.plant(t, "0.9", old)
		same(t, len(f.read().Memory().Progress), many)
		must(t, f.RecordServed(t.Context(), "orders", Served{Version: 1}))
		im, err := f.store.load(t.Context())
		must(t, err)
		same(t, im.format, formatVersion)
		same(t, len(im.latest), many)
		same(t, len(f.read().Memory().Progress), many)
		same(t, f.read().Served()["orders"].Version, int64(1))
	},
}

// plant writes a ledger of some format, with its birth.
func (f *fixture) plant(t *testing.T, format string, latest map[string][]byte) {
	t.Helper()
	im := longChain(t, f.Ledger, 1)
	must(t, f.store.commit(t.Context(), nil, func(image) (change, error) {
		return change{format: format, head: headOf(im.chain, latest), append: im.chain, latest: latest}, nil
	}))
}
