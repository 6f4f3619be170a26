package daemon_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/permit"
	"milvus-reconcile/reconcile/reconciletest"
)

// stuck is an actor whose force promote is half done until somebody acts.
type stuck struct {
	*reconciletest.Actor
	acted chan struct{}
}

func (s stuck) Execute(ctx context.Context, t plan.Topology, step plan.Step, p permit.Permit) reconcile.StepResult {
	if step.ForcePromote() {
		p.HalfPromoted(ctx, 3*time.Second)
		select {
		case <-s.acted:
		case <-ctx.Done():
		}
	}
	return s.Actor.Execute(ctx, t, step, p)
}

// TestLoopTellsAHalfDonePromotionAtOnce: while the pass still waits, the snapshot holds the
// finding, and a critical event says what a person does.
func TestLoopTellsAHalfDonePromotionAtOnce(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t))
	actor := stuck{Actor: d.Actor, acted: make(chan struct{})}
	settings := d.settings()
	settings.PassTimeout = time.Hour
	settings.Apply.Actor = actor
	d.start(t, settings)
	d.await(t, "the finding", func() bool {
		s, _ := d.loop.Board().Snapshot().Topology("orders")
		return s.Plan.UnderWay != nil && s.Plan.Has(plan.CodePromotionHalfDone)
	})
	d.await(t, "the event", func() bool { return d.countEvents(daemon.EventFault, "PROMOTION_HALF_DONE") == 1 })
	d.mu.Lock()
	i := slices.IndexFunc(d.events, func(e daemon.Event) bool { return e.Code == string(plan.CodePromotionHalfDone) })
	e := d.events[i]
	d.mu.Unlock()
	if e.Severity != plan.SeverityCritical || e.Cluster != "cluster-b" || e.Remedy == "" {
		t.Errorf("told %+v", e)
	}
	close(actor.acted)
	d.await(t, "the promotion", func() bool { return d.state("orders") == daemon.StateInSync })
}
