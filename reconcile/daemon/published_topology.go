package daemon

import (
	"context"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// publishedOf returns the roles of a plan whose document is live.
func publishedOf(t plan.TopologyPlan) reconcile.Published {
	p := reconcile.Published{Version: t.Generation, Standbys: []string{}}
	for _, c := range t.Clusters {
		switch c.DesiredRole {
		case plan.RolePrimary:
			p.Primary = c.ID
		case plan.RoleStandby:
			p.Standbys = append(p.Standbys, c.ID)
		default: // clients must not use it
		}
	}
	slices.Sort(p.Standbys)
	return p
}

// newerPublished returns the one with the greater version.
func newerPublished(p, o reconcile.Published) reconcile.Published {
	if o.Version > p.Version {
		return o
	}
	return p
}

// StatusFromLedger returns what the ledger alone says of a topology, so that clients can
// be told before its first pass. False: clients were never told of it.
func StatusFromLedger(r reconcile.Remembered, topology string) (TopologyStatus, bool) {
	p := r.Published[topology]
	return TopologyStatus{
		Name: topology, Published: p,
		IntentOpen: intentOpenAfter(r, topology, reconcile.OutcomeUnchanged), Stale: staleClusters(r, topology),
	}, p.Version > 0
}

// recordPublished records what clients are told, so that every process on the ledger tells
// them the same.
func (w *worker) recordPublished(ctx context.Context, known reconcile.Published) {
	if p := w.last.Published; p.Version > known.Version {
		w.loop.noteRecorded(w.loop.clock.Now(), w.loop.records.RecordPublished(ctx, w.name, p))
	}
}
