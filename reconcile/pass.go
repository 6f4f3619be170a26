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

// Pass is one look at the world: what Git wants at one commit, judged against
// the live clusters and the ledger.
type Pass struct {
	Desired  plan.Desired
	Changes  map[string]approval.Change // by topology
	Policy   approval.Policy
	Observer Observer
	Ledger   Ledger // nil: none
	Clock    func() time.Time
	// Superseded names, by topology, the newer commit that governs it.
	Superseded map[string]string
	// AllProgress reads the lag of every standby, not only of topologies with
	// a transition (drift, status).
	AllProgress bool
	// AllContents reads what every cluster holds, so that a promotion can be
	// held against it (run).
	AllContents bool
	// Unlisted asks each cluster whether it serves channels that nobody lists: a
	// configuration, and a force promote, would be refused (drift, run now and then).
	Unlisted bool
	// NoProbes leaves evidence that is missing unmade: the plan then says
	// PRIMARY_NOT_PROBED (drift, status, run).
	NoProbes bool
	// Evidence are the rounds that were made already; nil: none were. It is
	// asked once the clusters were observed, so that they are the newest.
	Evidence func() []plan.Evidence
	// InFlight is the brief round that unanswered probes of a hanging primary, which
	// go on, amount to as of now; its candidate is still to be asked. False, or nil:
	// there are none.
	InFlight func(t plan.Topology, primary string) (plan.Round, bool)
	// Unattended says that no person stands by (run): what is dated before the
	// ledger's birth and what lapsed grants nothing (contract.md §4).
	Unattended bool
	// Rewritten names, by topology, the commit that governs it only because
	// the tracked ref was moved off its history.
	Rewritten   map[string]string
	Traffic     TrafficChecker // nil: no redirect target is configured
	Concurrency int
	// Tell hears what the pass waits for. It may be called from several
	// goroutines at once.
	Tell func(topology, text string)
	// TellOnce leaves out that a wait still goes on: what keeps every line, as
	// the log of a CI job does, gains nothing by it.
	TellOnce bool

	acting bool // it is part of an apply, where a failover waits for no redirect target
}

// Plan observes, computes, fetches the evidence that is missing, computes
// once more and judges the approvals. Nothing is written.
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
	return s.combine(reports), nil
}

// planTopology makes the evidence that one topology lacks and judges it at once, so
// that the evidence does not grow old while others still make theirs.
func (p Pass) planTopology(ctx context.Context, s observation, t plan.TopologyPlan) Report {
	wants := slices.DeleteFunc(slices.Clone(s.computed.Wants), func(w plan.Want) bool { return w.Topology != t.Name })
	asked := p.askTraffic(ctx, t)
	one, o := p.forTopology(t.Name), s.observed
	if len(wants) > 0 && !p.NoProbes {
		o.Evidence = one.probe(ctx, wants)
	}
	o.Traffic = asked.states(p.acting && t.Transition == plan.TransitionFailover)
	computed := plan.Plan{Topologies: []plan.TopologyPlan{t}}
	if len(wants) > 0 && !p.NoProbes || len(o.Traffic) > 0 {
		computed = one.compute(o, s.remembered)
	}
	if p.NoProbes {
		computed.Wants = nil
	}
	if p.NoProbes && !p.acting {
		for i, t := range computed.Topologies {
			computed.Topologies[i] = t.Unprobed()
		}
	}
	report := p.authorize(computed, s.remembered)
	report.Evidence, report.traffic = evidenceOf(t, o.Evidence), o.Traffic
	return report
}

// evidenceOf are the rounds that the failover of t rests on.
func evidenceOf(t plan.TopologyPlan, all []plan.Evidence) []plan.Evidence {
	var out []plan.Evidence
	for _, e := range all {
		if e.Topology == t.Name && e.Primary == t.OldPrimary && e.Candidate == t.Primary {
			out = append(out, e)
		}
	}
	return out
}

// probe makes the missing rounds of one topology.
func (p Pass) probe(ctx context.Context, wants []plan.Want) []plan.Evidence {
	var out []plan.Evidence
	for _, w := range wants {
		out = append(out, p.Observer.Probe(ctx, p.topology(w.Topology), w, p.countdown(w)))
	}
	return out
}

func (p Pass) countdown(w plan.Want) func(done, of int, left time.Duration) {
	return func(done, of int, left time.Duration) {
		p.tell(w.Topology, fmt.Sprintf("probing %s: round %d of at least %d failed as far as is known, %s to go",
			w.Primary, done, of, plan.About(left)))
	}
}

// compute plans at this moment and adds what only the pass knows.
func (p Pass) compute(o plan.Observed, r Remembered) plan.Plan {
	m := r.Memory
	m.Now = p.Clock()
	out := plan.Compute(p.Desired, o, m)
	for i, t := range out.Topologies {
		if newer, ok := p.Superseded[t.Name]; ok {
			out.Topologies[i].Findings = append([]plan.Finding{plan.SupersededBy(t.Name, newer)}, t.Findings...) // nothing else matters as much
			out.Topologies[i].InSync = false                                                                     // with a document that is not in force
		}
		if at, ok := p.Rewritten[t.Name]; ok && t.Transition != plan.TransitionNone {
			out.Topologies[i].Findings = append(slices.Clone(out.Topologies[i].Findings), plan.HistoryRewritten(at))
		}
		if r.New && t.Transition != plan.TransitionNone {
			out.Topologies[i].Findings = append(out.Topologies[i].Findings, plan.LedgerNew())
		}
	}
	return out
}

// inParallel does n things, as many at once as the concurrency allows, and
// begins them in order.
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

// forTopology is the pass over one topology alone.
func (p Pass) forTopology(name string) Pass {
	p.Desired.Topologies = []plan.Topology{p.topology(name)}
	p.Desired.Removed = nil
	return p
}

func (p Pass) topology(name string) plan.Topology {
	for _, t := range p.Desired.Topologies {
		if t.Name == name {
			return t
		}
	}
	return plan.Topology{Name: name}
}
