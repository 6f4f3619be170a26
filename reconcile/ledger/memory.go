package ledger

import (
	"cmp"
	"slices"

	"milvus-reconcile/plan"
)

func values[T any](list []numbered[T]) []T {
	var out []T
	for _, n := range list {
		out = append(out, n.value)
	}
	return out
}

// memory is the planner's view of the state, in an order that depends on the
// content alone.
func (s *state) memory(kind plan.LedgerKind, progress []plan.ProgressRecord) plan.Memory {
	m := plan.Memory{Ledger: kind, Stale: values(s.stale), Provisions: values(s.provisions), Freed: values(s.freed), Progress: progress}
	for _, name := range sortedKeys(s.intents) {
		m.Intents = append(m.Intents, s.intents[name].Intent)
	}
	for _, name := range sortedKeys(s.failovers) {
		m.Failovers = append(m.Failovers, s.failovers[name])
	}
	for _, name := range sortedKeys(s.generations) {
		m.Generations = append(m.Generations, s.generations[name])
	}
	for _, cluster := range sortedKeys(s.homes) {
		m.Homes = append(m.Homes, plan.Home{Cluster: cluster, Topology: s.homes[cluster]})
	}
	slices.SortStableFunc(m.Stale, func(a, b plan.StaleMark) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.Since.Compare(b.Since))
	})
	slices.SortStableFunc(m.Provisions, func(a, b plan.UsedProvision) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.At.Compare(b.At))
	})
	slices.SortStableFunc(m.Freed, func(a, b plan.FreedMark) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.At.Compare(b.At))
	})
	return m
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
