package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/ledger"
)

// TestRowsHaveAllThatThePageTells: the records in their order, and between them by its time
// what no record tells. No other row stands for a record.
func TestRowsHaveAllThatThePageTells(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	records := []ledger.Record{
		{Seq: 1, Kind: ledger.KindBorn, At: at(0)},
		{Seq: 2, Kind: ledger.KindHome, At: at(1), Topology: "orders", Cluster: "a"},
		{Seq: 3, Kind: ledger.KindIntent, At: at(20), Topology: "orders", Transition: plan.TransitionFailover, Primary: "b", Generation: 2, FailedAt: at(5), Lost: "a"},
		{Seq: 4, Kind: ledger.KindSent, At: at(19), Topology: "orders"}, // the clock was set back
	}
	others := []ledger.Event{
		{At: at(10), Topology: "orders", Kind: ledger.Proposed, By: []string{"bob"}, Lines: []string{"proposed by bob: x"}},
		{At: at(12), Topology: "orders", Kind: ledger.Approved, By: []string{"bob"}, Reason: "INC-1", Denial: "SELF_APPROVED", Lines: []string{"approved by bob: INC-1", "it does not count"}},
		{At: at(14), Topology: "orders", Kind: ledger.Withdrawn, By: []string{"bob"}, Lines: []string{"approval withdrawn by bob"}},
		{At: at(30), Topology: "orders", Kind: ledger.Audited, Lines: []string{"audited"}},
	}
	timeline := ledger.Timeline(records, []plan.Outage{{Topology: "orders", Cluster: "b", Since: at(25), Until: at(26)}}, others)
	rows := historyRows(records, timeline)
	var kinds []string
	last := uint64(0)
	for _, r := range rows {
		kinds = append(kinds, r.Kind)
		if r.Seq != 0 && r.Seq != last+1 {
			t.Errorf("record %d follows record %d", r.Seq, last)
		}
		last = max(last, r.Seq)
	}
	if got, want := strings.Join(kinds, " "), "born home silence proposed approved withdrawn intent sent silence audited"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, e := range timeline {
		if !slices.ContainsFunc(rows, func(r render.HistoryRow) bool {
			return len(r.Lines) > 0 && r.Lines[0] == e.Lines[0] && r.At.Equal(e.At)
		}) {
			t.Errorf("no row has %q", e.Lines)
		}
	}
	if a := rows[4]; a.Denial != "SELF_APPROVED" || !slices.Equal(a.By, []string{"bob"}) || !slices.Equal(a.Reasons, []string{"INC-1"}) {
		t.Errorf("the approval is %+v", a)
	}
	if p := rows[3]; len(p.By) != 0 || !slices.Equal(p.ProposedBy, []string{"bob"}) {
		t.Errorf("the proposal is %+v", p)
	}
}
