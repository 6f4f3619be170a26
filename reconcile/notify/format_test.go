package notify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
)

var promoted = notify.Event{
	Kind: notify.KindApplied, ID: "e1", Time: noon, Topology: "orders", Cluster: "cluster-b", Severity: plan.SeverityWarning,
	Message: "cluster-b <takes> writes & more", Commit: "3f9c", Transition: plan.TransitionFailover, Outcome: "applied",
}

var inForce = notify.Event{
	Kind: notify.KindStatus, ID: "s1", Time: noon, Topology: "orders", Commit: "3f9c",
	State: notify.StateFailure, Message: "blocked by PRIMARY_REACHABLE", Link: "https://reconcile.example/",
}

// delivered sends one event to one target and returns what arrived.
func delivered(t *testing.T, target notify.Target, path string, e notify.Event) []received {
	t.Helper()
	r := newReceiver(t, nil)
	target.Name, target.URL = "t", r.URL+path
	var failed error
	n := notify.New([]notify.Target{target}, notify.Options{
		Source: "/reconcile/host-1", Poster: newClock().poster(),
		Failed: func(_ string, _ notify.Event, err error) { failed = err },
	})
	n.Notify(e)
	closed(t, n)
	if failed != nil {
		t.Fatal(failed)
	}
	return r.all()
}

func TestBodies(t *testing.T) {
	for _, c := range []struct {
		name   string
		target notify.Target
		path   string
		event  notify.Event
		at     string
		want   map[string]any
	}{
		{"cloudevents", notify.Target{}, "/hook", promoted, "/hook", map[string]any{
			"specversion": "1.0", "id": "e1", "source": "/reconcile/host-1", "type": "reconcile.apply.finished",
			"subject": "orders/cluster-b", "time": "2026-11-22T12:00:00Z", "datacontenttype": "application/json",
			"data": map[string]any{
				"topology": "orders", "cluster": "cluster-b", "severity": "warning",
				"title": "orders: the failover is done: cluster-b is the primary now", "message": "cluster-b <takes> writes & more", "commit": "3f9c", "transition": "failover", "outcome": "applied",
			},
		}},
		{"github", notify.Target{Format: notify.FormatGitHub}, "/repos/o/r/statuses/{commit}", inForce, "/repos/o/r/statuses/3f9c", map[string]any{
			"state": "failure", "context": "reconcile/orders", "description": "blocked by PRIMARY_REACHABLE", "target_url": "https://reconcile.example/",
		}},
		{"gitea", notify.Target{Format: notify.FormatGitea}, "/api/v1/repos/o/r/statuses/{commit}", inForce, "/api/v1/repos/o/r/statuses/3f9c", map[string]any{
			"state": "failure", "context": "reconcile/orders", "description": "blocked by PRIMARY_REACHABLE", "target_url": "https://reconcile.example/",
		}},
		{"gitlab", notify.Target{Format: notify.FormatGitLab}, "/api/v4/projects/1/statuses/{commit}", inForce, "/api/v4/projects/1/statuses/3f9c", map[string]any{
			"state": "failed", "context": "reconcile/orders", "description": "blocked by PRIMARY_REACHABLE", "target_url": "https://reconcile.example/",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.target.Secret = secret("key")
			got := delivered(t, c.target, c.path, c.event)
			if len(got) != 1 || got[0].Path != c.at || got[0].Method != "POST" {
				t.Fatalf("got %+v", got)
			}
			if d := cmp.Diff(c.want, got[0].json(t)); d != "" {
				t.Error(d)
			}
			token, signed := got[0].Header.Get("Authorization"), got[0].Header.Get(notify.HeaderSignature)
			forge := strings.Contains(c.path, "{commit}")
			if forge != (token == "Bearer key") || forge == (signed != "") {
				t.Errorf("authorization %q, signature %q", token, signed)
			}
		})
	}
}

func TestStructuredModeSaysSo(t *testing.T) {
	got := delivered(t, notify.Target{}, "", promoted)
	if len(got) != 1 || got[0].Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("got %v", got)
	}
}

// TestIdentityOfEvents: equal events have one id, others another.
func TestIdentityOfEvents(t *testing.T) {
	without := promoted
	without.ID = ""
	other := without
	other.Outcome = "unverified"
	id := func(e notify.Event) any { return delivered(t, notify.Target{}, "", e)[0].json(t)["id"] }
	if a, b, c := id(without), id(without), id(other); a != b || a == c || a == "" {
		t.Errorf("got %v, %v, %v", a, b, c)
	}
}

// TestForgesHearStatusesOnly, once each while a commit's state stays.
func TestForgesHearStatusesOnly(t *testing.T) {
	r := newReceiver(t, nil)
	n := notify.New([]notify.Target{{Name: "f", URL: r.URL + "/{commit}", Format: notify.FormatGitHub, MinSeverity: plan.SeverityCritical}}, notify.Options{})
	n.Notify(promoted)
	n.Pass(notify.Pass{Topology: "orders", Commit: "3f9c", Findings: []plan.Finding{finding(plan.CodeStalePrimary, "a", plan.SeverityCritical)}})
	pending := inForce
	pending.State = notify.StatePending
	for _, e := range []notify.Event{pending, pending, inForce, inForce, pending} {
		n.Notify(e)
	}
	closed(t, n)
	var states []any
	for _, g := range r.all() {
		states = append(states, g.json(t)["state"])
	}
	if d := cmp.Diff([]any{"pending", "failure", "pending"}, states); d != "" {
		t.Error(d)
	}
}

// TestForgeTokenStaysOnTLS: nothing is sent in the clear, to no odd commit.
func TestForgeTokenStaysOnTLS(t *testing.T) {
	for _, c := range []struct{ name, url, commit, want string }{
		{"plain http", "http://forge.example/{commit}", "3f9c", "over https only"},
		{"no place for the commit", "https://forge.example/", "3f9c", "{commit}"},
		{"a commit that is a path", "https://forge.example/{commit}", "../../user", "not a commit id"},
		{"no commit", "https://forge.example/{commit}", "", "not a commit id"},
	} {
		failed := make(chan error, 1)
		n := notify.New([]notify.Target{{Name: "f", URL: c.url, Format: notify.FormatGitHub, Secret: secret("CANARY")}},
			notify.Options{Poster: newClock().poster(), Failed: func(_ string, _ notify.Event, err error) { failed <- err }})
		e := inForce
		e.Commit = c.commit
		n.Notify(e)
		closed(t, n)
		select {
		case err := <-failed:
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s: got %v", c.name, err)
			}
		default:
			t.Errorf("%s: it was sent", c.name)
		}
	}
}

func TestLongDescriptionsAreCut(t *testing.T) {
	e := inForce
	e.Message = strings.Repeat("ü", 300)
	got := delivered(t, notify.Target{Format: notify.FormatGitHub}, "/{commit}", e)[0].json(t)["description"].(string)
	if len([]rune(got)) != 140 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d characters: %s", len([]rune(got)), got)
	}
}
