package daemon_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// loadBalancer is a target that points where it was set.
type loadBalancer struct {
	mu   sync.Mutex
	to   string
	sets int
}

func (b *loadBalancer) Set(_ context.Context, topology, primary string, _ []string) []plan.TrafficState {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = primary
	b.sets++
	return []plan.TrafficState{{Topology: topology, Target: "lb", OK: true}}
}

func (b *loadBalancer) Check(_ context.Context, topology, primary string, _ []string) []plan.TrafficState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []plan.TrafficState{{Topology: topology, Target: "lb", OK: b.to == primary, Detail: "points at " + b.to}}
}

// TestLoopTellsInOrder: that an apply goes on is told before what came of it, and
// nothing that was seen before it is told after. The first verification fails, so
// that the next pass asks about traffic before it sets it.
func TestLoopTellsInOrder(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t))
	lb := &loadBalancer{to: "cluster-a"}
	verified := 0
	d.Actor.VerifyErr = reconciletest.ErrInjected
	d.Actor.OnVerify = func() {
		if verified++; verified > 1 {
			d.Actor.VerifyErr = nil
		}
	}
	settings := d.settings()
	settings.Apply.Traffic, settings.Apply.Redirect = daemon.InBackground(lb, lb)
	d.start(t, settings)
	d.await(t, "the promotion", func() bool { return d.state("orders") == daemon.StateInSync })
	d.sweeps(t, 3)
	if lb.sets != 1 || d.countEvents(daemon.EventDriftRaised, "traffic") != 0 {
		t.Errorf("the traffic was set %d times", lb.sets)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := func(text string) int {
		return slices.IndexFunc(d.events, func(e daemon.Event) bool { return strings.Contains(e.Text, text) })
	}
	var lines []string
	for _, e := range d.events {
		lines = append(lines, string(e.Kind)+" "+e.Text)
	}
	applying, unverified, applied, inSync := at("the topology is applying"), at("failover: unverified"), at("failover: applied"), at("the topology is in_sync")
	if applying < 0 || unverified < applying || applied < unverified || inSync < applied {
		t.Errorf("told in the order\n%s", strings.Join(lines, "\n"))
	}
}
