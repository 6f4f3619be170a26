package audit

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// Options bound what an audit costs.
type Options struct {
	Rows        int           // keys of each collection that are compared field by field; 0: none
	Seed        uint64        // which keys, and in which order the collections
	Budget      time.Duration // for the data of one pair; 0: no bound
	Pause       time.Duration // between two reads of what differs
	Concurrency int
}

// Result is what an audit found of one standby.
type Result struct {
	Primary, Standby string
	Verdict          plan.ContentVerdict
	Differences      []Difference // those that matter first
	Gaps             []Gap        // what was not compared, and why
	Collections      int          // that either cluster holds
	Counted          int          // collections whose two counts were compared
	Rows             int64        // that the primary has in these
	Sampled          int          // keys that were compared field by field

	Served     []plan.ServedCollection // what the primary has in place to serve
	ServedRead bool                    // false: it was not read
	Readiness  plan.Readiness          // of the standby
}

// Run audits a pair. It never fails: what could not be compared is in Gaps.
func Run(ctx context.Context, pair Pair, o Options) Result {
	a := &auditing{pair: pair, options: o}
	shared, stopped := a.metadata(ctx)
	if stopped == "" {
		a.data(ctx, shared)
	} else {
		a.gap(Gap{Why: stopped})
	}
	return a.conclude()
}

// auditing collects the result of one pair.
type auditing struct {
	pair    Pair
	options Options

	mu     sync.Mutex
	result Result
}

func (a *auditing) gap(g ...Gap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result.Gaps = append(a.result.Gaps, g...)
}

func (a *auditing) differs(d ...Difference) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result.Differences = append(a.result.Differences, d...)
}

// metadata compares the inventories, and returns the collections that both clusters hold. If
// something differs, both clusters are read once more, and what differs then in the same way
// counts: what changed meanwhile is no difference. stopped says why the pair cannot be compared
// at all.
func (a *auditing) metadata(ctx context.Context) (shared []Collection, stopped string) {
	primary, standby, stopped := a.inventories(ctx)
	if stopped != "" {
		return nil, stopped
	}
	a.result.Served, a.result.ServedRead = primary.Served()
	a.result.Readiness = standby.Readiness()
	if first := Compare(primary, standby); len(first) > 0 {
		if primary, standby, stopped = a.inventories(ctx); stopped != "" {
			return nil, stopped
		}
		confirmed, open := lasting(first, Compare(primary, standby))
		a.differs(confirmed...)
		for _, d := range open {
			if d.Weight == Local { // it counts neither way
				continue
			}
			a.gap(Gap{Kind: d.Kind, Collection: d.Collection, Why: "it differed in another way the second time (hint: audit it again when nothing changes it)"})
		}
	}
	a.result.Primary, a.result.Standby = primary.Cluster, standby.Cluster
	for _, v := range []Inventory{primary, standby} {
		for _, g := range v.Unread {
			g.Why = v.Cluster + ": " + g.Why
			a.gap(g)
		}
	}
	a.result.Collections = len(primary.Collections)
	for _, c := range standby.Collections {
		if _, held := primary.collection(c.Name); !held {
			a.result.Collections++
		}
	}
	return a.shared(primary, standby), ""
}

// inventories reads the primary, and the standby once it has all that the primary had then.
func (a *auditing) inventories(ctx context.Context) (primary, standby Inventory, stopped string) {
	primary = a.pair.Primary().Inventory(ctx)
	if err := a.pair.CatchUp(ctx); err != nil {
		return primary, standby, err.Error()
	}
	return primary, a.pair.Standby().Inventory(ctx), ""
}

// shared returns the collections that both clusters have loaded, and notes the others.
func (a *auditing) shared(primary, standby Inventory) []Collection {
	there := make(map[string]Collection, len(standby.Collections))
	for _, c := range standby.Collections {
		there[c.Name] = c
	}
	var out []Collection
	for _, c := range primary.Collections {
		other, held := there[c.Name]
		switch {
		case !held: // said as a difference, or unread
		case c.Loaded && other.Loaded:
			c.Expires = c.Expires || other.Expires
			out = append(out, c)
		case c.Loaded:
			a.gap(Gap{Kind: KindRows, Collection: c.Name, Why: "not loaded on " + standby.Cluster + ": its rows cannot be counted there"})
		case other.Loaded:
			a.gap(Gap{Kind: KindRows, Collection: c.Name, Why: "not loaded on " + primary.Cluster + ": its rows cannot be counted there"})
		default:
			a.gap(Gap{Kind: KindRows, Collection: c.Name, Why: "loaded on neither cluster", Idle: true})
		}
	}
	return out
}

// conclude sorts what was found and says what it means.
func (a *auditing) conclude() Result {
	r := a.result
	slices.SortFunc(r.Differences, compareDifferences)
	slices.SortFunc(r.Gaps, compareGaps)
	r.Gaps = slices.Compact(r.Gaps)
	has := func(w Weight) bool {
		return slices.ContainsFunc(r.Differences, func(d Difference) bool { return d.Weight == w })
	}
	if r.Collections > 0 && r.Counted == 0 { // equal metadata prove no row
		for i := range r.Gaps {
			r.Gaps[i].Idle = false
		}
	}
	open := slices.ContainsFunc(r.Gaps, func(g Gap) bool { return !g.Idle })
	switch {
	case has(Diverged):
		r.Verdict = plan.ContentDiverged
	case open || has(Unready):
		r.Verdict = plan.ContentUnproven
	default:
		r.Verdict = plan.ContentEqual
	}
	return r
}

// each calls work for 0 to n-1, some at once.
func (a *auditing) each(n int, work func(i int)) {
	next := make(chan int)
	var group sync.WaitGroup
	for range min(n, cmp.Or(a.options.Concurrency, 1)) {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range next {
				work(i)
			}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}
