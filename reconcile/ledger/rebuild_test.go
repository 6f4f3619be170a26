package ledger

import (
	"errors"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestRebuildGoesOn: the ledger holds how an open rebuild went on, each proof once, and ends the
// stale mark of its cluster when the cluster was attached, not before.
func TestRebuildGoesOn(t *testing.T) {
	f := newFixture(t, openEmbedded)
	k := f.lock("orders")
	started, proven := plan.Advance{Phase: plan.RebuildWipe, Event: plan.AdvanceStarted}, plan.Advance{Phase: plan.RebuildWipe, Event: plan.AdvanceProven}
	must(t, k.Begin(t.Context(), failover("orders", 7, "f")))
	if err := k.Advance(t.Context(), proven, ""); !errors.Is(err, ErrTransition) {
		t.Errorf("a failover goes on in phases: %v", err)
	}
	must(t, k.Effected(t.Context()))
	must(t, k.Finish(t.Context(), "applied", ""))
	if err := k.Advance(t.Context(), proven, ""); !errors.Is(err, ErrNoIntent) {
		t.Errorf("nothing is open, and a rebuild goes on: %v", err)
	}
	must(t, k.Begin(t.Context(), Beginning{
		Intent: plan.Intent{
			Transition: plan.TransitionRebuild, Generation: 8, Commit: "c8", Digest: "r",
			Steps: []plan.Step{{ID: 1, Wave: 1, Action: plan.ActionWipe, Cluster: "a", Reason: plan.ReasonRebuilt}},
		},
		Document: "doc8", Payloads: []string{payload("r")}, By: []string{"alice@example.com"},
	}))
	must(t, k.Advance(t.Context(), started, "its metadata are old"))
	must(t, k.Advance(t.Context(), proven, "its metadata are new"))
	must(t, k.Advance(t.Context(), proven, "its metadata are new"))
	m := f.read().Memory()
	if a := m.Intents[0].Advances; len(a) != 2 || a[0].Event != plan.AdvanceStarted || a[1].Event != plan.AdvanceProven || a[1].At.IsZero() {
		t.Errorf("it went on by %+v", a)
	}
	if _, stale := m.StaleSince("a"); !stale {
		t.Error("a cluster that is not attached yet is not stale any more")
	}
	must(t, k.Effected(t.Context()))
	if _, stale := f.read().Memory().StaleSince("a"); stale {
		t.Error("the cluster is attached, and counts as stale")
	}
	must(t, k.Finish(t.Context(), "applied", ""))
	var words []string
	for _, r := range f.read().History("orders") {
		words = append(words, r.Words())
	}
	for _, want := range []string{"rebuild of a begun", "the wipe of a is begun by the operator's program: its metadata are old", "the wipe of a is proven: its metadata are new", "the rebuild is done"} {
		if !strings.Contains(strings.Join(words, "\n"), want) {
			t.Errorf("the history lacks %q:\n%s", want, strings.Join(words, "\n"))
		}
	}
}

// TestExportIsKept: what was exported stays so while nothing more is counted.
func TestExportIsKept(t *testing.T) {
	f := newFixture(t, openEmbedded)
	k := f.lock("orders")
	must(t, k.Begin(t.Context(), failover("orders", 7, "f")))
	must(t, k.Effected(t.Context()))
	must(t, k.Finish(t.Context(), "applied", ""))
	count := func(messages int64, closed, exported bool) bool {
		c := counted(messages, messages)
		c.Closed, c.Exported = closed, exported
		must(t, f.RecordLoss(t.Context(), c))
		return f.read().Memory().Losses[0].Exported
	}
	for i, c := range []struct {
		messages         int64
		closed, exported bool
		want             bool
	}{
		{5, false, false, false},
		{5, false, true, true},
		{5, false, false, true},
		{5, true, false, true},
		{6, true, false, false},
		{6, true, true, true},
	} {
		if got := count(c.messages, c.closed, c.exported); got != c.want {
			t.Errorf("%d: exported %t, want %t", i, got, c.want)
		}
	}
}
