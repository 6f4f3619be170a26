package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Pass compares once what Git wants at one commit with what the live clusters and the
// ledger say. It changes nothing.
type Pass struct {
	Desired  plan.Desired
	Changes  map[string]approval.Change // by topology
	Policy   approval.Policy
	Observer Observer
	Ledger   Ledger // nil: there is none, and nothing is remembered
	Clock    func() time.Time
	// Superseded names, by topology, the newer commit that governs it.
	Superseded map[string]string
	// Freeze returns the operator's freezes that matter at a moment. Nil: there are none.
	Freeze func(now time.Time) []plan.Freeze
	// AllProgress reads the lag of every standby, not only of topologies with a
	// transition (drift, status, run).
	AllProgress bool
	// AllContents reads what every cluster holds, so that a later promotion can be
	// compared with it (run).
	AllContents bool
	// Watch is how long a standby at rest that lacks messages is watched at most, until it
	// is known whether they flow (drift). 0: one read has to do.
	Watch time.Duration
	// Unlisted asks each cluster whether it serves channels that no configuration lists.
	// Such a cluster would refuse a configuration and a force promote (drift; run once
	// an hour).
	Unlisted bool
	// AtRest says that the topologies were in sync when this process observed them last
	// (run). Their collections are not read again if it is proven that none came or went
	// since. Before anything is sent everything is read.
	AtRest bool
	// NoProbes makes no rounds of evidence. Where they are missing the plan says
	// PRIMARY_NOT_PROBED (drift, status, run).
	NoProbes bool
	// Evidence returns the rounds that were made already. It is called after the clusters
	// were observed, so that it returns the newest. Nil: there are none.
	Evidence func() []plan.Evidence
	// InFlight turns the open probes of a hanging primary into a brief round, which ends
	// now. The probes stay open. The round lacks the candidate: the caller reads it. False,
	// or a nil InFlight: no probe is open.
	InFlight func(t plan.Topology, primary string) (plan.Round, bool)
	// Unattended says that no person watches (run). Then an approval that is older than the
	// ledger, or that lapsed, does not count (contract.md §4).
	Unattended bool
	// Rewritten names, by topology, the commit that governs it only because somebody rewrote
	// the history of the tracked ref.
	Rewritten   map[string]string
	Traffic     TrafficChecker // nil: no redirect target is configured
	Concurrency int            // maximum number of topologies processed in parallel; at least 1
	// Tell is called with what the pass waits for, from several goroutines at once. May be
	// nil.
	Tell func(topology, text string)
	// TellOnce reports a wait once and does not repeat it. A log that keeps every line, such
	// as that of a CI job, needs no repetition.
	TellOnce bool

	// RecordsLossBounds says that the pass writes into the ledger what it proved of standbys, and when a
	// primary was first seen down (plan, drift, status). run records both by itself.
	RecordsLossBounds bool

	acting bool // it is part of an apply, where a failover waits for no redirect target
}

// Plan observes the clusters, plans, makes the rounds of evidence that are missing, plans
// once more, and evaluates the approvals. It writes nothing. It fails when the ledger
// cannot be read or ctx ends.
func (p Pass) Plan(ctx context.Context) (Report, error) {
	ctx, end := StartSpan(ctx, "plan", "")
	s, err := p.observe(ctx)
	if err != nil {
		end("")
		return Report{}, err
	}
	defer end("done")
	reports := make([]Report, len(s.computed.Topologies))
	p.inParallel(len(reports), func(i int) { reports[i] = p.planTopology(ctx, s, s.computed.Topologies[i]) })
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("observe the clusters: %w", err)
	}
	out := s.combine(reports)
	if p.RecordsLossBounds && p.Ledger != nil {
		RecordLossBounds(ctx, p.Ledger, out.Plan, p.at(s.remembered.Memory))
	}
	return out, nil
}

// planTopology makes the evidence that one topology lacks, and plans it at once, so that
// the evidence does not grow old while other topologies still make theirs.
func (p Pass) planTopology(ctx context.Context, s observation, t plan.TopologyPlan) Report {
	var wants []plan.Want
	for _, w := range s.computed.Wants {
		if w.Topology == t.Name {
			wants = append(wants, w)
		}
	}
	asked := p.askTraffic(ctx, t)
	o := s.observed
	if len(wants) > 0 && !p.NoProbes {
		one := p.forTopology(t.Name)
		if !p.acting { // an apply recorded those of all topologies together
			p.recordOutages(ctx, nil, s.remembered, t) // before the rounds: they take long, and may be interrupted
		}
		o.Evidence = one.probe(ctx, wants, p.recordingEvery(ctx, t, s.remembered))
		if !p.acting { // an apply makes them under the lock
			o, s.remembered = one.readAgain(ctx, o, s.remembered)
		}
	}
	o.Traffic = asked.states(p.acting && t.Transition == plan.TransitionFailover)
	computed := plan.Plan{Topologies: []plan.TopologyPlan{t}}
	if len(wants) > 0 && !p.NoProbes || len(o.Traffic) > 0 {
		computed = p.forTopology(t.Name).compute(o, s.remembered)
	}
	if p.NoProbes {
		computed.Wants = nil
	}
	if p.NoProbes && !p.acting {
		for i, t := range computed.Topologies {
			computed.Topologies[i] = t.AwaitingProbes()
		}
	}
	report := p.authorize(computed, s.remembered)
	report.Evidence, report.traffic = evidenceOf(t, o.Evidence), o.Traffic
	if !p.acting { // after the judgement: a slow ledger must not make the rounds old
		p.recordOutages(ctx, o.Evidence, s.remembered, t)
	}
	return report
}

// readAgain reads the ledger and the clusters again after rounds of evidence, which take long:
// another process may have begun or ended something meanwhile, and a person may have promoted
// a cluster by hand. Where the ledger tells nothing new, the clusters have as long as the
// evidence stays new; what they say later is left to the reads of an apply.
func (p Pass) readAgain(ctx context.Context, o plan.Observed, before Remembered) (plan.Observed, Remembered) {
	now, err := p.readMemory(ctx)
	if err != nil {
		return o, before
	}
	same := sameChanges(before.Memory, now.Memory, p.Desired.Topologies[0].Name)
	if same {
		before.Memory.Holders = now.Memory.Holders
		now = before
		within := staysNew(o.Evidence)
		if within == 0 {
			return o, now
		}
		bounded, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		ctx = bounded
	}
	views := p.Observer.Observe(ctx, p.Desired.Topologies, p.depthFor(plan.Depth{Progress: true, Contents: true}, o.Evidence))
	if !same || ctx.Err() == nil {
		o.Views = withReadiness(views, o)
	}
	return o, now
}

// withReadiness returns views with what was read before of what is not in place to serve, where
// they were not asked for it again.
func withReadiness(views []plan.View, before plan.Observed) []plan.View {
	out := slices.Clone(views)
	for i, v := range out {
		if !v.Readiness.Asked {
			out[i].Readiness = before.View(v.Cluster).Readiness
		}
	}
	return out
}

// staysNew is for how long rounds of evidence are no older than those that the next one would
// join.
func staysNew(made []plan.Evidence) time.Duration {
	var out time.Duration
	for _, e := range made {
		within := e.Interval
		for _, r := range e.Rounds {
			within = max(within, r.Limit)
		}
		if out == 0 || within < out {
			out = within
		}
	}
	return out
}

// sameChanges says whether two memories hold the same of what was begun and ended in a
// topology.
func sameChanges(a, b plan.Memory, topology string) bool {
	changes := func(m plan.Memory) (out []any) {
		for _, i := range m.Intents {
			if i.Topology == topology {
				out = append(out, i.Generation, i.MayHaveSent, i.Effected, i.Turned)
			}
		}
		for _, g := range m.Generations {
			if g.Topology == topology {
				out = append(out, g)
			}
		}
		for _, c := range m.Stale {
			if c.Topology == topology {
				out = append(out, c.Cluster, c.Since, c.Effected)
			}
		}
		return out
	}
	return slices.Equal(changes(a), changes(b))
}

// at returns the memory with the present time.
func (p Pass) at(m plan.Memory) plan.Memory {
	m.Now = p.Clock()
	return m
}

// evidenceOf returns the rounds that the failover of t rests on.
func evidenceOf(t plan.TopologyPlan, all []plan.Evidence) []plan.Evidence {
	var out []plan.Evidence
	for _, e := range all {
		if e.Topology == t.Name && t.Judges(e.Primary) && e.Candidate == t.Primary {
			out = append(out, e)
		}
	}
	return out
}

// probe makes the rounds of evidence that are wanted, of all pairs at the same time, so that
// none is older than another. It calls failing after each round that continues a run of
// failures; nil: nothing is called.
func (p Pass) probe(ctx context.Context, wants []plan.Want, failing func()) []plan.Evidence {
	out := make([]plan.Evidence, len(wants))
	var telling sync.Mutex
	var made sync.WaitGroup
	for i, w := range wants {
		made.Go(func() { out[i] = p.Observer.Probe(ctx, p.topology(w.Topology), w, p.countdown(w, &telling, failing)) })
	}
	made.Wait()
	return out
}

// countdown returns what tells of each round of want, one at a time.
func (p Pass) countdown(w plan.Want, telling *sync.Mutex, failing func()) func(done, of int, left time.Duration) {
	return func(done, of int, left time.Duration) {
		telling.Lock()
		defer telling.Unlock()
		if failing != nil && left < w.Span {
			failing()
		}
		p.tell(w.Topology, fmt.Sprintf("probing %s: round %d of at least %d failed so far, %s to go",
			w.Primary, done, of, plan.DurationText(left)))
	}
}

// compute plans as of now and adds the findings that only the pass knows: a newer commit
// governs, the history was rewritten, no daemon may act, the ledger is new. Freezes are those
// of this moment.
func (p Pass) compute(o plan.Observed, r Remembered) plan.Plan {
	m := p.at(r.Memory)
	if p.Freeze != nil {
		p.Desired.Freezes = p.Freeze(m.Now)
	}
	out := plan.Compute(p.Desired, o, m)
	for i, t := range out.Topologies {
		if newer, ok := p.Superseded[t.Name]; ok {
			out.Topologies[i].Findings = append([]plan.Finding{plan.SupersededBy(t.Name, newer)}, t.Findings...) // first, as nothing matters more
			out.Topologies[i].InSync = false                                                                     // the document is not in force
		}
		if at, ok := p.Rewritten[t.Name]; ok && t.Transition != plan.TransitionNone {
			out.Topologies[i].Findings = append(slices.Clone(out.Topologies[i].Findings), plan.HistoryRewritten(at))
		}
		if _, undecided := p.Desired.ShardOf(t.Name); undecided != nil {
			out.Topologies[i].Findings, out.Topologies[i].InSync = append(slices.Clone(out.Topologies[i].Findings), *undecided), false
		}
		if t.Transition != plan.TransitionNone && (r.New || !t.Resumed && !p.Unattended && r.youngerThan(p.Changes[t.Name])) {
			out.Topologies[i].Findings = append(out.Topologies[i].Findings, plan.LedgerNew())
		}
	}
	return out
}

// inParallel calls do for 0 to n-1, at most Concurrency at once, and starts them in order.
// It returns when all are done.
func (p Pass) inParallel(n int, do func(i int)) {
	limit := make(chan struct{}, max(p.Concurrency, 1))
	var wg sync.WaitGroup
	for i := range n {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			do(i)
		})
	}
	wg.Wait()
}

// forTopology returns the pass over one topology alone.
func (p Pass) forTopology(name string) Pass {
	p.Desired.Topologies = []plan.Topology{p.topology(name)}
	p.Desired.Removed = nil
	return p
}

// topology returns the document of a topology; without one, only its name.
func (p Pass) topology(name string) plan.Topology {
	for i := range p.Desired.Topologies { // a document is large, and there may be thousands
		if p.Desired.Topologies[i].Name == name {
			return p.Desired.Topologies[i]
		}
	}
	return plan.Topology{Name: name}
}
