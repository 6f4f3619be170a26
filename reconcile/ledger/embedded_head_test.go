package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestALedgerThatWasLostIsNotNew: each way in which a file can lose what was written
// is told from a ledger that never was, by what lies beside it.
func TestALedgerThatWasLostIsNotNew(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(path string, old []byte) error
		want string // part of the error; empty: it is new
	}{
		"emptied":                {func(p string, _ []byte) error { return os.WriteFile(p, nil, 0o600) }, "it held 6 records"},
		"removed":                {func(p string, _ []byte) error { return os.Remove(p) }, "it held 6 records"},
		"an older copy put back": {func(p string, old []byte) error { return os.WriteFile(p, old, 0o600) }, "record 6 was written: it is an older copy"},
		"removed, and the note of its head damaged": {func(p string, _ []byte) error {
			return errors.Join(os.Remove(p), os.WriteFile(p+".head", []byte{0}, 0o600))
		}, "it held records"},
		"emptied, and the note of its head removed": {func(p string, _ []byte) error {
			return errors.Join(os.WriteFile(p, nil, 0o600), os.Remove(p+".head"))
		}, "it held records"},
		"another ledger in its place": {func(p string, _ []byte) error {
			other := filepath.Join(filepath.Dir(p), "other.db")
			l, err := Embedded(other, Options{})
			if err != nil {
				return err
			}
			if _, _, err := l.Ensure(context.Background()); err != nil {
				return err
			}
			if err := fillGenerations(l, 9); err != nil {
				return err
			}
			data, err := os.ReadFile(other)
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, "another ledger"},
		"moved away with all that begins with its name": {func(p string, _ []byte) error {
			return errors.Join(os.Remove(p), os.Remove(p+".head"), os.RemoveAll(p+".locks"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			l, err := Embedded(path, Options{})
			must(t, err)
			_, _, err = l.Ensure(t.Context())
			must(t, err)
			old, err := os.ReadFile(path)
			must(t, err)
			lock, err := l.Lock(t.Context(), "orders", 0)
			must(t, err)
			must(t, lock.Release())
			must(t, fillGenerations(l, 5))
			must(t, c.lose(path, old))
			for who, ledger := range map[string]*Ledger{"this process": l, "another": reopened(t, path)} {
				_, readErr := ledger.Read(t.Context())
				_, _, makeErr := ledger.Ensure(t.Context())
				for what, err := range map[string]error{"read": readErr, "write": makeErr} {
					var corrupt *CorruptError
					switch {
					case c.want == "" && err != nil:
						t.Errorf("%s, %s: %v", who, what, err)
					case c.want != "" && (!errors.As(err, &corrupt) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hint: put its newest backup back")):
						t.Errorf("%s, %s: %v, want %q", who, what, err, c.want)
					}
				}
				if c.want == "" {
					break // it was made
				}
			}
		})
	}
}

func reopened(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Embedded(path, Options{})
	must(t, err)
	return l
}

// fillGenerations records so many generations.
func fillGenerations(l *Ledger, n int64) error {
	for i := range n {
		if err := l.RecordGeneration(context.Background(), plan.GenerationMark{Topology: "orders", Generation: i + 1, Document: "d"}); err != nil {
			return err
		}
	}
	return nil
}
