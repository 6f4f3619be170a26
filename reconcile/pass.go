package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// NoProbes leaves evidence that is missing unmade: the plan then says
	// PRIMARY_NOT_PROBED (drift, status, run).
	NoProbes bool
	// Evidence are the rounds that were made already; nil: none were. It is
	// asked once the clusters were observed, so that they are the newest.
	Evidence func() []plan.Evidence
	// Unattended says that no person stands by (run): what is dated before the
	// ledger's birth and what lapsed grants nothing (contract section 4).
	Unattended bool
	// Rewritten names, by topology, the commit that governs it only because
	// the tracked ref was moved off its history.
	Rewritten   map[string]string
	Traffic     TrafficChecker // nil: no redirect target is configured
	Concurrency int
	// Tell hears what the pass waits for. It may be called from several
	// goroutines at once.
	Tell func(topology, text string)

	acting bool // it is part of an apply, where a failover waits for no redirect target
}

// Plan observes, computes, fetches the evidence that is missing, computes
// once more and judges the approvals. Nothing is written.
func (p Pass) Plan(ctx context.Context) (Report, error) {
	ctx, end := span(ctx, "plan", "")
	s, err := p.survey(ctx)
	if err != nil {
		end("")
		return Report{}, err
	}
	defer end("done")
	reports := make([]Report, len(s.computed.Topologies))
	p.sideBySide(len(reports), func(i int) { reports[i] = p.probed(ctx, s, s.computed.Topologies[i]) })
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("observe the clusters: %w", err)
	}
	return s.report(reports), nil
}

// survey is the world before any evidence was made.
type survey struct {
	observed   plan.Observed
	remembered Remembered
	computed   plan.Plan
}

func (p Pass) survey(ctx context.Context) (survey, error) {
	remembered, err := p.remember(ctx)
	if err != nil {
		return survey{}, err
	}
	observed := plan.Observed{Views: p.Observer.Observe(ctx, p.Desired.Topologies, Depth{Progress: p.AllProgress, Contents: p.AllContents})}
	if p.Evidence != nil {
		observed.Evidence = p.Evidence()
	}
	computed := p.compute(observed, remembered)
	if !p.AllProgress {
		observed.Views = p.deepen(ctx, observed.Views, computed)
	} else {
		observed.Views = p.replace(ctx, observed.Views, p.searched(computed, remembered), Depth{Contents: true})
	}
	observed.Logs = p.staleLogs(ctx, observed)
	if err := ctx.Err(); err != nil {
		return survey{}, fmt.Errorf("observe the clusters: %w", err)
	}
	return survey{observed, remembered, p.compute(observed, remembered)}, nil
}

// staleLogs reads what each stale cluster that takes writes holds alone.
func (p Pass) staleLogs(ctx context.Context, o plan.Observed) []plan.StaleLog {
	type job struct {
		topology        plan.Topology
		promoted, stale string
	}
	var jobs []job
	for _, t := range p.Desired.Topologies {
		primary, ok := t.Primary()
		if !ok || o.View(primary.ID).Reach != plan.ReachUp {
			continue
		}
		for _, c := range t.Clusters {
			if v := o.View(c.ID); c.Role == plan.RoleStale && v.Belief.Kind == plan.BeliefPrimary && o.View(primary.ID).Belief.Kind != plan.BeliefStandby {
				jobs = append(jobs, job{t, primary.ID, c.ID})
			}
		}
	}
	logs := make([]plan.StaleLog, len(jobs))
	p.sideBySide(len(jobs), func(i int) {
		logs[i] = p.Observer.StaleLog(ctx, jobs[i].topology, jobs[i].promoted, jobs[i].stale)
	})
	return logs
}

// probed makes the evidence that one topology lacks and judges it at once, so
// that the evidence does not grow old while others still make theirs.
func (p Pass) probed(ctx context.Context, s survey, t plan.TopologyPlan) Report {
	wants := slices.DeleteFunc(slices.Clone(s.computed.Wants), func(w plan.Want) bool { return w.Topology != t.Name })
	asked := p.askTraffic(ctx, t)
	one, o := p.narrow(t.Name), s.observed
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
	report := p.judge(computed, s.remembered)
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

// report puts the topologies together again.
func (s survey) report(parts []Report) Report {
	out := Report{Plan: s.computed, Decisions: map[string]approval.Decision{}, LedgerNew: s.remembered.New, remembered: s.remembered}
	out.Plan.Topologies, out.Plan.Wants = nil, nil
	for _, r := range parts {
		out.Plan.Topologies = append(out.Plan.Topologies, r.Plan.Topologies...)
		out.Plan.Wants = append(out.Plan.Wants, r.Plan.Wants...)
		out.Evidence = append(out.Evidence, r.Evidence...)
		maps.Copy(out.Decisions, r.Decisions)
	}
	slices.SortFunc(out.Plan.Topologies, func(x, y plan.TopologyPlan) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// sideBySide does n things, as many at once as the concurrency allows, and
// begins them in order.
func (p Pass) sideBySide(n int, do func(i int)) {
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

// narrow is the pass over one topology alone.
func (p Pass) narrow(name string) Pass {
	p.Desired.Topologies = []plan.Topology{p.topology(name)}
	p.Desired.Removed = nil
	return p
}

func (p Pass) remember(ctx context.Context) (Remembered, error) {
	if p.Ledger == nil {
		return Remembered{}, nil
	}
	r, err := p.Ledger.Read(ctx)
	if err != nil {
		return r, fmt.Errorf("read the ledger: %w", err)
	}
	return r, nil
}

// compute plans at this moment and adds what only the pass knows.
func (p Pass) compute(o plan.Observed, r Remembered) plan.Plan {
	m := r.Memory
	m.Now = p.Clock()
	out := plan.Compute(p.Desired, o, m)
	for i, t := range out.Topologies {
		if newer, ok := p.Superseded[t.Name]; ok {
			superseded := plan.NewFinding(plan.CodeSuperseded, "",
				"commit "+newer+" governs "+t.Name+" at the tip of the tracked ref, not the commit given",
				"apply the tip, or leave --commit out")
			out.Topologies[i].Findings = append([]plan.Finding{superseded}, t.Findings...) // nothing else matters as much
			out.Topologies[i].InSync = false                                               // with a document that is not in force
		}
		if at, ok := p.Rewritten[t.Name]; ok && t.Transition != plan.TransitionNone {
			out.Topologies[i].Findings = append(slices.Clone(out.Topologies[i].Findings), plan.NewFinding(plan.CodeHistoryRewritten, "",
				"the tracked ref was moved to commit "+at+", which does not descend from the one that was seen before",
				"check who moved it and why; an approver accepts it with 'Failover-Accept: HISTORY_REWRITTEN'"))
		}
		if r.New && t.Transition != plan.TransitionNone {
			out.Topologies[i].Findings = append(out.Topologies[i].Findings, plan.NewFinding(plan.CodeLedgerNew, "",
				"the ledger is new: it cannot say which approvals were used before",
				"check by 'git log' that this approval was not carried out already"))
		}
	}
	return out
}

// deepen reads channel progress and, for joins, contents of the topologies
// with a transition.
func (p Pass) deepen(ctx context.Context, views []plan.View, computed plan.Plan) []plan.View {
	var changing []plan.Topology
	for _, t := range p.Desired.Topologies {
		if tp, ok := computed.Topology(t.Name); ok && tp.Transition != plan.TransitionNone {
			changing = append(changing, t)
		}
	}
	return p.replace(ctx, views, changing, Depth{Progress: true, Contents: true})
}

// searched are the topologies whose collections are looked at: those whose
// transition attaches a cluster, and those that failed over a short while ago.
func (p Pass) searched(computed plan.Plan, r Remembered) []plan.Topology {
	var out []plan.Topology
	m := r.Memory
	m.Now = p.Clock()
	for _, t := range p.Desired.Topologies {
		tp, _ := computed.Topology(t.Name)
		_, promoted := m.Promoted(t.Name)
		if promoted || tp.Transition == plan.TransitionBootstrap || tp.Transition == plan.TransitionAddStandby {
			out = append(out, t)
		}
	}
	return out
}

// replace reads more of some topologies and puts the new views in place.
func (p Pass) replace(ctx context.Context, views []plan.View, topologies []plan.Topology, depth Depth) []plan.View {
	if len(topologies) == 0 {
		return views
	}
	out := slices.Clone(views)
	for _, fresh := range p.Observer.Deepen(ctx, topologies, views, depth) {
		i := slices.IndexFunc(out, func(v plan.View) bool { return v.Cluster == fresh.Cluster })
		if i < 0 {
			out = append(out, fresh)
			continue
		}
		out[i] = fresh
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
			w.Primary, done, of, left.Round(time.Second)))
	}
}

func (p Pass) topology(name string) plan.Topology {
	for _, t := range p.Desired.Topologies {
		if t.Name == name {
			return t
		}
	}
	return plan.Topology{Name: name}
}

func (p Pass) tell(topology, text string) {
	if p.Tell != nil {
		p.Tell(topology, text)
	}
}

// judge evaluates the approval of every topology.
func (p Pass) judge(computed plan.Plan, r Remembered) Report {
	report := Report{Plan: computed, Decisions: map[string]approval.Decision{}, LedgerNew: r.New, remembered: r}
	for i, t := range computed.Topologies {
		d := p.evaluate(t, r)
		report.Decisions[t.Name] = d
		report.Plan.Topologies[i] = t.Accept(d.Accepted)
	}
	return report
}

// evaluate judges one topology. An open intent that is resumed needs no new
// approval: its own was spent when it was written.
func (p Pass) evaluate(t plan.TopologyPlan, r Remembered) approval.Decision {
	change := p.Changes[t.Name]
	change.Topology = t.Name
	request := approval.Request{
		Plan: t, Change: change, Policy: p.Policy, Now: p.Clock(),
		NewestRecord: r.Newest, Spent: r.Spent, Stale: r.Memory.Stale,
	}
	if p.Unattended {
		born := r.Born.Truncate(time.Second) // as Git dates its objects
		request.LedgerBorn, request.Lapsed = &born, r.Lapsed
	}
	if !t.Resumed {
		request.Spent = unspent(r, t.Name)
		return approval.Evaluate(request)
	}
	request.Spent = nil
	accepted := approval.Evaluate(request).Accepted
	return approval.Decision{
		Verdict: approval.VerdictNotRequired, Commit: change.Commit, Accepted: accepted,
		Detail: "an open intent of the ledger is resumed; its approval was spent when it was written",
	}
}

// unspent are the marks of used approvals without those of an open intent that
// has sent nothing: it is taken back before anything else is done.
func unspent(r Remembered, topology string) []approval.SpentMark {
	i, open := openIntent(r, topology)
	if !open || i.MayHaveSent || i.Effected {
		return r.Spent
	}
	return slices.DeleteFunc(slices.Clone(r.Spent), func(m approval.SpentMark) bool {
		return m.Topology == topology && m.Generation == i.Generation
	})
}

// grant returns the right to act: the decision's, or that of the intent.
func (p Pass) grant(t plan.TopologyPlan, d approval.Decision, r Remembered) (approval.Grant, bool) {
	if i, open := openIntent(r, t.Name); open && t.Resumed {
		g := approval.ResumeGrant(i)
		return g, g.Covers(t)
	}
	g := d.Grant()
	return g, d.Approved() && g.Covers(t)
}
