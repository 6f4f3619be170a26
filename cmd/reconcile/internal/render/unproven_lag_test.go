package render

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestAStatusDoesNotCallALongWaitInSync: one read cannot tell a cut link from a busy pair.
func TestAStatusDoesNotCallALongWaitInSync(t *testing.T) {
	at := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	standing := func(kind Kind, lag time.Duration, waits bool) (Document, plan.TopologyPlan) {
		standby := plan.ClusterPlan{ID: "b", DesiredRole: plan.RoleStandby, View: plan.View{
			Cluster: "b", Reach: plan.ReachUp, At: at, Progress: []plan.ChannelProgress{{Known: true, TimeTick: 1}},
		}}
		if waits {
			standby.View.Progress[0].Unsent = &at
		}
		standby.Lag = &plan.Window{Upper: &lag}
		primary := plan.ClusterPlan{ID: "a", DesiredRole: plan.RolePrimary, View: plan.View{
			Cluster: "a", Reach: plan.ReachUp, At: at, Belief: plan.Belief{Kind: plan.BeliefPrimary},
		}}
		topology := plan.TopologyPlan{Name: "orders", InSync: true, Matches: true, Primary: "a", Clusters: []plan.ClusterPlan{primary, standby}}
		return Document{Kind: kind, Plan: plan.Plan{At: at, Topologies: []plan.TopologyPlan{topology}}}, topology
	}
	for name, c := range map[string]struct {
		kind  Kind
		lag   time.Duration
		waits bool
		good  bool
	}{
		"waits for 14 s":                {KindStatus, 14 * time.Second, true, false},
		"waits for a second":            {KindStatus, time.Second, true, true},
		"idle":                          {KindStatus, 14 * time.Second, false, true},
		"drift saw it move between two": {KindDrift, 14 * time.Second, true, true},
	} {
		d, topology := standing(c.kind, c.lag, c.waits)
		words := d.inSyncWords(topology)
		_, headline := d.headline(topology)
		if got := d.symbol(topology) == good; got != c.good || (headline == good) != c.good || d.condition(topology).quiet() != c.good {
			t.Errorf("%s: marked ✓: %t, want %t", name, got, c.good)
		}
		if strings.Contains(words, "not proven to move") == c.good {
			t.Errorf("%s: says %q", name, words)
		}
	}
}
