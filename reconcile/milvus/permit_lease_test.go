package milvus

import (
	"context"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// R42 of scenarios.md: a process that was stopped until its lease could be another's sends
// nothing, and no request that it sends outlives the lease.
func TestRequestsStayWithinTheLease(t *testing.T) {
	t.Run("the lease ran out while it was looking", func(t *testing.T) {
		w := pair(t, "")
		r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{
			Until:   func() time.Time { return time.Now().Add(-time.Second) },
			Recheck: func(context.Context) error { return errTooLate },
		})
		same(t, r.Status, plan.StepRefused)
		same(t, r.Sent, false)
		same(t, w.calls("b", "UpdateReplicateConfiguration"), 0)
	})
	t.Run("the request ends with the lease", func(t *testing.T) {
		w := pair(t, "").hasty()
		w.config.UpdateTimeout = 20 * time.Second
		must(t, w.AddFault("b", milvussim.Fault{Method: "UpdateReplicateConfiguration", Kind: milvussim.FaultHang, Times: 1}))
		until := time.Now().Add(500 * time.Millisecond)
		began := time.Now()
		r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{
			Until:   func() time.Time { return until },
			Recheck: func(context.Context) error { return errTooLate },
		})
		same(t, r.Status, plan.StepInDoubt)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("a lease that is kept alive lets it go again", func(t *testing.T) {
		w := pair(t, "").hasty()
		must(t, w.AddFault("b", milvussim.Fault{Method: "UpdateReplicateConfiguration", Kind: milvussim.FaultHang, Times: 1}))
		r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{Until: func() time.Time { return time.Now().Add(500 * time.Millisecond) }})
		same(t, r.Status, plan.StepDone)
		same(t, w.calls("b", "UpdateReplicateConfiguration"), 2)
	})
}
