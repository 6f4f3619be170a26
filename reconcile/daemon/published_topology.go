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

// StatusFromLedger returns the status of a topology from the ledger alone, so that clients
// get an answer before its first pass. False: clients never got an answer for it.
func StatusFromLedger(r reconcile.Remembered, topology string) (TopologyStatus, bool) {
	p := r.Published[topology]
	return TopologyStatus{
		Name: topology, Published: p,
		IntentOpen: intentOpenAfter(r, topology, reconcile.OutcomeUnchanged), Stale: staleClusters(r, topology),
	}, p.Version > 0
}

// recordPublished records what clients are told instead of what they were told before, so
// that every process on the ledger tells them the same. What they are told first is written
// together with the rest of a pass: no process can tell them anything older.
func (w *worker) recordPublished(known reconcile.Published) {
	if p := w.last.Published; known.Version > 0 && p.Version > known.Version {
		ctx, cancel := context.WithTimeout(w.loop.workContext(), recordWithin)
		defer cancel()
		w.loop.noteRecorded(w.loop.clock.Now(), w.loop.records.RecordPublished(ctx, w.name, p))
	}
}
