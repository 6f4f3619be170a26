package reconcile

import (
	"context"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// run is the apply of one topology under its lock.
type run struct {
	apply    Apply
	name     string
	right    HeldLock
	first    plan.TopologyPlan // the plan that was made without the lock
	decided  approval.Decision // of that plan
	evidence []plan.Evidence   // the rounds that plan rests on
	traffic  []plan.TrafficState
}

// execute prepares the change, writes its intent, sends it and finishes it. Without a
// change it closes an intent that is left over, or sets traffic that goes wrong.
func (r run) execute(ctx context.Context) Result {
	res := Result{Topology: r.name}
	prep, stop := r.prepare(ctx)
	closed, err := r.closeIntent(ctx, prep, stop)
	if err != nil {
		res.Detail = err.Error()
		return res
	}
	if closed {
		prep, stop = r.prepare(ctx)
	}
	onlyTraffic := stop != nil && stop.outcome == OutcomeUnchanged && r.apply.misdirected(prep.plan)
	if stop != nil && !onlyTraffic {
		res.Outcome, res.Detail = stop.outcome, stop.detail
		if stop.outcome == OutcomeNotApproved {
			res.decided = &prep.decision
		}
		return res
	}
	if r.apply.OnBegin != nil {
		r.apply.OnBegin(prep.plan, prep.decision)
	}
	if onlyTraffic {
		r.redirectAgain(ctx, prep, &res)
		return res
	}
	if err := r.writeIntent(ctx, prep); err != nil {
		res.Detail = err.Error()
		return res
	}
	if prep.plan.Transition == plan.TransitionRehearsal {
		return r.rehearse(ctx, prep, res)
	}
	if r.rebuild(ctx, &prep, &res) && r.send(ctx, prep, &res) {
		r.finish(ctx, prep, &res)
	}
	r.listNotAttempted(prep.plan, &res)
	r.redirectAfterChange(ctx, prep, &res)
	return res
}

// listNotAttempted adds the steps that were not reached, and sorts all by their ID.
func (r run) listNotAttempted(t plan.TopologyPlan, res *Result) {
	for _, s := range append(slices.Clone(t.Steps), t.Return...) {
		reported := slices.ContainsFunc(res.Steps, func(x StepResult) bool { return x.Step.ID == s.ID })
		if !reported {
			res.Steps = append(res.Steps, StepResult{Step: s})
		}
	}
	slices.SortFunc(res.Steps, func(a, b StepResult) int { return a.Step.ID - b.Step.ID })
}
