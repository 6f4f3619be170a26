package milvussim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

func linkOf(w *milvussim.World, from, to string) milvussim.LinkState {
	links := w.Snapshot().Links
	i := slices.IndexFunc(links, func(l milvussim.LinkState) bool { return l.From == from && l.To == to })
	if i < 0 {
		return milvussim.LinkState{}
	}
	return links[i]
}

// TestAnOldPrimaryKeepsTrying follows an old primary whose standby was promoted
// by force: each of its channels is refused every 100 ms (milvus.md §5.4).
func TestAnOldPrimaryKeepsTrying(t *testing.T) {
	clock := manual()
	w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	if s, err := update(t, root(t), dial(t, w, "b"), only(w, "b"), true); err != nil || s.GetCode() != 0 {
		t.Fatal(s, err)
	}
	clock.Advance(time.Minute)
	if l := linkOf(w, "a", "b"); l.Refused != 0 {
		t.Errorf("%d refusals although the old primary has nothing to send", l.Refused)
	}
	mustWrite(t, w, "a", 160)
	clock.Advance(time.Second)
	first := linkOf(w, "a", "b")
	if first.Refused < 16*9 || first.Refused > 16*11 || !strings.Contains(first.Reason, "primary cluster cannot receive replicate message") {
		t.Errorf("after a second: %d refusals, %q", first.Refused, first.Reason)
	}
	clock.Advance(10 * time.Second)
	second := linkOf(w, "a", "b")
	if got := second.Refused - first.Refused; got != 16*100 {
		t.Errorf("%d refusals in ten seconds, want 100 for each of 16 channels", got)
	}
	if err := w.SetLink("a", "b", false); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Second)
	if got := linkOf(w, "a", "b").Refused; got != second.Refused {
		t.Errorf("%d refusals over a cut link, %d before", got, second.Refused)
	}
	if err := w.SetLink("a", "b", true); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	if got := linkOf(w, "a", "b").Refused - second.Refused; got < 16*36000 || got > 16*36001 {
		t.Errorf("%d refusals in the hour after the cut", got)
	}
	if s, err := update(t, root(t), dial(t, w, "b"), star(w, []string{"a", "b"}, "a"), false); err != nil || s.GetCode() != 0 {
		t.Fatal(s, err)
	}
	clock.Advance(time.Second)
	if l := linkOf(w, "a", "b"); l.Refused != 0 || l.Reason != "" {
		t.Errorf("linked again, still refused: %+v", l)
	}
	if got := w.State("b").Rows; got != 160 {
		t.Errorf("linked again, %d rows", got)
	}
}
