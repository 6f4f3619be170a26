package daemon

import (
	"cmp"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/drift"
)

// driftMemory raises a drift once two passes in a row saw it. It resolves a drift once a
// pass that could judge its cluster does not see it.
type driftMemory struct {
	seen      map[driftKey]bool // by the last pass
	confirmed map[driftKey]drift.Drift
}

type driftKey struct {
	kind    drift.Kind
	cluster string
}

// update takes what a pass saw, and returns the drifts that it raises and resolves. A
// cluster that could not be judged resolves nothing.
func (m *driftMemory) update(seen []drift.Drift) (raised, resolved []drift.Drift) {
	if m.confirmed == nil {
		m.confirmed = map[driftKey]drift.Drift{}
	}
	current, silent := map[driftKey]bool{}, map[string]bool{}
	for _, d := range seen {
		k := driftKey{d.Kind, d.Cluster}
		current[k] = true
		if d.Kind == drift.Unknown {
			silent[d.Cluster], silent[""] = true, true // a drift without a cluster may be of this one
		}
		if _, known := m.confirmed[k]; !known && m.seen[k] {
			raised = append(raised, d)
		}
		if _, known := m.confirmed[k]; known || m.seen[k] {
			m.confirmed[k] = d
		}
	}
	for k, d := range m.confirmed {
		if !current[k] && (k.kind == drift.Unknown || !silent[k.cluster]) {
			resolved = append(resolved, d)
			delete(m.confirmed, k)
		}
	}
	m.seen = current
	slices.SortFunc(resolved, compareDrifts)
	return raised, resolved
}

// confirmedDrifts returns the drifts that were raised and not resolved, sorted.
func (m *driftMemory) confirmedDrifts() []drift.Drift {
	var out []drift.Drift
	for _, d := range m.confirmed {
		out = append(out, d)
	}
	slices.SortFunc(out, compareDrifts)
	return out
}

func compareDrifts(a, b drift.Drift) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Cluster, b.Cluster))
}
