package reconcile

import "milvus-reconcile/plan"

// about is what a memory says of one topology, of the kinds that grow with the
// number of all: a daemon plans each by itself, and would else go through the
// memory of all of them for each.
func about(t plan.Topology, m plan.Memory) plan.Memory {
	own := map[string]bool{}
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
	m.Progress = only(m.Progress, func(p *plan.ProgressRecord) bool { return own[p.Cluster] })
	m.Generations = only(m.Generations, func(g *plan.GenerationMark) bool { return g.Topology == t.Name })
	m.Homes = only(m.Homes, func(h *plan.Home) bool { return h.Topology == t.Name || own[h.Cluster] })
	return m
}

// only are the wanted ones, in their order.
func only[T any](all []T, wanted func(*T) bool) []T {
	var out []T
	for i := range all {
		if wanted(&all[i]) {
			out = append(out, all[i])
		}
	}
	return out
}
