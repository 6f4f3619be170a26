package daemon

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/drift"
)

// driftMemory raises a drift once two passes in a row saw it. It resolves a drift once a
// pass that could judge its cluster does not see it.
type driftMemory struct {
	seen      map[driftKey]time.Time // what the last pass saw, and when it was first seen
	confirmed map[driftKey]drift.Drift
	// owed are outages that no pass finds any more, since a failover is asked for, and that
	// last until a cluster takes writes.
	owed map[driftKey]resolvedDrift
}

// resolvedDrift is a drift that is over, and when it was first seen.
type resolvedDrift struct {
	drift.Drift
	since time.Time
}

type driftKey struct {
	kind    drift.Kind
	cluster string
}

// update takes what a pass saw, and returns the drifts that it raises and resolves. A
// cluster that could not be judged resolves nothing. served says that a cluster was seen to
// take writes: without one no outage is over.
func (m *driftMemory) update(seen []drift.Drift, served bool, now time.Time) (raised []drift.Drift, resolved []resolvedDrift) {
	if m.confirmed == nil {
		m.seen, m.confirmed, m.owed = map[driftKey]time.Time{}, map[driftKey]drift.Drift{}, map[driftKey]resolvedDrift{}
	}
	current, silent := map[driftKey]time.Time{}, map[string]bool{}
	for _, d := range seen {
		k := driftKey{d.Kind, d.Cluster}
		m.lasts(d)
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
			m.owed[k] = resolvedDrift{d, m.seen[k]}
			delete(m.confirmed, k)
		default:
			current[k] = m.seen[k] // nobody could see that it is over
		}
	}
	m.seen = current
	return raised, m.settle(served)
}

// settle returns the drifts that are over, sorted.
func (m *driftMemory) settle(served bool) []resolvedDrift {
	var out []resolvedDrift
	for k, d := range m.owed {
		if served || d.Code != plan.CodeNoPrimary {
			out = append(out, d)
			delete(m.owed, k)
		}
	}
	slices.SortFunc(out, func(a, b resolvedDrift) int { return compareDrifts(a.Drift, b.Drift) })
	return out
}

// lasts takes back that a drift was taken for over.
func (m *driftMemory) lasts(d drift.Drift) {
	k := driftKey{d.Kind, d.Cluster}
	owed, ok := m.owed[k]
	if !ok || owed.Code != d.Code {
		return
	}
	m.seen[k], m.confirmed[k] = owed.since, d
	delete(m.owed, k)
}

// served says whether the cluster that is to be the primary was seen, and can take writes.
func served(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		k := c.View.Belief.Kind
		return c.DesiredRole == plan.RolePrimary && c.View.Reach == plan.ReachUp &&
			(k == plan.BeliefPrimary || k == plan.BeliefStandalone || k == plan.BeliefUnconfigured)
	})
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
