package reconcile

import (
	"maps"
	"slices"
	"sort"

	"milvus-reconcile/plan"
)

// about is what the memory says of one topology, of the kinds that grow with the
// number of all: a daemon plans each by itself, and would else go through the
// memory of all of them for each.
func (r Remembered) about(t plan.Topology) plan.Memory {
	m, own := r.Memory, map[string]bool{}
	for _, c := range t.Clusters {
		own[c.ID] = true
	}
	if t.Previous != nil {
		for _, c := range t.Previous.Clusters {
			own[c.ID] = true
		}
	}
	for _, f := range m.Failovers {
		if f.Topology == t.Name {
			own[f.Promoted] = true
		}
	}
	clusters := slices.Sorted(maps.Keys(own))
	m.Progress = of(m.Progress, r.Sorted, clusters, func(p *plan.ProgressRecord) string { return p.Cluster })
	m.Homes = of(m.Homes, r.Sorted, clusters, func(h *plan.Home) string { return h.Cluster })
	m.Generations = of(m.Generations, r.Sorted, []string{t.Name}, func(g *plan.GenerationMark) string { return g.Topology })
	return m
}

// of are those with one of the keys, which are sorted.
func of[T any](all []T, sorted bool, keys []string, key func(*T) string) []T {
	var out []T
	if !sorted {
		for i := range all {
			if _, wanted := slices.BinarySearch(keys, key(&all[i])); wanted {
				out = append(out, all[i])
			}
		}
		return out
	}
	for _, k := range keys {
		at := sort.Search(len(all), func(i int) bool { return key(&all[i]) >= k })
		for ; at < len(all) && key(&all[at]) == k; at++ {
			out = append(out, all[at])
		}
	}
	return out
}
