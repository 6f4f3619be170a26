package reconcile

import (
	"context"
	"maps"
	"slices"
	"sort"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Remembered is what the ledger holds at one moment.
type Remembered struct {
	Memory plan.Memory // Now is not set
	// Sorted says that the lists are sorted: progress, homes and audits by cluster; all
	// others by topology.
	Sorted bool
	Spent  []approval.SpentMark // approvals that were used
	Newest time.Time            // of the newest record
	Born   time.Time            // when the ledger was made
	New    bool                 // this run made the ledger
	// Accepted is when the ledger was accepted as it was, although newer records were lost;
	// zero: it never was.
	Accepted time.Time
	// Published is what clients were last told, by topology.
	Published map[string]Published
	// Lapsed are the payload hashes of approvals that lapsed because the old primary was
	// seen alive.
	Lapsed []string
	// HolderOf returns who else holds the lock of a topology; false: nobody is known to. Nil:
	// Memory.Holders says so already.
	HolderOf HolderOf
	// RunnerOf returns who else carries out a replay. Nil: Memory.Replays says so already.
	RunnerOf RunnerOf
}

// RunnerOf returns who else carries out a replay of a topology now; asked is false if that could
// not be found out.
type RunnerOf func(ctx context.Context, topology string) (by plan.LockHolder, held, asked bool)

// Running returns open replays with who carries them out now; of these topologies alone, if some
// are named.
func Running(ctx context.Context, open []plan.OpenReplay, ask RunnerOf, only ...string) []plan.OpenReplay {
	out := slices.Clone(open)
	for i, r := range out {
		if len(only) > 0 && !slices.Contains(only, r.Topology) {
			continue
		}
		by, held, asked := ask(ctx, r.Topology)
		if out[i].Asked = asked; held {
			out[i].Runner = &by
		}
	}
	return out
}

// HolderOf returns who else holds the lock of a topology; false: nobody is known to.
type HolderOf func(ctx context.Context, topology string) (plan.LockHolder, bool)

// LockHolders asks who else holds the lock of a topology with an open intent or an outage; of
// these topologies alone, if some are named. Each answer is a call to the ledger: a daemon
// that asked for all outages in the pass of each topology would spend its time on that after
// the loss of a region.
func LockHolders(ctx context.Context, m plan.Memory, ask HolderOf, only ...string) []plan.LockHolder {
	var out []plan.LockHolder
	asked := map[string]bool{}
	add := func(topology string) {
		if asked[topology] || len(only) > 0 && !slices.Contains(only, topology) {
			return
		}
		asked[topology] = true
		if h, held := ask(ctx, topology); held {
			out = append(out, h)
		}
	}
	for _, i := range m.Intents {
		add(i.Topology)
	}
	for _, o := range m.Outages {
		add(o.Topology)
	}
	return out
}

// Used says whether the approval of a generation was used, or the document of that
// generation was live once.
func (r Remembered) Used(topology string, generation int64) bool {
	return slices.ContainsFunc(r.Spent, func(m approval.SpentMark) bool {
		return m.Topology == topology && m.Generation == generation
	})
}

// knowsFrom is from when on the ledger knows which approvals of a change were used, where
// it is not the first ledger, or not whole; zero: it is both. A signed approval of an
// earlier change from before its birth shows that it is not the first.
func (r Remembered) knowsFrom(c approval.Change) time.Time {
	out := r.Accepted
	if !c.Earlier.IsZero() && c.Earlier.Before(r.born()) && r.Born.After(out) {
		out = r.Born
	}
	return out.Truncate(time.Second) // as Git dates its objects
}

// born is the second of the ledger's birth, as Git dates its objects.
func (r Remembered) born() time.Time { return r.Born.Truncate(time.Second) }

// youngerThan says whether the ledger is younger than an approval of a change: it could
// not know that one as used.
func (r Remembered) youngerThan(c approval.Change) bool {
	return !r.Born.IsZero() && slices.ContainsFunc(c.Carriers, func(c approval.Carrier) bool {
		return !c.Date.IsZero() && c.Date.Before(r.born())
	})
}

// Published is what clients of a topology are told: the clusters that they may use, as of
// the newest generation that was seen live and verified. The zero value tells nothing.
type Published struct {
	Version  int64    `json:"version"` // the generation
	Primary  string   `json:"primary"`
	Standbys []string `json:"standbys"` // sorted
}

// LedgerUnread is the error of a pass that could not read its ledger.
type LedgerUnread struct{ Err error }

// Error returns the ledger's error.
func (e LedgerUnread) Error() string { return "read the ledger: " + e.Err.Error() }

// Unwrap returns the ledger's error.
func (e LedgerUnread) Unwrap() error { return e.Err }

// readMemory reads the ledger. Without one it returns the zero value.
func (p Pass) readMemory(ctx context.Context) (Remembered, error) {
	if p.Ledger == nil {
		return Remembered{}, nil
	}
	r, err := p.Ledger.Read(ctx)
	if err != nil {
		return r, LedgerUnread{err}
	}
	var only []string
	if len(p.Desired.Topologies) == 1 {
		r.Memory = r.memoryOf(p.Desired.Topologies[0])
		only = []string{p.Desired.Topologies[0].Name}
	}
	if r.HolderOf != nil {
		r.Memory.Holders = LockHolders(ctx, r.Memory, r.HolderOf, only...)
	}
	if r.RunnerOf != nil {
		r.Memory.Replays = Running(ctx, r.Memory.Replays, r.RunnerOf, only...)
	}
	return r, nil
}

// memoryOf returns the memory with only the records of one topology, of the kinds that grow
// with the number of topologies. A daemon plans each topology by itself; without this it
// would go through the records of all of them for each.
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
	m.Audits = filterByKey(m.Audits, r.Sorted, clusters, func(a *plan.AuditMark) string { return a.Standby })
	m.Serving = filterByKey(m.Serving, r.Sorted, []string{t.Name}, func(s *plan.ServingMark) string { return s.Topology })
	m.Settled = filterByKey(m.Settled, r.Sorted, []string{t.Name}, func(s *plan.SettledMark) string { return s.Topology })
	m.Generations = filterByKey(m.Generations, r.Sorted, []string{t.Name}, func(g *plan.GenerationMark) string { return g.Topology })
	return m
}

// filterByKey returns the items whose key is in keys, which are sorted. sorted says that
// the items are sorted by key too.
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
