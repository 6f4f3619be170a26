package daemon_test

import (
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// sharded starts the loop of shard eu, which takes the folder eu.
func sharded(t *testing.T) *testLoop {
	t.Helper()
	s := reconciletest.NewFixture(t)
	s.Add("users", "u-", plan.RolePrimary, plan.RoleStandby)
	s.Add("lost", "l-", plan.RolePrimary, plan.RoleStandby)
	d := newTestLoop(t, s)
	slices.SortFunc(d.git.revision.Desired.Topologies, func(a, b plan.Topology) int { return strings.Compare(a.Name, b.Name) })
	d.git.revision.Desired.Shards = []plan.Shard{{Name: "eu", Paths: []string{"eu"}}, {Name: "us", Paths: []string{"us"}}}
	d.shard = "eu"
	d.put("orders", "eu/orders.yaml")
	d.put("users", "us/users.yaml")
	d.put("lost", "asia/lost.yaml")
	return d
}

// put moves the file of a topology.
func (d *testLoop) put(topology, file string) {
	d.git.set(func(g *tip) {
		desired := g.revision.Desired
		desired.Topologies = slices.Clone(desired.Topologies)
		for i, t := range desired.Topologies {
			if t.Name == topology {
				desired.Topologies[i].At.File = file
			}
		}
		g.revision.Desired = desired
	})
}

func (d *testLoop) known(topology string) bool {
	_, ok := d.loop.Board().Snapshot().Topology(topology)
	return ok
}

// TestAShardActsOnItsOwnOnly: what is another shard's has no pass; what no shard takes is
// shown with its finding, and nothing acts on it.
func TestAShardActsOnItsOwnOnly(t *testing.T) {
	d := sharded(t)
	d.start(t, d.settings())
	d.await(t, "the promotion", func() bool { return len(d.sentTo()) > 0 })
	b := d.loop.Board().Snapshot()
	if d.known("users") || b.Shard != "eu" || b.OtherShards != 1 {
		t.Errorf("users is known: %v; shard %q, %d of others", d.known("users"), b.Shard, b.OtherShards)
	}
	lost, _ := b.Topology("lost")
	if lost.State != daemon.StateBlocked || !lost.Plan.Has(plan.CodeShardUndecided) || !lost.LastAttempt.IsZero() {
		t.Errorf("what no shard takes is %s: %+v", lost.State, lost.Plan.Findings)
	}
	if n := d.countEvents(daemon.EventShard, "no shard of the operator's configuration takes asia/lost.yaml"); n != 1 {
		t.Errorf("that is told %d times", n)
	}
	if d.reign.claims.holder("orders") == "" || d.reign.claims.holder("users") != "" || d.reign.claims.holder("lost") != "" {
		t.Error("it does not claim exactly its own")
	}
}

// TestAShardWaitsForTheClaim: while another shard holds the topology, this one observes it
// and sends nothing; then it acts.
func TestAShardWaitsForTheClaim(t *testing.T) {
	d := sharded(t)
	d.reign.claims.set("orders", "shard us")
	d.start(t, d.settings())
	d.await(t, "the rounds of evidence", func() bool { return d.countEvents(daemon.EventLost, "") > 0 })
	d.await(t, "two more passes", func() bool { return d.git.fetched() > 2 })
	if s, _ := d.loop.Board().Snapshot().Topology("orders"); s.HeldBy != "shard us" || len(d.sentTo()) > 0 {
		t.Errorf("it is held by %q, and %q was sent", s.HeldBy, d.sentTo())
	}
	d.reign.claims.set("orders", "")
	d.await(t, "the promotion", func() bool { return len(d.sentTo()) > 0 })
	if s, _ := d.loop.Board().Snapshot().Topology("orders"); s.HeldBy != "" {
		t.Errorf("it is still held by %q", s.HeldBy)
	}
}

// TestAMovedTopologyIsHandedOver: it is acted on until the other shard asks for it, and then
// given back and forgotten. One that comes back is claimed again.
func TestAMovedTopologyIsHandedOver(t *testing.T) {
	d := sharded(t)
	d.change("cluster-a", lives)
	d.start(t, d.settings())
	claimed := func() bool { return d.reign.claims.holder("orders") != "" }
	d.await(t, "the claim", claimed)
	d.put("orders", "us/orders.yaml")
	d.await(t, "the move to be seen", func() bool { return d.countEvents(daemon.EventShard, "belongs to shard us now") == 1 })
	d.await(t, "more passes", func() bool { return d.git.fetched() > 5 })
	if !claimed() || !d.known("orders") {
		t.Error("nobody acts on it before the other shard asks")
	}
	d.reign.claims.want("orders")
	d.await(t, "the hand-over", func() bool { return !claimed() && !d.known("orders") })
	d.put("orders", "eu/orders.yaml")
	d.await(t, "it to be claimed again", claimed)
}

// TestAShardThatNoLongerLeadsGivesBack: what it claimed under a lost leadership is free.
func TestAShardThatNoLongerLeadsGivesBack(t *testing.T) {
	d := sharded(t)
	d.change("cluster-a", lives)
	d.start(t, d.settings())
	d.await(t, "the claim", func() bool { return d.reign.claims.holder("orders") != "" })
	d.reign.lose()
	d.await(t, "it to be given back", func() bool { return d.reign.claims.holder("orders") == "" })
	d.await(t, "it to be observed without a leadership", func() bool { return d.known("orders") })
}
