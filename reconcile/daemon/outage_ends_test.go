package daemon

import (
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/drift"
)

// TestAnOutageEndsWithAWriter, and not because a failover was merged: then no pass finds it
// any more, and no cluster takes writes all the same.
func TestAnOutageEndsWithAWriter(t *testing.T) {
	outage := []drift.Drift{{Kind: drift.Role, Code: plan.CodeNoPrimary, Message: "no cluster that answers can take writes"}}
	behind := drift.Drift{Kind: drift.Behind, Cluster: "b", Code: plan.CodeLagObjective}
	var m driftMemory
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		name             string
		seen             []drift.Drift
		served           bool
		raised, resolved []plan.Code
	}{
		{"it is seen", append(outage, behind), false, nil, nil},
		{"it is seen again", append(outage, behind), false, []plan.Code{plan.CodeNoPrimary, plan.CodeLagObjective}, nil},
		{"a failover is merged", nil, false, nil, []plan.Code{plan.CodeLagObjective}},
		{"the failover is taken back", outage, false, nil, nil},
		{"it is merged again", nil, false, nil, nil},
		{"it waits for people", nil, false, nil, nil},
		{"the standby is promoted", nil, true, nil, []plan.Code{plan.CodeNoPrimary}},
		{"all is well", nil, true, nil, nil},
		{"another outage", outage, false, nil, nil},
		{"it is seen again, too", outage, false, []plan.Code{plan.CodeNoPrimary}, nil},
	} {
		raised, over := m.update(c.seen, c.served, noon.Add(time.Duration(i)*time.Second))
		var codes, ended []plan.Code
		for _, d := range raised {
			codes = append(codes, d.Code)
		}
		for _, d := range over {
			ended = append(ended, d.Code)
			if d.Code == plan.CodeNoPrimary && !d.since.Equal(noon) {
				t.Errorf("%s: it lasted since %s", c.name, d.since)
			}
		}
		if !slices.Equal(codes, c.raised) || !slices.Equal(ended, c.resolved) {
			t.Errorf("%s: raised %v, resolved %v", c.name, codes, ended)
		}
	}
}
