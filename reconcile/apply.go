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
	"milvus-reconcile/reconcile/approval"
)

// Apply carries out what a pass finds approved.
type Apply struct {
	Pass
	Actor    Actor
	Redirect Redirector // nil: no target is configured
	Restart  Restarter  // nil: no restart is configured
	// LockWait is how long to wait for another's lock.
	LockWait time.Duration
	// RereadGit reads Git once more: after a wait for a lock, and under it, as the
	// last thing before an intent is written. nil: never.
	RereadGit func(ctx context.Context) (Wanted, error)
	// Suspended names topologies that are observed and never applied.
	Suspended []string
	// Observing applies nothing at all; that a document is live already is
	// still recorded (mode: observe).
	Observing bool
	// Pinned holds, by topology, the digest of a saved plan; nil: none.
	Pinned map[string]string
	// Identity names this process in what it records.
	Identity string
	// OnBegin hears, under the lock, that what was planned is about to be carried out;
	// nil: nobody does.
	OnBegin func(t plan.TopologyPlan, d approval.Decision)

	only plan.Transition // nothing else is carried out; none: whatever is planned
}

// Run plans, and carries out each topology on its own: failovers first, side
// by side up to the concurrency, one never stopping another. The report
// exists even when the error is not nil.
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
	order := failoversFirst(s.computed.Topologies)
	reports, results := make([]Report, len(order)), make([]Result, len(order))
	a.inParallel(len(order), func(i int) {
		ctx, end := StartSpan(ctx, "topology", order[i].Name, attribute.String("transition", order[i].Transition.String()))
		reports[i] = a.planTopology(ctx, s, order[i])
		results[i] = a.applyTopology(ctx, order[i].Name, reports[i])
		if d := results[i].decided; d != nil {
			reports[i].Decisions[order[i].Name] = *d
		}
		end(results[i].Outcome.String())
	})
	report := s.combine(reports)
	slices.SortFunc(results, func(x, y Result) int { return strings.Compare(x.Topology, y.Topology) })
	report.Results = results
	return report.withCollections(), nil
}

func failoversFirst(topologies []plan.TopologyPlan) []plan.TopologyPlan {
	out := slices.Clone(topologies)
	slices.SortStableFunc(out, func(a, b plan.TopologyPlan) int {
		return rankOf(a.Transition) - rankOf(b.Transition)
	})
	return out
}

func rankOf(t plan.Transition) int {
	if t == plan.TransitionFailover {
		return 0
	}
	return 1
}

// applyTopology decides from the first look whether a lock is worth taking.
func (a Apply) applyTopology(ctx context.Context, name string, report Report) Result {
	t, _ := report.Plan.Topology(name)
	if err := ctx.Err(); err != nil {
		return Result{Topology: name, Detail: fmt.Errorf("observe the clusters: %w", err).Error()}
	}
	if r, done := a.endWithoutLock(ctx, t, report); done {
		return r
	}
	right, err := a.lock(ctx, t.Name)
	switch {
	case errors.Is(err, ErrLockHeld):
		return Result{Topology: t.Name, Outcome: OutcomeBlocked, Detail: err.Error()}
	case err != nil:
		return Result{Topology: t.Name, Outcome: OutcomeError, Detail: err.Error()}
	}
	defer right.Release() //nolint:errcheck // a lock that is gone already is released
	ctx, cancel := whileHeld(ctx, right)
	defer cancel()
	if a.LockWait > 0 {
		if newer, err := a.reread(ctx); err == nil { // else it is read right before an intent, and one that is open needs it not
			a = newer
		}
	}
	return run{apply: a, name: t.Name, right: right, first: t, evidence: report.Evidence, traffic: report.traffic}.execute(ctx)
}

// endWithoutLock answers for what needs no lock: nothing to do, refused, suspended.
func (a Apply) endWithoutLock(ctx context.Context, t plan.TopologyPlan, report Report) (Result, bool) {
	r := Result{Topology: t.Name}
	suspended := slices.Contains(a.Suspended, t.Name)
	switch {
	case !suspended && !a.Observing && (a.closesIntent(t, report.remembered) || a.misdirected(t)):
		return r, false
	case t.Transition == plan.TransitionNone:
		r.Outcome, r.Detail = a.spendIfLive(ctx, t, report.remembered)
		return r, true
	case a.Observing:
		r.Outcome, r.Detail = OutcomeBlocked, "mode: observe, nothing is applied"
		return r, true
	case suspended:
		r.Outcome, r.Detail = OutcomeBlocked, "the operator's configuration suspends this topology"
		return r, true
	case a.only != plan.TransitionNone && t.Transition != a.only:
		r.Outcome, r.Detail = OutcomeBlocked, "the "+t.Transition.String()+" of this topology comes first: 'reconcile apply "+t.Name+"' carries it out"
		return r, true
	}
	if refused, detail := refusal(t, report); refused != OutcomeApplied {
		r.Outcome, r.Detail = refused, detail
		return r, true
	}
	return r, false
}

// spendIfLive spends the approval of a document whose state is first seen to be
// live already, so that it cannot act later (contract.md §4). A document
// that does not govern at the tip leaves no trace.
func (a Apply) spendIfLive(ctx context.Context, t plan.TopologyPlan, r Remembered) (Outcome, string) {
	if newer, ok := a.Superseded[t.Name]; ok {
		return OutcomeBlocked, string(plan.CodeSuperseded) + ": commit " + newer + " governs at the tip"
	}
	if !t.Matches || r.Used(t.Name, t.Generation) {
		return OutcomeUnchanged, ""
	}
	mark := plan.GenerationMark{Topology: t.Name, Generation: t.Generation, Document: t.Document}
	if err := a.Ledger.SpendOnMatch(ctx, mark, a.Changes[t.Name].Commit); err != nil {
		return OutcomeError, "the match could not be recorded, so the approval is not spent: " + err.Error()
	}
	return OutcomeUnchanged, ""
}

// lock takes the right to act, and tells when it has to wait for it.
func (a Apply) lock(ctx context.Context, topology string) (Right, error) {
	if a.LockWait == 0 {
		return a.Ledger.Lock(ctx, topology, 0)
	}
	var right Right
	var err error
	a.tellWhile(ctx, topology, "waiting for the lock", a.LockWait, func() { right, err = a.Ledger.Lock(ctx, topology, a.LockWait) })
	return right, err
}

// whileHeld ends the context when the lock is lost.
func whileHeld(ctx context.Context, right Right) (context.Context, context.CancelFunc) {
	held, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-right.Lost():
			cancel(errors.New("the lock was lost"))
		case <-held.Done():
		}
	}()
	return held, func() { cancel(context.Canceled) }
}

// run is one topology under its lock.
type run struct {
	apply    Apply
	name     string
	right    Right
	first    plan.TopologyPlan // as planned before the lock
	evidence []plan.Evidence
	traffic  []plan.TrafficState
}

// execute looks again, writes the intent, acts, verifies, redirects and closes.
func (r run) execute(ctx context.Context) Result {
	res := Result{Topology: r.name}
	prep, outcome, detail := r.prepare(ctx)
	closed, err := r.closeIntent(ctx, prep, outcome)
	if err != nil {
		res.Detail = err.Error()
		return res
	}
	if closed {
		prep, outcome, detail = r.prepare(ctx)
	}
	if outcome == OutcomeUnchanged && r.apply.misdirected(prep.plan) {
		r.announce(prep)
		r.redirectAgain(ctx, prep, &res)
		return res
	}
	if outcome != OutcomeApplied {
		res.Outcome, res.Detail = outcome, detail
		if outcome == OutcomeNotApproved {
			res.decided = &prep.decision
		}
		return res
	}
	r.announce(prep)
	if err := r.writeIntent(ctx, prep); err != nil {
		res.Detail = err.Error()
		return res
	}
	r.act(ctx, prep, &res)
	if res.Outcome != OutcomeApplied {
		r.listNotAttempted(prep.plan, &res)
		return res
	}
	r.finish(ctx, prep, &res)
	r.listNotAttempted(prep.plan, &res)
	r.redirectAfterChange(ctx, prep, &res)
	return res
}

func (r run) announce(prep prepared) {
	if r.apply.OnBegin != nil {
		r.apply.OnBegin(prep.plan, prep.decision)
	}
}

// listNotAttempted lists the steps that were not reached.
func (r run) listNotAttempted(t plan.TopologyPlan, res *Result) {
	for _, s := range t.Steps {
		reported := slices.ContainsFunc(res.Steps, func(x StepResult) bool { return x.Step.ID == s.ID })
		if !reported {
			res.Steps = append(res.Steps, StepResult{Step: s})
		}
	}
	slices.SortFunc(res.Steps, func(a, b StepResult) int { return a.Step.ID - b.Step.ID })
}

// Fence demotes one stale cluster that is back (contract.md §4, §8): it
// carries out nothing else, whatever the document asks for. The report holds
// that topology alone.
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
