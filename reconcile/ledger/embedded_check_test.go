package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"milvus-reconcile/plan"
)

// pageHeader are the bytes of a page of bbolt before its elements.
const pageHeader = 16

// grown is a ledger whose records need more than one page.
func grown(t *testing.T) *Ledger {
	t.Helper()
	l := written(t, t.TempDir())
	for i := range 60 {
		must(t, l.RecordHome(t.Context(), plan.Home{Cluster: fmt.Sprint("c", i), Topology: "orders"}))
	}
	return l
}

// pagesOf returns where the pages of a kind stand that are in use.
func pagesOf(t *testing.T, path, kind string) (at []int64, size int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	must(t, err)
	size = int64(db.Info().PageSize)
	must(t, db.View(func(tx *bbolt.Tx) error {
		for id := 0; ; id++ {
			p, err := tx.Page(id)
			if p == nil || err != nil {
				return err
			}
			if p.Type == kind {
				at = append(at, int64(id)*size)
			}
		}
	}))
	must(t, db.Close())
	return at, size
}

// A page that leads bbolt out of the file, or in a circle, is damage: it costs
// no memory, ends no process, and nothing is written over it.
func TestDamagedPages(t *testing.T) {
	number := func(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }
	cases := map[string]struct {
		kind  string
		first int64 // where in the page
		with  func(page int64) []byte
		want  string
	}{
		"a branch that leads to itself":        {"branch", pageHeader + 8, func(page int64) []byte { return number(uint64(page)) }, "reached twice"},
		"a branch that leads to the metas":     {"branch", pageHeader + 8, func(int64) []byte { return number(1) }, "reached twice"},
		"a branch that leads out of the file":  {"branch", pageHeader + 8, func(int64) []byte { return number(1 << 40) }, "is not there"},
		"a branch with more than it can hold":  {"branch", 10, func(int64) []byte { return []byte{0xff, 0xff} }, "torn"},
		"a key out of its page":                {"branch", pageHeader, func(int64) []byte { return []byte{0, 0, 0, 0x70} }, "torn"},
		"a page of no kind":                    {"branch", 8, func(int64) []byte { return []byte{0x40} }, "of kind 0x40"},
		"a page with the number of another":    {"branch", 0, func(int64) []byte { return number(3) }, "damaged"},
		"a page without end":                   {"branch", 12, func(int64) []byte { return []byte{0xff, 0xff, 0xff, 0x7f} }, "damaged"},
		"a list of free pages without end":     {"freelist", 10, func(int64) []byte { return append([]byte{0xff, 0xff, 0, 0, 0, 0}, number(1<<38)...) }, "torn"},
		"a page in use said to be free":        {"freelist", 10, func(int64) []byte { return append([]byte{1, 0, 0, 0, 0, 0}, number(1)...) }, "said to be free"},
		"a list of free pages of another kind": {"freelist", 8, func(int64) []byte { return []byte{0x02} }, "free pages is of kind 0x2"},
	}
	source := grown(t)
	whole, err := os.ReadFile(source.store.name())
	must(t, err)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			raw := append([]byte(nil), whole...)
			at, size := pagesOf(t, source.store.name(), c.kind)
			for _, page := range at {
				copy(raw[page+c.first:], c.with(page/size))
			}
			must(t, os.WriteFile(path, raw, 0o600))
			l, err := Embedded(path, Options{})
			must(t, err)
			var damaged *CorruptError
			if _, err := l.Read(t.Context()); !errors.As(err, &damaged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("read: %v, want %q", err, c.want)
			}
			if err := l.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "orders"}); !errors.As(err, &damaged) {
				t.Errorf("written: %v", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(raw) {
				t.Error("a damaged ledger was written to")
			}
		})
	}
}

// A ledger that was written and read many times is never taken for damaged.
func TestSoundPages(t *testing.T) {
	s, err := grown(t).Read(t.Context())
	must(t, err)
	same(t, len(s.History("")), 65)
}
