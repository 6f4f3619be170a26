package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// keeper keeps what a pass gives it, as a ledger that answers with an error, or not before
// the context ends.
type keeper struct {
	memory plan.Memory
	proven []plan.ProgressRecord
	hangs  bool
	err    error
}

func (k *keeper) wait(ctx context.Context) error {
	if k.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return k.err
}

func (k *keeper) RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error {
	k.memory = k.memory.WithOutages(seen, over)
	return k.wait(ctx)
}

func (k *keeper) RecordProven(ctx context.Context, proven []plan.ProgressRecord) error {
	k.proven = append(k.proven, proven...)
	return k.wait(ctx)
}

// TestKeepWhatWasProven: what a command observes is kept: up to which time a standby has
// every write while its source lives, and when the source was first seen down. A ledger that
// refuses, or does not answer, fails nothing.
func TestKeepWhatWasProven(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	caughtUp := at.Add(-time.Second)
	standby := plan.View{
		Cluster: "b", At: at, Reach: plan.ReachUp, Belief: plan.Belief{Kind: plan.BeliefStandby, Source: "a"},
		Progress: []plan.ChannelProgress{{Channel: "b-0", Known: true, SourceCluster: "a", TimeTick: 1, CaughtUpAt: &caughtUp}},
	}
	of := func(source plan.View) plan.Plan {
		return plan.Plan{Topologies: []plan.TopologyPlan{{Name: "orders", Primary: "a", Clusters: []plan.ClusterPlan{
			{ID: "a", DesiredRole: plan.RolePrimary, View: source}, {ID: "b", DesiredRole: plan.RoleStandby, View: standby},
		}}}}
	}
	up := plan.View{Cluster: "a", At: at, Reach: plan.ReachUp}
	down := plan.View{Cluster: "a", At: at, Reach: plan.ReachUnreachable, Class: plan.ClassRefused}
	recorded := plan.Outage{Cluster: "a", Topology: "orders", Since: at.Add(-time.Hour), Until: at.Add(-time.Hour)}
	for name, c := range map[string]struct {
		source   plan.View
		memory   plan.Memory
		keeper   keeper
		proven   int
		downFrom time.Time // zero: no outage is kept
	}{
		"it lives":               {up, plan.Memory{}, keeper{}, 1, time.Time{}},
		"it is down":             {down, plan.Memory{}, keeper{}, 0, at},
		"it is back":             {up, plan.Memory{Outages: []plan.Outage{recorded}}, keeper{memory: plan.Memory{Outages: []plan.Outage{recorded}}}, 1, time.Time{}},
		"it is down for an hour": {down, plan.Memory{Outages: []plan.Outage{recorded}}, keeper{memory: plan.Memory{Outages: []plan.Outage{recorded}}}, 0, recorded.Since},
		"the ledger refuses":     {up, plan.Memory{}, keeper{err: errors.New("it is read-only")}, 1, time.Time{}},
		"the ledger hangs":       {down, plan.Memory{}, keeper{hangs: true}, 0, at},
	} {
		t.Run(name, func(t *testing.T) {
			k := c.keeper
			c.memory.Now = at
			reconcile.RecordLossBounds(t.Context(), &k, of(c.source), c.memory)
			if len(k.proven) != c.proven || c.proven > 0 && !k.proven[0].NoBacklogAt.Equal(caughtUp) {
				t.Errorf("proven %+v", k.proven)
			}
			if kept := k.memory.Outages; c.downFrom.IsZero() != (len(kept) == 0) || len(kept) > 0 && !kept[0].Since.Equal(c.downFrom) {
				t.Errorf("outages %+v, want since %s", kept, c.downFrom)
			}
		})
	}
}
