package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Remembered is what a ledger knows at one moment.
type Remembered struct {
	Memory plan.Memory // without Now
	// Sorted says that progress and homes stand in the order of clusters, and
	// generations in that of topologies.
	Sorted bool
	Spent  []approval.SpentMark
	Newest time.Time // of the newest record
	Born   time.Time
	New    bool // the ledger was made by this run
	// Published is what clients were last told of each topology, by name.
	Published map[string]Published
	// Lapsed are the payload hashes of approvals that met a living primary.
	Lapsed []string
}

// Used says whether the approval of a generation was used, or its document
// was live once.
func (r Remembered) Used(topology string, generation int64) bool {
	return slices.ContainsFunc(r.Spent, func(m approval.SpentMark) bool {
		return m.Topology == topology && m.Generation == generation
	})
}

// Published is what clients of a topology are told: which clusters they may
// use, as of a generation that was seen to be live and verified. The zero
// value tells nothing.
type Published struct {
	Version  int64    `json:"version"` // the generation
	Primary  string   `json:"primary"`
	Standbys []string `json:"standbys"` // sorted
}

func (p Pass) readMemory(ctx context.Context) (Remembered, error) {
	if p.Ledger == nil {
		return Remembered{}, nil
	}
	r, err := p.Ledger.Read(ctx)
	if err != nil {
		return r, fmt.Errorf("read the ledger: %w", err)
	}
	if len(p.Desired.Topologies) == 1 {
		r.Memory = r.memoryOf(p.Desired.Topologies[0])
	}
	return r, nil
}

// memoryOf is what the memory says of one topology, of the kinds that grow with the
// number of all: a daemon plans each by itself, and would else go through the
// memory of all of them for each.
func (r Remembered) memoryOf(t plan.Topology) plan.Memory {
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
	m.Progress = filterByKey(m.Progress, r.Sorted, clusters, func(p *plan.ProgressRecord) string { return p.Cluster })
	m.Homes = filterByKey(m.Homes, r.Sorted, clusters, func(h *plan.Home) string { return h.Cluster })
	m.Generations = filterByKey(m.Generations, r.Sorted, []string{t.Name}, func(g *plan.GenerationMark) string { return g.Topology })
	return m
}

// filterByKey are those with one of the keys, which are sorted.
func filterByKey[T any](all []T, sorted bool, keys []string, key func(*T) string) []T {
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
