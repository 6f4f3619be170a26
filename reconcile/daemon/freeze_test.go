package daemon_test

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// frozenLoop is the loop of an approved switchover in a freeze that ends long before the
// second sweep.
func frozenLoop(t *testing.T) (d *testLoop, until time.Time) {
	t.Helper()
	d = newTestLoop(t, reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary))
	until = reconciletest.Start.Add(2 * time.Hour)
	d.Apply.Freeze = func(now time.Time) []plan.Freeze {
		if !now.Before(until) {
			return nil
		}
		return []plan.Freeze{{Name: "year-end", Until: until, Passes: []plan.Transition{plan.TransitionFailover}}}
	}
	return d, until
}

// begin starts the loop, and waits until it says that the change waits.
func (d *testLoop) begin(t *testing.T, until time.Time) {
	t.Helper()
	s := d.settings()
	s.SweepInterval = 20 * time.Hour
	d.start(t, s)
	d.await(t, "the freeze to be seen", func() bool {
		s, _ := d.loop.Board().Snapshot().Topology("orders")
		return s.State == daemon.StatePending && s.Plan.Frozen != nil && s.Plan.Frozen.Until.Equal(until)
	})
}

// TestLoopWaitsForTheEndOfAFreeze: an approved change waits, says until when, and is carried
// out when the freeze ends, not at the next sweep.
func TestLoopWaitsForTheEndOfAFreeze(t *testing.T) {
	d, until := frozenLoop(t)
	d.begin(t, until)
	d.await(t, "its event", func() bool {
		return d.countEvents(daemon.EventState, "pending: switchover, approved, waits until "+until.UTC().Format(time.RFC3339)) == 1
	})
	if got := d.sentTo(); len(got) > 0 {
		t.Fatalf("sent %q in the freeze", got)
	}
	d.clock.tick(until.Sub(d.clock.Now()))
	d.await(t, "the switchover", func() bool { return d.state("orders") == daemon.StateInSync })
	if got := d.sentTo(); len(got) != 2 {
		t.Errorf("sent %q", got)
	}
}

// TestAFreezeThatEndedWhileNobodyRan: a daemon that starts after the freeze carries the change
// out; it needs no memory of the freeze.
func TestAFreezeThatEndedWhileNobodyRan(t *testing.T) {
	d, _ := frozenLoop(t)
	d.Clusters.Clock.Pass(3 * time.Hour)
	d.start(t, d.settings())
	d.await(t, "the switchover", func() bool { return d.state("orders") == daemon.StateInSync && len(d.sentTo()) == 2 })
}

// TestAnApprovalThatEndsInAFreeze: what is not approved any more when the freeze ends is not
// carried out.
func TestAnApprovalThatEndsInAFreeze(t *testing.T) {
	d, until := frozenLoop(t)
	d.Approve("orders", "Failover-Expires: "+until.Add(-time.Second).UTC().Format(time.RFC3339))
	d.git.revision.Changes = map[string]approval.Change{"orders": d.Apply.Changes["orders"]}
	d.begin(t, until)
	d.clock.tick(until.Sub(d.clock.Now()))
	d.await(t, "the denial", func() bool {
		s, _ := d.loop.Board().Snapshot().Topology("orders")
		return s.Plan.Frozen == nil && s.Plan.Transition == plan.TransitionSwitchover && s.Decision.Code == approval.CodeExpired
	})
	if got := d.sentTo(); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}
