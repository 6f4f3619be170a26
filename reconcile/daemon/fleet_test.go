package daemon_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// deadWebhook is a redirect target that never answers about one topology, for
// as long as the test goes on.
type deadWebhook struct {
	topology string
	asked    atomic.Int32
	end      <-chan struct{}
}

func (d *deadWebhook) Check(_ context.Context, topology, _ string, _ []string) []plan.TrafficState {
	if topology == d.topology {
		d.asked.Add(1)
		<-d.end
	}
	return nil
}

// TestLoopOfAFleet is R30 of scenarios.md: of 500 topologies one is malformed, one has a
// webhook that never answers and one a cluster that never does. The failover
// of another is carried out meanwhile, and every other one is in sync.
func TestLoopOfAFleet(t *testing.T) {
	s := reconciletest.NewFixture(t)
	for i := range 498 {
		name := fmt.Sprintf("t%03d", i)
		s.Add(name, name+"-", plan.RolePrimary, plan.RoleStandby)
	}
	d := newTestLoop(t, s)
	d.git.revision.Problems = []string{"topologies/malformed.yaml:6: spec.clusters: it is empty"}
	webhook := &deadWebhook{topology: "t100", end: t.Context().Done()}
	settings := d.settings()
	settings.Apply.Observer = hanging{s.Clusters, "t200"}
	settings.Apply.Traffic, _ = daemon.InBackground(webhook, nil)
	d.start(t, settings)
	d.await(t, "the promotion", func() bool { return len(d.sentTo()) > 0 })
	inSync := func() int {
		n := 0
		for _, o := range d.loop.Board().Snapshot().Topologies {
			if o.State == daemon.StateInSync {
				n++
			}
		}
		return n
	}
	d.await(t, "all but the silent one to be in sync", func() bool { return inSync() == 498 })
	if got := d.sentTo(); !slices.Equal(got, []string{reconciletest.Promote}) {
		t.Errorf("sent %q", got)
	}
	d.await(t, "the webhook to be asked", func() bool { return webhook.asked.Load() > 0 })
	if webhook.asked.Load() != 1 {
		t.Errorf("the webhook that does not answer was asked %d times at once", webhook.asked.Load())
	}
	if b := d.loop.Board().Snapshot(); len(b.Topologies) > 499 || len(b.Problems) != 1 || d.countEvents(daemon.EventGit, "malformed.yaml") != 1 {
		t.Errorf("%d topologies and the problems %q are known", len(b.Topologies), b.Problems)
	}
}

// TestLoopTellsOfItsFirstSweep: once, when every topology was looked at.
func TestLoopTellsOfItsFirstSweep(t *testing.T) {
	s := reconciletest.NewFixture(t)
	for i := range 3 {
		name := fmt.Sprintf("t%03d", i)
		s.Add(name, name+"-", plan.RolePrimary, plan.RoleStandby)
	}
	d := newTestLoop(t, s)
	d.start(t, d.settings())
	d.await(t, "the first sweep", func() bool { return d.loop.Board().Snapshot().Swept })
	first := d.loop.Board().Snapshot()
	d.await(t, "another pass of each", func() bool {
		now := d.loop.Board().Snapshot()
		return !slices.ContainsFunc(first.Topologies, func(o daemon.TopologyStatus) bool {
			again, _ := now.Topology(o.Name)
			return !again.LastAttempt.After(o.LastAttempt)
		})
	})
	if n := d.swept.Load(); n != 1 {
		t.Errorf("the end of the first sweep was told %d times", n)
	}
}
