package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"milvus-reconcile/plan"
)

func openEmbedded(t *testing.T) func(Options) *Ledger {
	path := filepath.Join(t.TempDir(), "deep", "ledger.db")
	return func(o Options) *Ledger {
		l, err := Embedded(path, o)
		must(t, err)
		return l
	}
}

func TestEmbedded(t *testing.T) { conformance(t, openEmbedded) }

// TestALinkedLedgerHasOneLock: whatever name a file is reached by, one process holds
// its lock, also before the file is made.
func TestALinkedLedgerHasOneLock(t *testing.T) {
	for name, link := range map[string]func(dir, file string) (string, error){
		"to the file": func(dir, file string) (string, error) {
			path := filepath.Join(dir, "other.db")
			return path, os.Symlink(file, path)
		},
		"to the file, relative and twice": func(dir, file string) (string, error) {
			path := filepath.Join(dir, "other.db")
			target, err := filepath.Rel(dir, file)
			return path, errors.Join(err, os.Symlink(target, filepath.Join(dir, "second")), os.Symlink("second", path))
		},
		"to its folder": func(dir, file string) (string, error) {
			path := filepath.Join(dir, "other")
			return filepath.Join(path, filepath.Base(file)), os.Symlink(filepath.Dir(file), path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			must(t, err)
			file := filepath.Join(dir, "data", "ledger.db")
			linked, err := link(dir, file)
			must(t, err)
			for _, made := range []bool{false, true} {
				if made {
					written(t, filepath.Dir(file))
				}
				one, err := Embedded(linked, Options{})
				must(t, err)
				k, err := one.Lock(t.Context(), "orders", 0)
				must(t, err)
				other, err := Embedded(file, Options{})
				must(t, err)
				_, err = other.Lock(t.Context(), "orders", 0)
				var held *HeldError
				if !errors.As(err, &held) {
					t.Errorf("made %t: the lock is taken twice: %v", made, err)
				}
				must(t, k.Release())
			}
			if real, err := filepath.EvalSymlinks(linked); err != nil || real != file {
				t.Errorf("the link leads to %s (%v)", real, err)
			}
		})
	}
}

// written is a ledger with a few records of each sort.
func written(t testing.TB, dir string) *Ledger {
	l, err := Embedded(filepath.Join(dir, "ledger.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	fillLedger(t, l)
	return l
}

// fillLedger writes a few records of each sort.
func fillLedger(t testing.TB, l *Ledger) {
	t.Helper()
	k, err := l.Lock(t.Context(), "orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		l.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}),
		k.Begin(t.Context(), failover("orders", 8, "d1")),
		k.Effected(t.Context()),
		k.Finish(t.Context(), "done", ""),
		l.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: "b", Source: "a"}),
		k.Release(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inside edits the file behind the ledger's back.
func inside(t *testing.T, l *Ledger, edit func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(l.store.name(), 0o600, nil)
	must(t, err)
	must(t, db.Update(edit))
	must(t, db.Close())
}

func TestDamageIsReported(t *testing.T) {
	key := func(seq byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, seq} }
	replace := func(seq byte, from, to string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketRecords)
			v := strings.Replace(string(b.Get(key(seq))), from, to, 1)
			return b.Put(key(seq), []byte(v))
		}
	}
	resealed := func(seq byte, from, to string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketRecords)
			_, body, _ := cutHash(b.Get(key(seq)))
			raw := strings.Replace(string(body), from, to, 1)
			return b.Put(key(seq), []byte(hashOf([]byte(raw))+"\n"+raw))
		}
	}
	cases := map[string]struct {
		edit func(*bbolt.Tx) error
		seq  uint64
		keep int // records that history still shows
	}{
		"an edited record":                 {replace(3, `"generation":8`, `"generation":9`), 3, 2},
		"an edited record with a new hash": {resealed(3, `"generation":8`, `"generation":9`), 4, 3},
		"the last record with a new hash":  {resealed(5, `"done"`, `"gone"`), 6, 0},
		"a torn record":                    {func(tx *bbolt.Tx) error { return tx.Bucket(bucketRecords).Put(key(3), []byte("x")) }, 3, 0},
		"a record that is not ours":        {resealed(1, `"born"`, `"bored"`), 2, 1},
		"a field that we do not know":      {resealed(1, `"kind"`, `"sort":1,"kind"`), 1, 0},
		"a record taken out":               {func(tx *bbolt.Tx) error { return tx.Bucket(bucketRecords).Delete(key(3)) }, 3, 2},
		"the last record taken out":        {func(tx *bbolt.Tx) error { return tx.Bucket(bucketRecords).Delete(key(5)) }, 5, 0},
		"a record put behind":              {func(tx *bbolt.Tx) error { return tx.Bucket(bucketRecords).Put(key(6), []byte("x")) }, 6, 0},
		"the head taken out":               {func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyHead) }, 6, 0},
		"a bucket taken out":               {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketLatest) }, 0, 0},
		"edited progress":                  {func(tx *bbolt.Tx) error { return tx.Bucket(bucketLatest).Put([]byte("progress/b"), []byte("x")) }, 0, 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := written(t, t.TempDir())
			inside(t, l, c.edit)
			s, err := l.Read(t.Context())
			var damaged *CorruptError
			if !errors.As(err, &damaged) || damaged.Seq != c.seq || damaged.Path != l.store.name() {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), "damaged") {
				t.Fatal(err)
			}
			same(t, s.Memory(), plan.Memory{})
			if c.keep > 0 {
				same(t, len(s.History("")), c.keep)
			}
			if name == "edited progress" {
				return
			}
			if err := l.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "orders"}); !errors.As(err, &damaged) {
				t.Fatalf("written to a damaged ledger: %v", err)
			}
		})
	}
}

func TestAnotherFormatIsRefused(t *testing.T) {
	l := written(t, t.TempDir())
	inside(t, l, func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, []byte("7")) })
	var format *FormatError
	if _, err := l.Read(t.Context()); !errors.As(err, &format) || format.Format != "7" {
		t.Fatal(err)
	}
	if err := l.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "orders"}); !errors.As(err, &format) {
		t.Fatal(err)
	}
}

func TestBrokenFile(t *testing.T) {
	whole, err := os.ReadFile(written(t, t.TempDir()).store.name())
	must(t, err)
	cases := map[string][]byte{
		"not a ledger":         []byte("apiVersion: reconcile/v1alpha1\n"),
		"a page":               whole[:4096],
		"cut behind the metas": whole[:3*4096],
		"zeros":                make([]byte, len(whole)),
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			must(t, os.WriteFile(path, raw, 0o600))
			l, err := Embedded(path, Options{})
			must(t, err)
			for range 2 { // the second shows that the first left no lock behind
				if _, err := l.Read(t.Context()); err == nil {
					t.Fatal("read")
				}
				if err := l.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "o"}); err == nil || errors.Is(err, ErrBusy) {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestFileOfAKilledMaker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	must(t, os.WriteFile(path, nil, 0o600))
	l, err := Embedded(path, Options{})
	must(t, err)
	s, err := l.Read(t.Context())
	must(t, err)
	if _, ok := s.Born(); ok {
		t.Fatal("born")
	}
	_, isNew, err := l.Ensure(t.Context())
	must(t, err)
	if !isNew {
		t.Fatal("not new")
	}
}

func TestBusyFileIsABoundedWait(t *testing.T) {
	l := written(t, t.TempDir())
	db, err := bbolt.Open(l.store.name(), 0o600, nil)
	must(t, err)
	defer db.Close()
	other, err := Embedded(l.store.name(), Options{BusyWait: 1})
	must(t, err)
	if _, err := other.Read(t.Context()); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
}

func TestRemovedLockFileIsALostLock(t *testing.T) {
	l := written(t, t.TempDir())
	k, err := l.Lock(t.Context(), "orders", 0)
	must(t, err)
	defer k.Release()
	must(t, os.RemoveAll(l.store.name()+".locks"))
	if err := k.Begin(t.Context(), failover("orders", 9, "d2")); !errors.Is(err, ErrLockLost) {
		t.Fatal(err)
	}
	<-k.Lost()
}

func TestPathIsNeeded(t *testing.T) {
	if _, err := Embedded("", Options{}); err == nil {
		t.Fatal("opened")
	}
}
