package milvussim_test

import (
	"testing"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestWhereASourceGoesOn: a source whose stream opens again goes on behind what
// was confirmed, even if its target has started again; one whose CDC component was
// restarted sends everything since the attach once more (milvus.md §5.5).
func TestWhereASourceGoesOn(t *testing.T) {
	for _, tc := range []struct {
		name    string
		between func(*milvussim.World) error
		again   bool
	}{
		{"the stream opens again", func(*milvussim.World) error { return nil }, false},
		{"the target restarts", func(w *milvussim.World) error { return w.Restart("b") }, false},
		{"the CDC component restarts", func(w *milvussim.World) error {
			if err := w.SetCDC("a", false); err != nil {
				return err
			}
			return w.SetCDC("a", true)
		}, true},
		{"the source restarts", func(w *milvussim.World) error { return w.Restart("a") }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := manual()
			w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			mustWrite(t, w, "a", 16)
			clock.Advance(time.Second)
			if err := w.SetLink("a", "b", false); err != nil {
				t.Fatal(err)
			}
			b := dial(t, w, "b")
			if s, err := update(t, root(t), b, only(w, "b"), true); err != nil || s.GetCode() != 0 {
				t.Fatal(s, err)
			}
			if err := w.SetLink("a", "b", true); err != nil {
				t.Fatal(err)
			}
			if s, err := update(t, root(t), b, star(w, []string{"a", "b"}, "a"), false); err != nil || s.GetCode() != 0 {
				t.Fatal(s, err)
			}
			if err := tc.between(w); err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.Second)
			if got := w.State("b").Checkpoints[3].SourceTimeTick > 0; got != tc.again {
				t.Errorf("sent once more: %v, want %v", got, tc.again)
			}
			mustWrite(t, w, "a", 16)
			clock.Advance(time.Second)
			want := 32
			if tc.again {
				want += 16 // the first ones are there twice
			}
			if got := w.State("b").Rows; got != want {
				t.Errorf("%d rows on the standby, want %d", got, want)
			}
		})
	}
}
