package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
)

func finding(code plan.Code, cluster string, s plan.Severity) plan.Finding {
	return plan.Finding{Code: code, Cluster: cluster, Severity: s, Message: string(code) + " was seen", Remedy: "look"}
}

// told lists what a receiver got as "kind severity code subject".
func told(t *testing.T, r *receiver) []string {
	t.Helper()
	var out []string
	for _, g := range r.all() {
		v := g.json(t)
		d, _ := v["data"].(map[string]any)
		out = append(out, fmt.Sprintf("%s %v %v %v", strings.TrimPrefix(fmt.Sprint(v["type"]), "reconcile."), d["severity"], d["code"], v["subject"]))
	}
	return out
}

func closed(t *testing.T, n *notify.Notifier) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestFindingsAreToldOnceAndResolved(t *testing.T) {
	lag := finding(plan.CodeLagObjective, "b", plan.SeverityWarning)
	stale := finding(plan.CodeStalePrimary, "a", plan.SeverityCritical)
	traffic := finding(plan.CodeTrafficNotRedirected, "", plan.SeverityWarning)
	worse := finding(plan.CodeTrafficNotRedirected, "", plan.SeverityCritical)
	info := finding(plan.CodeConfigOrder, "b", plan.SeverityInfo)
	for _, c := range []struct {
		name   string
		min    plan.Severity
		passes [][]plan.Finding
		want   []string
	}{
		{"one that stands", plan.SeverityWarning, [][]plan.Finding{{lag}, {lag}, {lag}}, []string{"finding.raised warning LAG_OBJECTIVE orders/b"}},
		{
			"one that goes and comes", plan.SeverityWarning,
			[][]plan.Finding{{lag}, nil, {lag}},
			[]string{"finding.raised warning LAG_OBJECTIVE orders/b", "finding.resolved warning LAG_OBJECTIVE orders/b", "finding.raised warning LAG_OBJECTIVE orders/b"},
		},
		{
			"the worst first", plan.SeverityWarning,
			[][]plan.Finding{{lag, stale}},
			[]string{"finding.raised critical STALE_PRIMARY orders/a", "finding.raised warning LAG_OBJECTIVE orders/b"},
		},
		{
			"one that grows worse", plan.SeverityWarning,
			[][]plan.Finding{{traffic}, {worse}, {traffic}, nil},
			[]string{
				"finding.raised warning TRAFFIC_NOT_REDIRECTED orders", "finding.raised critical TRAFFIC_NOT_REDIRECTED orders",
				"finding.resolved critical TRAFFIC_NOT_REDIRECTED orders",
			},
		},
		{"below the least severity", plan.SeverityCritical, [][]plan.Finding{{lag, info}, nil}, nil},
		{
			"it falls below the least severity", plan.SeverityCritical,
			[][]plan.Finding{{worse}, {traffic}, nil},
			[]string{"finding.raised critical TRAFFIC_NOT_REDIRECTED orders", "finding.resolved critical TRAFFIC_NOT_REDIRECTED orders"},
		},
		{"nothing configured tells all", "", [][]plan.Finding{{info}}, []string{"finding.raised info CONFIG_ORDER orders/b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t, nil)
			n := notify.New([]notify.Target{{Name: "t", URL: r.URL, MinSeverity: c.min}}, notify.Options{Poster: newClock().poster()})
			for _, p := range c.passes {
				n.Pass(notify.Pass{Topology: "orders", Commit: "abc", Findings: p})
			}
			closed(t, n)
			if d := cmp.Diff(c.want, told(t, r)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestTopologiesAreKeptApart: what stands in one is not resolved by another.
func TestTopologiesAreKeptApart(t *testing.T) {
	r := newReceiver(t, nil)
	n := notify.New([]notify.Target{{Name: "t", URL: r.URL}}, notify.Options{})
	n.Pass(notify.Pass{Topology: "orders", Findings: []plan.Finding{finding(plan.CodeLagObjective, "b", plan.SeverityWarning)}})
	n.Pass(notify.Pass{Topology: "catalog"})
	closed(t, n)
	if got := told(t, r); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// TestReceiverKnowsWhatStands: whatever the passes find, raised minus resolved
// is what the last pass found, and nothing is told twice.
func TestReceiverKnowsWhatStands(t *testing.T) {
	codes := []plan.Code{plan.CodeLagObjective, plan.CodeStalePrimary, plan.CodeTrafficNotRedirected}
	severities := []plan.Severity{plan.SeverityInfo, plan.SeverityWarning, plan.SeverityCritical, plan.SeverityBlocking}
	rapid.Check(t, func(rt *rapid.T) {
		passes := rapid.SliceOfN(rapid.MapOf(rapid.SampledFrom(codes), rapid.SampledFrom(severities)), 1, 8).Draw(rt, "passes")
		least := rapid.IntRange(0, len(severities)-1).Draw(rt, "least")
		wire := &recordingWire{}
		n := notify.New([]notify.Target{{Name: "t", URL: "http://receiver.example", MinSeverity: severities[least]}},
			notify.Options{Queue: 1000, Poster: notify.Poster{Client: &http.Client{Transport: wire}}})
		for _, p := range passes {
			n.Pass(notify.Pass{Topology: "orders", Findings: findingsOf(p)})
		}
		closed(t, n)
		want := map[string]bool{}
		for code, s := range passes[len(passes)-1] {
			if slices.Index(severities, s) >= least {
				want[string(code)] = true
			}
		}
		if d := cmp.Diff(want, wire.standing(rt)); d != "" {
			rt.Error(d)
		}
	})
}

func findingsOf(p map[plan.Code]plan.Severity) []plan.Finding {
	var out []plan.Finding
	for code, s := range p {
		out = append(out, finding(code, "", s))
	}
	return out
}

// TestADeadReceiverDelaysNobody: the hanging target blocks neither the caller
// nor the other target; its queue loses the oldest, and Close says so in time.
func TestADeadReceiverDelaysNobody(t *testing.T) {
	release := make(chan struct{})
	dead := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	alive := newReceiver(t, nil)
	var mu sync.Mutex
	lost := map[string]int{}
	n := notify.New([]notify.Target{{Name: "dead", URL: dead.URL}, {Name: "alive", URL: alive.URL}}, notify.Options{
		Queue: 64, Failed: func(target string, _ notify.Event, _ error) { mu.Lock(); lost[target]++; mu.Unlock() },
	})
	for i := range 64 {
		n.Notify(notify.Event{Kind: notify.KindApplied, Topology: fmt.Sprint("t", i)})
	}
	for deadline := time.Now().Add(20 * time.Second); len(alive.all()) < 64; {
		if time.Now().After(deadline) {
			t.Fatalf("the living receiver got %d of 64", len(alive.all()))
		}
		<-time.After(time.Millisecond)
	}
	for i := range 100 {
		n.Notify(notify.Event{Kind: notify.KindApplied, Topology: fmt.Sprint("u", i)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := n.Close(ctx)
	close(release)
	if err == nil || !strings.Contains(err.Error(), "not delivered in time") {
		t.Errorf("got %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if lost["dead"] < 99 {
		t.Errorf("lost %v", lost)
	}
}

// TestWhatDidNotArriveIsToldAgain: a finding is not forgotten because its
// receiver was down when it was raised.
func TestWhatDidNotArriveIsToldAgain(t *testing.T) {
	r := newReceiver(t, statuses(500, 204))
	failed := make(chan error, 1)
	p := newClock().poster()
	p.Attempts = 1
	n := notify.New([]notify.Target{{Name: "t", URL: r.URL}}, notify.Options{
		Poster: p,
		Failed: func(_ string, _ notify.Event, err error) { failed <- err },
	})
	stands := []plan.Finding{finding(plan.CodeStalePrimary, "a", plan.SeverityCritical)}
	n.Pass(notify.Pass{Topology: "orders", Findings: stands})
	if err := <-failed; err == nil {
		t.Fatal("it is said to have failed, without a reason")
	}
	n.Pass(notify.Pass{Topology: "orders", Findings: stands})
	n.Pass(notify.Pass{Topology: "orders", Findings: stands})
	closed(t, n)
	if got := told(t, r); len(got) != 2 || got[0] != got[1] {
		t.Errorf("got %q", got)
	}
}
