package daemon

import (
	"cmp"
	"slices"
	"strings"

	"milvus-reconcile/reconcile"
)

// driftMemory remembers which drifts were seen, so that one is raised once
// two sweeps in a row saw it, and resolved once a sweep that could judge its
// cluster no longer does.
type driftMemory struct {
	seen      map[driftKey]bool // by the last sweep
	confirmed map[driftKey]reconcile.Drift
}

type driftKey struct {
	kind    reconcile.DriftKind
	cluster string
}

// update takes what a sweep saw and returns what was raised and resolved by it.
// What is not known keeps what stood: silence of a cluster resolves nothing.
func (m *driftMemory) update(seen []reconcile.Drift) (raised, resolved []reconcile.Drift) {
	if m.confirmed == nil {
		m.confirmed = map[driftKey]reconcile.Drift{}
	}
	now, silent := map[driftKey]bool{}, map[string]bool{}
	for _, d := range seen {
		k := driftKey{d.Kind, d.Cluster}
		now[k] = true
		if d.Kind == reconcile.DriftUnknown {
			silent[d.Cluster], silent[""] = true, true // what is about no one cluster may be about this one
		}
		if _, known := m.confirmed[k]; !known && m.seen[k] {
			raised = append(raised, d)
		}
		if _, known := m.confirmed[k]; known || m.seen[k] {
			m.confirmed[k] = d
		}
	}
	for k, d := range m.confirmed {
		if !now[k] && (k.kind == reconcile.DriftUnknown || !silent[k.cluster]) {
			resolved = append(resolved, d)
			delete(m.confirmed, k)
		}
	}
	m.seen = now
	slices.SortFunc(resolved, compareDrifts)
	return raised, resolved
}

// confirmedDrifts lists the confirmed drifts, sorted.
func (m *driftMemory) confirmedDrifts() []reconcile.Drift {
	var out []reconcile.Drift
	for _, d := range m.confirmed {
		out = append(out, d)
	}
	slices.SortFunc(out, compareDrifts)
	return out
}

func compareDrifts(a, b reconcile.Drift) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Cluster, b.Cluster))
}
