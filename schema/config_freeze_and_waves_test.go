package schema

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
)

// TestFreeze: what is not said passes as little as possible: a failover, and nothing else.
func TestFreeze(t *testing.T) {
	for text, want := range map[string]struct {
		says   string
		passes []plan.Transition
	}{
		"{cron: '0 18 * * FRI', duration: 62h, timezone: Europe/Berlin}": {`"0 18 * * FRI" (Europe/Berlin) for 62h`, []plan.Transition{plan.TransitionFailover}},
		"{cron: '0 18 * * 5', duration: 90m, except: [detach]}":          {`"0 18 * * 5" (UTC) for 1h30m`, []plan.Transition{plan.TransitionDetach, plan.TransitionFailover}},
		"{cron: '0 18 * * 5', duration: 62h, except: [failover]}":        {`"0 18 * * 5" (UTC) for 62h`, []plan.Transition{plan.TransitionFailover}},
		"{cron: '0 18 * * 5', duration: 62h, include: [failover]}":       {`"0 18 * * 5" (UTC) for 62h`, nil},
		"{from: 2026-12-18T18:00:00+01:00, to: 2027-01-04T08:00:00Z}":    {"2026-12-18T17:00:00Z to 2027-01-04T08:00:00Z", []plan.Transition{plan.TransitionFailover}},
	} {
		c, problems := ParseConfig("c.yaml", []byte(emptyConfig+"freeze: ["+text+"]\n"))
		if len(problems) > 0 {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		if e := c.Freeze[0]; e.Text() != want.says || !slices.Equal(e.Passes, want.passes) {
			t.Errorf("%s: %s, passes %v", text, e.Text(), e.Passes)
		}
	}
}

// TestWavesAreRead: a wave takes topologies by name, by label or by both, and may fail in none
// unless it says otherwise.
func TestWavesAreRead(t *testing.T) {
	c, problems := ParseConfig("c.yaml", []byte(emptyConfig+"waves:\n  - {name: canary, topologies: ['test-*', orders]}\n  - {name: core, labels: {tier: core}, maxFailed: 2}\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := siteplan.Waves{
		{Name: "canary", Topologies: []string{"test-*", "orders"}},
		{Name: "core", Labels: map[string]string{"tier": "core"}, MaxFailed: 2},
	}
	if diff := cmp.Diff(want, c.Waves); diff != "" {
		t.Error(diff)
	}
}
