package wire

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
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
			got, over := endOfSite(site, map[string][]ledger.Record{"orders": records(8, "applied"), "users": c.users}, nil)
			if over != c.over {
				t.Fatalf("over: %t, want %t", over, c.over)
			}
			if e := (&Environment{}).siteEvent(got); over && (e.Kind != notify.KindSite || e.Topology != "site eu-1" || e.Severity != plan.SeverityInfo || e.Command != "" || !strings.HasPrefix(e.Title, "site eu-1: 2 of 2 topologies moved")) {
				t.Errorf("it says %+v", e)
			}
		})
	}
}

// TestASiteThatIsHalfMovedIsToldOnce: when nothing is open any more, people hear what moved and
// what did not, after two passes saw it, and again when more of it has moved. A process that
// finds the site so when it starts tells nothing.
func TestASiteThatIsHalfMovedIsToldOnce(t *testing.T) {
	site := approval.SiteOf("eu-1", []siteplan.Move{
		{Topology: "orders", Generation: 8, Transition: plan.TransitionFailover, From: "a", To: "b"},
		{Topology: "users", Generation: 8, Transition: plan.TransitionFailover, From: "a", To: "b"},
	})
	now := map[string]daemon.TopologyStatus{}
	e := &siteEnd{site: site, seen: map[string]bool{}, told: -1}
	pass := func(name string, state daemon.State, transition plan.Transition) bool {
		now[name] = daemon.TopologyStatus{Name: name, State: state, Plan: plan.TopologyPlan{
			Name: name, Generation: 8, Transition: transition,
			Findings: []plan.Finding{{Code: plan.CodeClusterUnreachable, Severity: plan.SeverityBlocking, Message: "b does not answer"}},
		}}
		_, over := e.over(func(n string) (daemon.TopologyStatus, bool) { s, ok := now[n]; return s, ok }, name, false)
		return over
	}
	blocked, applying, rest := daemon.StateBlocked, daemon.StateApplying, daemon.StateInSync
	for i, step := range []struct {
		name       string
		state      daemon.State
		transition plan.Transition
		over       bool
	}{
		{"users", blocked, plan.TransitionFailover, false}, // nothing is known of orders
		{"orders", rest, plan.TransitionNone, false},
		{"users", blocked, plan.TransitionFailover, false},
		{"users", blocked, plan.TransitionFailover, false}, // it was so when the process started
		{"orders", applying, plan.TransitionFailover, false},
		{"users", blocked, plan.TransitionFailover, false},
		{"orders", rest, plan.TransitionNone, false},
		{"users", blocked, plan.TransitionFailover, false}, // one pass saw it
		{"users", blocked, plan.TransitionFailover, true},
	} {
		if over := pass(step.name, step.state, step.transition); over != step.over {
			t.Fatalf("pass %d: over %t", i, over)
		}
	}
	records := map[string][]ledger.Record{"orders": {
		{Kind: ledger.KindIntent, Generation: 8, Transition: "failover"},
		{Kind: ledger.KindResult, Generation: 8, Result: "applied", Detail: "b works as the primary (ddl); traffic points at b by dns; lost: up to 0.3 s of the writes to a: b has every write up to 2026-11-24T09:00:00Z"},
	}}
	got, over := endOfSite(site, records, []daemon.TopologyStatus{now["users"]})
	event := (&Environment{}).siteEvent(got)
	if !over || event.Severity != plan.SeverityCritical || !strings.HasPrefix(event.Title, "site eu-1: 1 of 2 topologies moved") ||
		event.Message != "✗ users: a → b, by force: NOT MOVED, blocked: CLUSTER_UNREACHABLE: b does not answer" {
		t.Errorf("it says %+v", event)
	}
	if done := got.Waves[0].Topologies[0]; done.Done.Traffic == nil || *done.Done.Traffic != "done" || done.LossSeconds == nil || *done.LossSeconds != 0.3 {
		t.Errorf("of the move by an earlier run it says %+v", done)
	}
	if e.told = got.Ended(); pass("users", blocked, plan.TransitionFailover) {
		t.Error("it is told twice")
	}
	if _, over := e.over(func(string) (daemon.TopologyStatus, bool) { return daemon.TopologyStatus{}, false }, "users", true); !over {
		t.Error("that the rest moved is not told")
	}
}
