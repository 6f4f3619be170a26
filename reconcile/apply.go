package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
)

// Apply is a pass that also carries out what it finds approved.
//
// For each topology it goes this way: plan (planTopology), take the lock
// (applyTopology), then under the lock prepare, write the intent, send, finish
// (execute). Each of these is a file of its own or the function named here.
type Apply struct {
	Pass
	Actor    Actor
	Redirect Redirector // nil: no redirect target is configured
	Restart  Restarter  // nil: no restart command is configured
	Loading  Loading
	Probe    ProbeClient // nil: the gap of writes in a rehearsal is not measured
	Rebuilds Rebuilds
	// LockWait is how long to wait for a lock that another process holds. 0: not at all.
	LockWait time.Duration
	// RereadGit reads Git once more: after a wait for a lock, and under the lock as the
	// last thing before an intent is written. Nil: never.
	RereadGit func(ctx context.Context) (Wanted, error)
	// Suspended names topologies that are observed and never applied.
	Suspended []string
	// Observing applies nothing at all (mode: observe). That a document is live already
	// is still recorded.
	Observing bool
	// Pinned holds, by topology, the digest of a saved plan; nil: no plan was saved.
	Pinned   map[string]string
	Identity string // of this process, in what it records
	// Waves is the order in which the topologies of a site move; none: all at once.
	Waves siteplan.Waves
	// Site is the site whose moves are applied, in waves however they are approved; empty:
	// what an approval of a site covers moves in waves.
	Site string
	// Hold says why a change that is approved does not begin yet; empty: it may. Nil: every
	// change may.
	Hold func(t plan.TopologyPlan, d approval.Decision) string
	// OnBegin is called under the lock, right before a plan is carried out. May be nil.
	OnBegin func(t plan.TopologyPlan, d approval.Decision)
	// OnHalfDone is called when a force promote is half done: critical if a person must end it.
	OnHalfDone func(topology string, f plan.Finding)

	only plan.Transition // the one transition to carry out; none: whatever is planned
}

// Run plans every topology and applies each on its own: failovers first, in parallel
// up to Concurrency, and the moves of a site in waves. One topology never stops another. Run returns an error only when
// it could not plan at all; what an apply failed at is in the results of the report.
func (a Apply) Run(ctx context.Context) (Report, error) {
	if a.Ledger == nil {
		return Report{}, errors.New("apply needs a ledger (hint: set ledger.path in the operator's configuration)")
	}
	a.acting = true
	ctx, end := StartSpan(ctx, "apply", "")
	s, err := a.observe(ctx)
	if err != nil {
		end("")
		return Report{}, err
	}
	defer end("done")
	a.recordOutages(ctx, nil, s.remembered, s.computed.Topologies...) // before the rounds: they take long, and may be interrupted
	order := failoversFirst(s.computed.Topologies)
	reports, results := a.runWaves(ctx, s, order, func(i int) (Report, Result) {
		ctx, end := StartSpan(ctx, "topology", order[i].Name, attribute.String("transition", order[i].Transition.String()))
		report, result := a.planAndApply(ctx, s, order[i])
		report.decideAgain(order[i].Name, result.decided)
		a.recordOutageUnlessBegun(ctx, order[i], report, result, s.remembered)
		end(result.Outcome.String())
		return report, result
	})
	report := s.combine(reports)
	slices.SortFunc(results, func(x, y Result) int { return strings.Compare(x.Topology, y.Topology) })
	report.Results = results
	return report.withCollections(), nil
}

// planAndApply plans one topology and applies it. There are three cases:
//
//   - Only rounds of evidence are missing: it takes the lock first, and then makes them. So
//     two processes never make the same rounds.
//   - Something else is missing too: it makes the rounds without the lock.
//   - The change is refused whatever the rounds show: it is refused at once, without rounds.
func (a Apply) planAndApply(ctx context.Context, s observation, t plan.TopologyPlan) (Report, Result) {
	if a.refusedWithoutProbes(s, t) {
		s.computed.Wants = nil
		report := a.planTopology(ctx, s, t).withoutProbes()
		return report, a.applyTopology(ctx, t.Name, report)
	}
	if !a.awaitsOnlyProbes(s, t) {
		report := a.planTopology(ctx, s, t)
		return report, a.applyTopology(ctx, t.Name, report)
	}
	lock, stop := a.lock(ctx, t.Name)
	if stop != nil {
		a.NoProbes = true
		report := a.planTopology(ctx, s, t).withoutProbes() // it is the lock that stops it
		return report, Result{Topology: t.Name, Outcome: stop.outcome, Detail: stop.detail}
	}
	defer lock.Release() //nolint:errcheck // a lock that is gone already is released
	held, cancel := whileHeld(ctx, lock)
	defer cancel()
	report := a.planTopology(held, s, t)
	if err := held.Err(); err != nil {
		return report, Result{Topology: t.Name, Detail: fmt.Errorf("make the rounds of evidence: %w", context.Cause(held)).Error()}
	}
	if stop := a.stopsBeforeLock(ctx, a.planned(report, t.Name), report); stop != nil {
		return report, Result{Topology: t.Name, Outcome: stop.outcome, Detail: stop.detail}
	}
	return report, a.applyHeld(held, lock, t.Name, report)
}

// awaitsOnlyProbes says whether a change would be carried out now if its rounds of
// evidence were made.
func (a Apply) awaitsOnlyProbes(s observation, t plan.TopologyPlan) bool {
	wanted := slices.ContainsFunc(s.computed.Wants, func(w plan.Want) bool { return w.Topology == t.Name })
	if a.NoProbes || !wanted || a.Observing || slices.Contains(a.Suspended, t.Name) {
		return false
	}
	report := a.judgeWithoutProbes(s, t)
	return refused(a.planned(report, t.Name), report) == nil
}

// refusedWithoutProbes says whether a change that lacks rounds of evidence is refused
// whatever they would show: the operator holds it back, something else blocks it, or no
// approval counts. Rounds can lift the refusal of an approval that limits the loss. Where
// the primary is not simply unreachable, they say what approvers must accept, so they are
// made before anybody is asked to approve.
func (a Apply) refusedWithoutProbes(s observation, t plan.TopologyPlan) bool {
	wants := slices.DeleteFunc(slices.Clone(s.computed.Wants), func(w plan.Want) bool { return w.Topology != t.Name })
	switch {
	case len(wants) == 0, a.NoProbes: // a daemon makes its rounds between the passes
		return false
	case a.Observing, slices.Contains(a.Suspended, t.Name), a.only != plan.TransitionNone && t.Transition != a.only:
		return true
	case slices.ContainsFunc(wants, func(w plan.Want) bool { return s.observed.View(w.Primary).Reach != plan.ReachUnreachable }):
		return false
	}
	report := a.judgeWithoutProbes(s, t)
	tooLarge := func(d approval.Denial) bool { return d.Code == approval.CodeLossTooLarge }
	return refused(a.planned(report, t.Name), report) != nil && !slices.ContainsFunc(report.Decisions[t.Name].Denials, tooLarge)
}

// judgeWithoutProbes decides about a change as if nothing were missing but rounds of
// evidence.
func (a Apply) judgeWithoutProbes(s observation, t plan.TopologyPlan) Report {
	t.Findings = withoutProbes(t.Findings)
	return a.authorize(plan.Plan{Topologies: []plan.TopologyPlan{t}}, s.remembered)
}

// withoutProbes returns the report without the finding that rounds of evidence are missing,
// for a change that something else stops.
func (r Report) withoutProbes() Report {
	r.Plan.Topologies = slices.Clone(r.Plan.Topologies)
	for i, t := range r.Plan.Topologies {
		r.Plan.Topologies[i].Findings = withoutProbes(t.Findings)
	}
	return r
}

// withoutProbes returns the findings without PRIMARY_NOT_PROBED.
func withoutProbes(findings []plan.Finding) []plan.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f plan.Finding) bool { return f.Code == plan.CodePrimaryNotProbed })
}

// decideAgain puts a later decision in a report, and marks as accepted what that one
// accepts; nil: there is none.
func (r Report) decideAgain(topology string, d *approval.Decision) {
	if d == nil {
		return
	}
	r.Decisions[topology] = *d
	for i, t := range r.Plan.Topologies {
		if t.Name == topology {
			r.Plan.Topologies[i] = t.Accept(d.Accepted)
		}
	}
}

// planned returns the plan of one topology in a report.
func (a Apply) planned(report Report, name string) plan.TopologyPlan {
	t, _ := report.Plan.Topology(name)
	return t
}

// applyTopology applies one topology. It takes the lock only when the plan made
// without it leaves something to do.
func (a Apply) applyTopology(ctx context.Context, name string, report Report) Result {
	t, _ := report.Plan.Topology(name)
	if err := ctx.Err(); err != nil {
		return Result{Topology: name, Detail: fmt.Errorf("observe the clusters: %w", err).Error()}
	}
	if stop := a.stopsBeforeLock(ctx, t, report); stop != nil {
		return Result{Topology: name, Outcome: stop.outcome, Detail: stop.detail}
	}
	lock, stop := a.lock(ctx, t.Name)
	if stop != nil {
		return Result{Topology: t.Name, Outcome: stop.outcome, Detail: stop.detail}
	}
	defer lock.Release() //nolint:errcheck // a lock that is gone already is released
	held, cancel := whileHeld(ctx, lock)
	defer cancel()
	return a.applyHeld(held, lock, t.Name, report)
}

// applyHeld applies one topology under its lock.
func (a Apply) applyHeld(ctx context.Context, lock HeldLock, name string, report Report) Result {
	if a.LockWait > 0 {
		// An error is no reason to stop: Git is read again before an intent is written, and
		// an open intent does not need it.
		if newer, err := a.reread(ctx); err == nil {
			a = newer
		}
	}
	return run{apply: a, name: name, right: lock, first: a.planned(report, name), decided: report.Decisions[name], evidence: report.Evidence, traffic: report.traffic}.execute(ctx)
}

// stopped is why a topology is left as it is: the outcome, and the reason in words.
// A nil one lets the apply go on.
type stopped struct {
	outcome Outcome
	detail  string
}

// stopsBeforeLock ends what needs no lock: nothing to do, refused or suspended.
func (a Apply) stopsBeforeLock(ctx context.Context, t plan.TopologyPlan, report Report) *stopped {
	suspended := slices.Contains(a.Suspended, t.Name)
	switch {
	case !suspended && !a.Observing && (a.closesIntent(t, report.remembered) || a.misdirected(t)):
		return nil
	case t.UnderWay != nil && !a.Observing && !suspended:
		if a.LockWait > 0 {
			return nil // what is left to do is judged once the lock is free
		}
		return &stopped{OutcomeBlocked, beingApplied(*t.UnderWay)}
	case t.Transition == plan.TransitionNone:
		return a.spendIfLive(ctx, t, report.remembered)
	case a.Observing:
		return &stopped{OutcomeBlocked, "mode: observe, nothing is applied"}
	case suspended:
		return &stopped{OutcomeBlocked, "the operator's configuration suspends this topology"}
	case a.only != plan.TransitionNone && t.Transition != a.only:
		return &stopped{OutcomeBlocked, "the " + t.Transition.String() + " of this topology comes first: 'reconcile apply " + t.Name + "' carries it out"}
	}
	if stop := refused(t, report); stop != nil {
		return stop
	}
	return a.waits(t, report.Decisions[t.Name])
}

// beingApplied says what another process does, and what to do meanwhile.
func beingApplied(w plan.UnderWay) string {
	return fmt.Sprintf("%s carries out the %s of generation %d since %s: %s (hint: wait for it, or give --lock-timeout)",
		w.By, w.Transition, w.Generation, w.Since.UTC().Format(time.RFC3339), w.Step)
}

// spendIfLive ends an apply that has nothing to change. It spends the approval of a
// document that is first seen to be live, so that the approval cannot act later
// (contract.md §4). A document that does not govern at the tip leaves no trace.
func (a Apply) spendIfLive(ctx context.Context, t plan.TopologyPlan, r Remembered) *stopped {
	if newer, ok := a.Superseded[t.Name]; ok {
		return &stopped{OutcomeBlocked, string(plan.CodeSuperseded) + ": commit " + newer + " governs at the tip"}
	}
	if !t.Matches || r.Used(t.Name, t.Generation) {
		return &stopped{OutcomeUnchanged, ""}
	}
	mark := plan.GenerationMark{Topology: t.Name, Generation: t.Generation, Document: t.Document}
	if err := a.Ledger.SpendOnMatch(ctx, mark, a.Changes[t.Name].Commit); err != nil {
		return &stopped{OutcomeError, "the match could not be recorded, so the approval is not spent: " + err.Error()}
	}
	return &stopped{OutcomeUnchanged, ""}
}

// lock takes the right to act. It tells when it has to wait for it, and stops with who
// holds it.
func (a Apply) lock(ctx context.Context, topology string) (lock HeldLock, stop *stopped) {
	var err error
	take := func() { lock, err = a.Ledger.Lock(ctx, topology, a.LockWait) }
	if a.LockWait == 0 {
		take()
	} else {
		a.tellWhile(ctx, topology, "waiting for the lock", a.LockWait, take)
	}
	switch {
	case errors.Is(err, ErrLockHeld):
		return nil, &stopped{OutcomeBlocked, err.Error() + " (hint: it ends by itself; --lock-timeout waits for it)"}
	case err != nil:
		return nil, &stopped{OutcomeError, err.Error()}
	}
	return lock, nil
}

// whileHeld ends the context when the lock is lost.
func whileHeld(ctx context.Context, lock HeldLock) (context.Context, context.CancelFunc) {
	held, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-lock.Lost():
			cancel(errors.New("the lock was lost"))
		case <-held.Done():
		}
	}()
	return held, func() { cancel(context.Canceled) }
}

// Fence demotes one stale cluster that is back (contract.md §4, §8.9). It carries out
// nothing else, whatever the document asks for. The report holds that topology alone.
func (a Apply) Fence(ctx context.Context, topology, cluster string) (Report, error) {
	a.Pass = a.forTopology(topology)
	a.Desired.Fence = []plan.FenceRequest{{Topology: topology, Cluster: cluster}}
	a.only = plan.TransitionFence
	report, err := a.Run(ctx)
	for i, r := range report.Results {
		if t, _ := report.Plan.Topology(r.Topology); r.Outcome == OutcomeUnchanged && !answersAsStandby(t, cluster) {
			report.Results[i].Outcome = OutcomeBlocked
			report.Results[i].Detail = cluster + " does not answer as a cluster that refuses writes, and nothing was sent to it: keep it isolated by network, and fence it when it answers"
		}
	}
	return report, err
}

// answersAsStandby says whether a cluster was seen to refuse writes.
func answersAsStandby(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.ID == cluster && c.View.Reach == plan.ReachUp && c.View.Belief.Kind == plan.BeliefStandby
	})
}
