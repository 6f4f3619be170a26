package daemon_test

import (
	"context"
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// waitsFor says whether the rebuild of orders was begun and waits for a phase, and is told as
// pending and not as blocked.
func (d *testLoop) waitsFor(phase plan.RebuildPhase) func() bool {
	return func() bool {
		s, _ := d.loop.Board().Snapshot().Topology("orders")
		return s.State == daemon.StatePending && s.Plan.Resumed && s.Plan.Rebuild != nil && s.Plan.Rebuild.Phase == phase
	}
}

// again stops the loop, and starts another process on the same clusters, Git and ledger.
func (d *testLoop) again(t *testing.T) {
	t.Helper()
	d.stop()
	d.await(t, "the end", func() bool { return len(d.ended) == 1 })
	<-d.ended
	d.start(t, d.settings())
}

// TestLoopCarriesARebuildThroughAllItsSteps: an approved rebuild is begun, waits for the wipe and
// then for the data, and is attached and audited, by a daemon that is restarted at each wait. It
// needs one approval, and sends nothing before both are proven.
func TestLoopCarriesARebuildThroughAllItsSteps(t *testing.T) {
	s := reconciletest.NewRebuild(t)
	audited := make(chan string, 9)
	s.Apply.Rebuilds.Audit = func(_ context.Context, top plan.Topology, standby string) (plan.AuditMark, error) {
		audited <- top.Name + "/" + standby
		return plan.AuditMark{Primary: "cluster-b", Standby: standby, Verdict: plan.ContentEqual, EqualRows: 1}, nil
	}
	d := newTestLoop(t, s)
	d.start(t, d.settings())
	d.await(t, "the wait for the wipe", d.waitsFor(plan.RebuildWipe))
	d.await(t, "its event", func() bool {
		return d.countEvents(daemon.EventState, "pending: rebuild, begun, waits for its wipe") == 1
	})
	d.again(t)
	d.await(t, "the wait for the wipe after a restart", d.waitsFor(plan.RebuildWipe))
	d.Wipe()
	d.await(t, "the wait for the data", d.waitsFor(plan.RebuildRestore))
	if got := d.sentTo(); len(got) > 0 {
		t.Fatalf("sent %q before the data are there", got)
	}
	d.again(t)
	d.await(t, "the wait for the data after a restart", d.waitsFor(plan.RebuildRestore))
	d.Restore()
	d.await(t, "the end of the rebuild", func() bool { return d.state("orders") == daemon.StateInSync })
	if got := d.sentTo(); len(got) != 2 {
		t.Errorf("sent %q", got)
	}
	if len(audited) != 1 || <-audited != "orders/cluster-a" {
		t.Errorf("%d other audits", len(audited))
	}
	d.Ledger.Mu.Lock()
	defer d.Ledger.Mu.Unlock()
	begun := slices.DeleteFunc(slices.Clone(d.Ledger.Events), func(e string) bool { return e != "begin" && e != "reverse" })
	if !slices.Equal(begun, []string{"begin"}) {
		t.Errorf("it was begun and taken back by %v", d.Ledger.Events)
	}
}
