package wire

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// coveredMove is a topology whose move an approval of eu-1 covers.
func coveredMove(waits string, stopped bool) daemon.TopologyStatus {
	return daemon.TopologyStatus{
		State: daemon.StatePending, Waits: waits, Stopped: stopped,
		Plan: plan.TopologyPlan{Transition: plan.TransitionSwitchover, Generation: 8, Primary: "b"},
		Decision: approval.Decision{Verdict: approval.VerdictApproved, Site: approval.SiteOf("eu-1", []siteplan.Move{
			{Topology: "orders", Generation: 8, Transition: plan.TransitionSwitchover, From: "a", To: "b", Digest: "sha256:aa"},
		})},
	}
}

// TestAStoppedSiteIsToldOnce: people hear that a wave failed when two passes saw it, once, and
// again only if the site went on in between. A wave that is merely waited for is no news.
func TestAStoppedSiteIsToldOnce(t *testing.T) {
	why := "it waits, since 1 of wave canary failed, such as probe, and it allows 0 (hint: see why)"
	held, free, waits := coveredMove(why, true), coveredMove("", false), coveredMove("it waits for wave canary", false)
	for _, c := range []struct {
		name   string
		passes []daemon.TopologyStatus
		told   int
	}{
		{"once", []daemon.TopologyStatus{held, held, held, held}, 1},
		{"for a moment", []daemon.TopologyStatus{waits, held, free}, 0},
		{"it waits", []daemon.TopologyStatus{waits, waits, waits}, 0},
		{"twice", []daemon.TopologyStatus{held, held, free, held, held}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, data := notified(t, schema.Config{}, c.passes...)
			told := 0
			for _, e := range got {
				if e == "site.stopped " {
					told++
				}
			}
			if told != c.told {
				t.Fatalf("told %d times, want %d: %q", told, c.told, got)
			}
			if told > 0 && (data["command"] != "reconcile plan --site eu-1" || data["message"] != "1 of wave canary failed, such as probe, and it allows 0; it goes on by itself once that has moved") {
				t.Errorf("it says %v", data)
			}
		})
	}
}

// TestTheEndOfASiteIsToldWhenAllHasMoved: only what the ledger holds as done ends a site, and
// the message says what came of it.
func TestTheEndOfASiteIsToldWhenAllHasMoved(t *testing.T) {
	site := approval.SiteOf("eu-1", []siteplan.Move{
		{Topology: "orders", Generation: 8, Transition: plan.TransitionSwitchover, From: "a", To: "b"},
		{Topology: "users", Generation: 3, Transition: plan.TransitionSwitchover, From: "a", To: "b"},
	})
	records := func(generation int64, result string) []ledger.Record {
		return []ledger.Record{
			{Kind: ledger.KindIntent, Generation: generation, Transition: "switchover"},
			{Kind: ledger.KindEffected, Generation: generation},
			{Kind: ledger.KindResult, Generation: generation, Result: result},
		}
	}
	for _, c := range []struct {
		name  string
		users []ledger.Record
		over  bool
	}{
		{"all", records(3, "applied"), true},
		{"one is left", nil, false},
		{"one is under way", records(3, "applied")[:2], false},
		{"one is not verified", records(3, "unverified"), false},
		{"one moved by another change", records(4, "applied"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, over := allMoved(site, map[string][]ledger.Record{"orders": records(8, "applied"), "users": c.users})
			if over != c.over {
				t.Fatalf("over: %t, want %t", over, c.over)
			}
			if e := (&Environment{}).siteEvent(got); over && (e.Kind != notify.KindSite || e.Topology != "site eu-1" || e.Severity != plan.SeverityInfo || e.Command != "" || !strings.HasPrefix(e.Title, "site eu-1: 2 of 2 topologies moved")) {
				t.Errorf("it says %+v", e)
			}
		})
	}
	s := coveredMove("", false)
	s.Name, s.Result = "orders", &reconcile.Result{Topology: "orders", Outcome: reconcile.OutcomeBlocked}
	if _, over := (&Environment{}).siteEnd(t.Context(), s); over {
		t.Error("a pass that moved nothing ends a site")
	}
}
