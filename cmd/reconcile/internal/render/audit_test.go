package render

import (
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
)

// auditedNight has a standby of each verdict, with differences of each kind and more of them
// than a page has room for.
func auditedNight() AuditReport {
	diverged := audit.Result{
		Primary: "cluster-a", Standby: "cluster-b", Verdict: plan.ContentDiverged, Collections: 12, Counted: 9, Rows: 3_000_400, Sampled: 160,
		Differences: []audit.Difference{
			{Kind: audit.KindRows, Collection: "default/orders", Fact: "count", Primary: "1000", Standby: "993", By: 7},
			{
				Kind: audit.KindKeys, Collection: "default/prices", Fact: "rows", Primary: "20 rows compared", Standby: "1 missing, 0 only there, 2 changed", By: 3,
				Detail: "key 17 missing; key 42 differs in price, vector; key 99 differs in price",
			},
			{Kind: audit.KindImport, Collection: "default/images", Name: "imports", Primary: "0 running, 0 not committed", Standby: "0 running, 1 not committed", By: 1},
			{Kind: audit.KindLoad, Collection: "default/users", Name: "load", Fact: audit.FactState, Primary: audit.StateLoaded, Standby: audit.StateReleased},
			{Kind: audit.KindIndex, Collection: "default/words", Name: "vector", Primary: "there"},
			{Kind: audit.KindGrant, Name: "Query to role reader for Collection * in *", Standby: "there"},
			{Weight: audit.Unready, Kind: audit.KindIndex, Collection: "default/texts", Name: "vector", Fact: audit.FactState, Primary: audit.FinishedIndex, Standby: audit.BuildingIndex},
			{Weight: audit.Local, Kind: audit.KindLoad, Collection: "default/orders", Name: "load", Fact: audit.FactReplicas, Primary: "3", Standby: "1"},
		},
		Gaps: []audit.Gap{
			{Kind: audit.KindRows, Collection: "default/users", Why: "not loaded on cluster-b: its rows cannot be counted there"},
			{Kind: audit.KindRows, Collection: "default/archive1", Why: "loaded on neither cluster", Idle: true},
			{Kind: audit.KindRows, Collection: "default/archive2", Why: "loaded on neither cluster", Idle: true},
		},
	}
	return AuditReport{
		At: time.Date(2026, 11, 22, 21, 59, 34, 0, time.UTC), Seed: 1234567890123456789,
		Problems: []Problem{{File: "topologies/bad.yaml", Line: 3, Message: "unknown key"}},
		Topologies: []AuditedTopology{
			{Name: "carts", Standbys: []audit.Result{{Primary: "c-1", Standby: "c-2", Verdict: plan.ContentEqual, Collections: 3, Counted: 3, Rows: 5000, Sampled: 60}}},
			{Name: "alone"},
			{Name: "orders", Standbys: []audit.Result{diverged, {Primary: "cluster-a", Standby: "cluster-c", Gaps: []audit.Gap{{Why: "cluster-c is unreachable: connection refused"}}}}},
		},
	}
}

func TestGoldenAudit(t *testing.T) {
	for _, form := range []string{FormTable, FormJSON, FormMarkdown} {
		t.Run(form, func(t *testing.T) {
			compare(t, "audit."+form, func(w io.Writer) error { return Audit(w, form, auditedNight(), TableOptions{}) })
		})
	}
}

// TestAuditOfOneStandbyFitsATerminal: whatever differs, a page of 24 lines of 80 columns has
// room for it, and what differs comes first.
func TestAuditOfOneStandbyFitsATerminal(t *testing.T) {
	report := auditedNight()
	report.Topologies, report.Problems = report.Topologies[2:], nil
	report.Topologies[0].Standbys = report.Topologies[0].Standbys[:1]
	lines := strings.Split(strings.TrimSpace(string(rendered(t, func(w io.Writer) error { return Audit(w, FormTable, report, TableOptions{Width: 80}) }))), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, l := range lines {
		if columns(l) > 80 {
			t.Errorf("wider than 80 columns: %s", l)
		}
	}
	if !strings.Contains(lines[0], "differs from") || !strings.Contains(lines[1], "default/orders") {
		t.Errorf("what differs does not come first:\n%s", strings.Join(lines[:2], "\n"))
	}
}
