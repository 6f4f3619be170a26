package reconcile

import (
	"context"
	"slices"

	"milvus-reconcile/plan"
)

// Published is what clients of a topology are told: which clusters they may
// use, as of a generation that was seen to be live and verified. The zero
// value tells nothing.
type Published struct {
	Version  int64    `json:"version"` // the generation
	Primary  string   `json:"primary"`
	Standbys []string `json:"standbys"` // sorted
}

// publishedOf are the roles of a plan whose document is live.
func publishedOf(t plan.TopologyPlan) Published {
	p := Published{Version: t.Generation, Standbys: []string{}}
	for _, c := range t.Clusters {
		switch c.DesiredRole {
		case plan.RolePrimary:
			p.Primary = c.ID
		case plan.RoleStandby:
			p.Standbys = append(p.Standbys, c.ID)
		default: // nobody is to use it
		}
	}
	slices.Sort(p.Standbys)
	return p
}

// newer is the one with the greater version.
func (p Published) newer(o Published) Published {
	if o.Version > p.Version {
		return o
	}
	return p
}

// Told is what the ledger alone says of a topology, for telling clients while
// nothing else is known of it; false: they were never told of it.
func (r Remembered) Told(topology string) (TopologyStatus, bool) {
	p := r.Published[topology]
	return TopologyStatus{
		Name: topology, Published: p,
		IntentOpen: r.openIntent(topology, OutcomeUnchanged), Stale: r.staleOf(topology),
	}, p.Version > 0
}

// recordPublished lets every process on the ledger tell clients the same.
func (w *worker) recordPublished(ctx context.Context, known Published) {
	if p := w.last.Published; p.Version > known.Version {
		w.loop.recorded(w.loop.records.RecordPublished(ctx, w.name, p))
	}
}
