package notify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
)

// pages are the keys that a PagerDuty target triggered and resolved, in order.
func pages(t *testing.T, got []received) []string {
	t.Helper()
	var out []string
	for _, g := range got {
		v := g.json(t)
		out = append(out, v["event_action"].(string)+" "+v["dedup_key"].(string))
	}
	return out
}

// TestPagesEndByTheKeyThatOpenedThem: one alert for what one pass finds. It is over with the
// finding that it is named after, and what still stands then has an alert of its own.
func TestPagesEndByTheKeyThatOpenedThem(t *testing.T) {
	lag := finding(plan.CodeLagObjective, "b", plan.SeverityWarning)
	worse := finding(plan.CodeLagObjective, "b", plan.SeverityCritical)
	lost := finding(plan.CodeClusterUnreachable, "cluster-a", plan.SeverityCritical)
	const (
		outage   = "reconcile/orders/NO_PRIMARY//critical"
		slow     = "reconcile/orders/LAG_OBJECTIVE/b/warning"
		slower   = "reconcile/orders/LAG_OBJECTIVE/b/critical"
		down     = "reconcile/orders/CLUSTER_UNREACHABLE/cluster-a/warning"
		downFor  = "reconcile/orders/CLUSTER_UNREACHABLE/cluster-a/critical"
		approval = "reconcile/orders/approval.wanted//critical"
		apply    = "reconcile/orders/apply.finished//warning"
	)
	for _, c := range []struct {
		name   string
		passes []notify.Pass
		want   []string
	}{
		{
			"one alert for two findings, over with the one that it is named after",
			[]notify.Pass{{Findings: []plan.Finding{noPrimary, lag}}, {Findings: []plan.Finding{lag}}, {Findings: []plan.Finding{lag}}, {}},
			[]string{"trigger " + outage, "trigger " + slow, "resolve " + outage, "resolve " + slow},
		},
		{
			"what comes later calls again",
			[]notify.Pass{{Findings: []plan.Finding{lag}}, {Findings: []plan.Finding{lag, noPrimary}}, {Findings: []plan.Finding{lag}}, {}},
			[]string{"trigger " + slow, "trigger " + outage, "resolve " + outage, "resolve " + slow},
		},
		{
			"what grows worse calls again",
			[]notify.Pass{{Findings: []plan.Finding{lag}}, {Findings: []plan.Finding{worse}}, {}},
			[]string{"trigger " + slow, "trigger " + slower, "resolve " + slow, "resolve " + slower},
		},
		{
			"approval wanted and given",
			[]notify.Pass{{Wanted: &wanted, Findings: []plan.Finding{unreachable}}, {Findings: []plan.Finding{unreachable}}, {}},
			[]string{"trigger " + approval, "trigger " + down, "resolve " + approval, "resolve " + down}, // it stands, and was part of the approval
		},
		{
			"an outage has an alert of its own next to an approval",
			[]notify.Pass{{Wanted: &wanted, Findings: []plan.Finding{noPrimary, unreachable}}, {Findings: []plan.Finding{noPrimary, unreachable}}, {}},
			[]string{"trigger " + approval, "trigger " + outage, "resolve " + approval, "resolve " + outage},
		},
		{
			"a warning joins an outage that stands, and is told on after it",
			[]notify.Pass{{Findings: []plan.Finding{noPrimary}}, {Findings: []plan.Finding{noPrimary, lag}}, {Findings: []plan.Finding{lag}}, {}},
			[]string{"trigger " + outage, "trigger " + outage, "trigger " + slow, "resolve " + outage, "resolve " + slow},
		},
		{
			"what shares an alert follows the finding that it is named after",
			[]notify.Pass{{Findings: []plan.Finding{lag, unreachable}}, {Findings: []plan.Finding{lag, lost}}, {Findings: []plan.Finding{lag}}, {}},
			[]string{"trigger " + down, "trigger " + downFor, "resolve " + down, "trigger " + slow, "resolve " + downFor, "resolve " + slow},
		},
		{
			"an apply that failed is over with one that does not",
			[]notify.Pass{{News: []notify.Event{done("error", plan.SeverityWarning, "")}}, {News: []notify.Event{done("applied", plan.SeverityWarning, "")}}},
			[]string{"trigger " + apply, "resolve " + apply},
		},
		{"a success calls nobody", []notify.Pass{{News: []notify.Event{done("applied", plan.SeverityWarning, "")}}}, nil},
	} {
		got := pages(t, passed(t, notify.Target{Format: notify.FormatPagerDuty, Secret: secret("key")}, c.passes))
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestAnEndThatDidNotArriveIsSentAgain, so that no page stays open for ever.
func TestAnEndThatDidNotArriveIsSentAgain(t *testing.T) {
	r := newReceiver(t, statuses(202, 500, 202))
	failed := make(chan error, 4)
	p := newClock().poster()
	p.Attempts = 1
	n := notify.New([]notify.Target{{Name: "t", URL: r.URL, Format: notify.FormatPagerDuty, Secret: secret("key")}}, notify.Options{
		Poster: p, Failed: func(_ string, _ notify.Event, err error) { failed <- err },
	})
	n.Pass(notify.Pass{Topology: "orders", Findings: []plan.Finding{noPrimary}})
	n.Pass(notify.Pass{Topology: "orders"})
	if err := <-failed; strings.Contains(err.Error(), "key") {
		t.Error(err)
	}
	n.Pass(notify.Pass{Topology: "orders"})
	closed(t, n)
	got := pages(t, r.all())
	if len(got) != 3 || got[1] != got[2] || !strings.HasPrefix(got[2], "resolve ") {
		t.Errorf("got %q", got)
	}
}

// TestRoutingKeyGoesOverTLSOnly, and stands in no error.
func TestRoutingKeyGoesOverTLSOnly(t *testing.T) {
	failed := make(chan error, 1)
	n := notify.New([]notify.Target{{Name: "t", URL: "http://events.example/v2/enqueue", Format: notify.FormatPagerDuty, Secret: secret("CANARY")}},
		notify.Options{Failed: func(_ string, _ notify.Event, err error) { failed <- err }})
	n.Notify(done("error", plan.SeverityWarning, ""))
	if err := <-failed; !strings.Contains(err.Error(), "over https only") || strings.Contains(err.Error(), "CANARY") {
		t.Error(err)
	}
	closed(t, n)
}
