package wire

import (
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/schema"
)

// siteDay is when the site of the test moves.
func siteDay() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }

// carriedOut writes into a ledger that the failover of a topology was carried out.
func carriedOut(t *testing.T, l *ledger.Ledger, name string) {
	t.Helper()
	lock, err := l.Lock(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	begun := lock.Begin(t.Context(), ledger.Beginning{
		Intent: plan.Intent{
			Topology: name, Transition: plan.TransitionFailover, Generation: 8, Commit: strings.Repeat("1", 40), Digest: "sha256:3f9c", At: siteDay(),
			Steps: []plan.Step{{ID: 1, Action: plan.ActionForcePromote, Cluster: "b"}},
		},
		Document: "sha256:77aa", Payloads: []string{strings.Repeat("a", 64)}, By: []string{"alice@example.com"},
	})
	for _, err := range []error{begun, lock.Sent(t.Context()), lock.Effected(t.Context()), lock.Finish(t.Context(), "applied", "no redirect target is configured"), lock.Release()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRunSendsTheEndOfASiteThatMovedInPart: a receiver gets one message when nothing is open any
// more, and one more when the rest has moved; another start of the daemon sends neither again.
func TestRunSendsTheEndOfASiteThatMovedInPart(t *testing.T) {
	l, err := ledger.Embedded(filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{Clock: siteDay})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // the test ends
	if _, _, err := l.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	site := approval.SiteOf("eu-1", []siteplan.Move{
		{Topology: "orders", Generation: 8, Transition: plan.TransitionFailover, From: "a", To: "b"},
		{Topology: "users", Generation: 8, Transition: plan.TransitionFailover, From: "a", To: "b"},
	})
	heard := &listener{}
	server := httptest.NewServer(heard)
	defer server.Close()
	at := func(name string, state daemon.State) daemon.TopologyStatus {
		s := daemon.TopologyStatus{Name: name, State: state, Decision: approval.Decision{Verdict: approval.VerdictApproved, Site: site}, Plan: plan.TopologyPlan{Name: name, Generation: 8, Transition: plan.TransitionFailover, Primary: "b"}}
		switch state {
		case daemon.StateInSync:
			s.Plan.Transition, s.Decision = plan.TransitionNone, approval.Decision{}
		case daemon.StateApplying:
			s.Result = &reconcile.Result{Topology: name, Outcome: reconcile.OutcomeApplied}
		case daemon.StateBlocked:
			s.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeRoleUnknown, "b", "its role is not known", "see it")}
		case daemon.StateUnknown, daemon.StatePending, daemon.StateDrifted, daemon.StateSuspended:
		}
		return s
	}
	run := func(passes ...daemon.TopologyStatus) []string {
		known := map[string]daemon.TopologyStatus{}
		h := newPassNotifier()
		h.status = func(name string) (daemon.TopologyStatus, bool) { s, ok := known[name]; return s, ok }
		h.use(t.Context(), &Environment{opened: l, Config: schema.Config{Notify: []schema.NotifyTarget{{Name: "bus", URL: server.URL, MinSeverity: plan.SeverityWarning}}}})
		for _, s := range passes {
			known[s.Name] = s
			h.onPass(s, true)
		}
		h.close(t.Context())
		var out []string
		for _, e := range heard.got {
			if e["type"] == "reconcile.site.finished" {
				message, _ := e["data"].(map[string]any)["message"].(string) // none: all has moved
				out = append(out, message)
			}
		}
		heard.got = nil
		return out
	}
	blocked, rest := at("users", daemon.StateBlocked), at("orders", daemon.StateInSync)
	carriedOut(t, l, "orders")
	want := []string{"✗ users: a → b, by force: NOT MOVED, blocked: ROLE_UNKNOWN: its role is not known"}
	if got := run(blocked, at("orders", daemon.StateApplying), rest, blocked, blocked, blocked); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if got := run(rest, blocked, blocked, blocked); len(got) > 0 {
		t.Errorf("another start sends %q", got)
	}
	carriedOut(t, l, "users")
	if got := run(rest, blocked, at("users", daemon.StateApplying), at("users", daemon.StateInSync)); len(got) != 1 || strings.Contains(got[0], "NOT MOVED") {
		t.Errorf("the end of the rest sends %q", got)
	}
}
