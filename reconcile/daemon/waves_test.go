package daemon_test

import (
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// lostSite is a loop over three topologies whose primaries are lost, with one approval of
// their site: probe moves first, and then the others.
func lostSite(t *testing.T, covered ...string) *testLoop {
	t.Helper()
	s := reconciletest.NewFixture(t)
	s.Add("probe", "probe-", plan.RoleStale, plan.RolePrimary)
	s.Down("probe-cluster-a")
	s.Add("users", "users-", plan.RoleStale, plan.RolePrimary)
	s.Down("users-cluster-a")
	s.ApproveSite(t, covered...)
	s.Apply.Waves = siteplan.Waves{{Name: "canary", Topologies: []string{"probe"}}}
	return newTestLoop(t, s)
}

func (d *testLoop) waits(name string) string {
	s, _ := d.loop.Board().Snapshot().Topology(name)
	return s.Waits
}

func TestLoopMovesASiteInWaves(t *testing.T) {
	d := lostSite(t, "probe", "orders", "users")
	d.Clusters.Set("probe-cluster-b", func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused })
	d.start(t, d.settings())
	held := func(name string) bool {
		return strings.Contains(d.waits(name), "wave canary failed, such as probe, and it allows 0") && d.state(name) == daemon.StatePending
	}
	d.await(t, "the others to be held", func() bool { return held("orders") && held("users") })
	stopped := func() bool { s, _ := d.loop.Board().Snapshot().Topology("users"); return s.Stopped }
	if !stopped() {
		t.Error("the board does not say that the wave has failed")
	}
	if got := d.sentTo(); len(got) > 0 {
		t.Fatalf("sent %q while the canary fails", got)
	}
	d.change("probe-cluster-b", lives)
	d.await(t, "all to move", func() bool { return len(d.sentTo()) == 3 })
	if got := d.sentTo(); !strings.Contains(got[0], "probe-") {
		t.Errorf("sent %q, and probe is not the first", got)
	}
	d.await(t, "nobody to wait", func() bool { return d.waits("orders") == "" && d.waits("users") == "" && !stopped() })
}

func TestLoopHoldsNothingBackForATopologyThatIsNotCovered(t *testing.T) {
	d := lostSite(t, "orders", "users")
	d.start(t, d.settings())
	d.await(t, "both to move", func() bool { return len(d.sentTo()) == 2 })
	if slices.ContainsFunc(d.sentTo(), func(s string) bool { return strings.Contains(s, "probe-") }) {
		t.Errorf("sent %q to a topology that nobody approved", d.sentTo())
	}
}

func TestLoopHoldsNothingBackThatIsApprovedAlone(t *testing.T) {
	d := lostSite(t, "probe", "users")
	d.Approve("orders")
	d.Clusters.Set("probe-cluster-b", func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused })
	d.start(t, d.settings())
	d.await(t, "orders to move and users to be held", func() bool { return len(d.sentTo()) == 1 && d.waits("users") != "" })
	if got := d.sentTo(); got[0] != reconciletest.Promote {
		t.Errorf("sent %q", got)
	}
}

func TestLoopGoesOnWithAsManyFailuresAsTheWaveAllows(t *testing.T) {
	d := lostSite(t, "probe", "orders", "users")
	d.Apply.Waves[0].MaxFailed = 1
	d.Clusters.Set("probe-cluster-b", func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused })
	d.start(t, d.settings())
	d.await(t, "the others to move", func() bool { return len(d.sentTo()) == 2 })
}
