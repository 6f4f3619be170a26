package serve

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

// rehearsed is the pair after two rehearsals; a probe client measured the newest.
func rehearsed() daemon.TopologyStatus {
	t := pair(7)
	gap, written, lost := 3*time.Second, int64(120), int64(0)
	way := plan.RehearsalWay{Took: 8 * time.Second, Gap: &gap, Measured: true}
	at := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	bound := plan.RehearsalWay{Took: 12 * time.Second, Gap: &gap}
	t.Plan.Rehearsals = []plan.RehearsalRecord{
		{Topology: "orders", Generation: 5, From: "cluster-a", To: "cluster-b", Began: at.AddDate(0, -1, 0), Ended: at.AddDate(0, -1, 0), Result: "applied", There: bound, Back: bound},
		{Topology: "orders", Generation: 6, From: "cluster-a", To: "cluster-b", Began: at, Ended: at, Result: "applied", There: way, Back: way, Written: &written, Lost: &lost},
	}
	return t
}

// TestRehearsalsOnThePage: a bar for each, the newest in words, and none where there was none.
func TestRehearsalsOnThePage(t *testing.T) {
	if v := rehearsalsOf(pair(7).Plan); v != nil {
		t.Errorf("without a rehearsal there is %+v", v)
	}
	v := rehearsalsOf(rehearsed().Plan)
	if v.Failed || !strings.Contains(v.Words, "cluster-b") || !strings.Contains(v.Words, "passed") {
		t.Errorf("%q, failed: %t", v.Words, v.Failed)
	}
	if n := strings.Count(string(v.Chart), `class="way"`); n != 2 || strings.Count(string(v.Chart), `class="gap"`) != 2 {
		t.Errorf("the chart has %d bars: %s", n, v.Chart)
	}
	if v.Rows[0].Gap != "3 s" || v.Rows[1].Gap != "≤ 3 s" || v.Rows[0].There != "8 s" {
		t.Errorf("the rows are %+v", v.Rows)
	}
	failed := rehearsed().Plan
	failed.Rehearsals[1].There.Failed = "verify: no"
	if v := rehearsalsOf(failed); !v.Failed || !strings.Contains(v.Words, "NOT PASSED") {
		t.Errorf("%q, failed: %t", v.Words, v.Failed)
	}
	_, page := get(t, pages(boardOf(rehearsed())), "/topologies/orders")
	if !strings.Contains(page, "Rehearsals") || !strings.Contains(page, "svg") {
		t.Error("the page does not show them")
	}
}
