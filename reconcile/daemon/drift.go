package daemon

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/reconcile/drift"
)

// driftMemory raises a drift once two passes in a row saw it. It resolves a drift once a
// pass that could judge its cluster does not see it.
type driftMemory struct {
	seen      map[driftKey]time.Time // by the last pass, and since when
	confirmed map[driftKey]drift.Drift
}

// resolvedDrift is a drift that is no more, and since when it was seen.
type resolvedDrift struct {
	drift.Drift
	since time.Time
}

type driftKey struct {
	kind    drift.Kind
	cluster string
}

// update takes what a pass saw, and returns the drifts that it raises and resolves. A
// cluster that could not be judged resolves nothing.
func (m *driftMemory) update(seen []drift.Drift, now time.Time) (raised []drift.Drift, resolved []resolvedDrift) {
	if m.confirmed == nil {
		m.confirmed = map[driftKey]drift.Drift{}
	}
	current, silent := map[driftKey]time.Time{}, map[string]bool{}
	for _, d := range seen {
		k := driftKey{d.Kind, d.Cluster}
		since, before := m.seen[k]
		if !before {
			since = now
		}
		current[k] = since
		if d.Kind == drift.Unknown {
			silent[d.Cluster], silent[""] = true, true // a drift without a cluster may be of this one
		}
		_, known := m.confirmed[k]
		if !known && before {
			raised = append(raised, d)
		}
		if known || before {
			m.confirmed[k] = d
		}
	}
	for k, d := range m.confirmed {
		_, goesOn := current[k]
		switch {
		case goesOn:
		case k.kind == drift.Unknown || !silent[k.cluster]:
			resolved = append(resolved, resolvedDrift{d, m.seen[k]})
			delete(m.confirmed, k)
		default:
			current[k] = m.seen[k] // nobody could see that it is over
		}
	}
	m.seen = current
	slices.SortFunc(resolved, func(a, b resolvedDrift) int { return compareDrifts(a.Drift, b.Drift) })
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
