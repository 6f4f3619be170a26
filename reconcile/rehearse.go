package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Rehearse carries out the rehearsal for which the document of a topology asks, and nothing else
// (contract.md §8.22). The report holds that topology alone.
func (a Apply) Rehearse(ctx context.Context, topology string) (Report, error) {
	a.Pass = a.forTopology(topology)
	a.only = plan.TransitionRehearsal
	return a.Run(ctx)
}

// rehearse carries out the way of a rehearsal that is planned, and after the way there the way
// back, as a run does that resumes it. What does not work on the new primary does not keep it
// there: the way back begins as soon as the roles are certain.
func (r run) rehearse(ctx context.Context, prep prepared, res Result) Result {
	probing := r.startProbe(ctx, prep)
	res = r.goWay(ctx, prep, probing, res)
	r.listNotAttempted(prep.plan, &res)
	return res
}

// goWay goes the way of the plan.
func (r run) goWay(ctx context.Context, prep prepared, probing Probing, res Result) Result {
	began := r.apply.Clock()
	sent := r.send(ctx, prep, &res)
	if sent {
		r.close(ctx, prep, &res)
	}
	switch {
	case !sent:
		return r.stopProbe(ctx, prep, probing, res)
	case ctx.Err() != nil:
		res.Outcome, res.Detail = OutcomeUnverified, context.Cause(ctx).Error()
		return r.stopProbe(ctx, prep, probing, res)
	}
	before := r.apply.Clock()
	if err := r.readBack(ctx, prep); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, err.Error()
		return r.stopProbe(ctx, prep, probing, res)
	}
	way := r.wayOf(prep, res, probing)
	way.Steps = append(way.Steps, plan.StepTime{Step: plan.PartReadBack, Took: r.apply.Clock().Sub(before)})
	way.Took = prep.proved + r.apply.Clock().Sub(began)
	if len(prep.plan.Return) > 0 {
		return r.turn(ctx, prep, way, probing, res)
	}
	return r.endRehearsal(ctx, prep, way, probing, res)
}

// turn ends the way there and goes back.
func (r run) turn(ctx context.Context, prep prepared, way plan.RehearsalWay, probing Probing, res Result) Result {
	if err := r.right.Turn(ctx, way); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record that the way there is over: %w", err).Error()
		return r.stopProbe(ctx, prep, probing, res)
	}
	r.apply.tell(r.name, "the way there is done; going back to "+prep.plan.OldPrimary)
	back := r
	back.first, back.decided, back.evidence, back.traffic = prep.plan, prep.decision, nil, nil
	next, stop := back.prepare(ctx)
	if stop != nil {
		res.Outcome = OutcomeUnverified
		res.Detail = fmt.Sprintf("%s is the primary, and the way back waits: %s; no new approval is needed", prep.plan.Primary, stop.detail)
		return r.stopProbe(ctx, prep, probing, res)
	}
	came := back.goWay(ctx, next, probing, Result{Topology: r.name})
	if way.Failed != "" && came.Outcome == OutcomeApplied {
		came.Outcome, came.Detail = OutcomeUnverified, fmt.Sprintf("the roles are as before, and the rehearsal did not pass: on the way to %s: %s", prep.plan.Primary, way.Failed)
	}
	came.Steps = append(res.Steps, came.Steps...)
	return came
}

// endRehearsal closes a rehearsal whose way back is done. If the primary could not be verified,
// or traffic not be moved, it stays open, and the next run tries again.
func (r run) endRehearsal(ctx context.Context, prep prepared, way plan.RehearsalWay, probing Probing, res Result) Result {
	if res.Outcome != OutcomeApplied {
		return r.stopProbe(ctx, prep, probing, res)
	}
	var written, lost *int64
	if probing != nil {
		w, l, err := probing.Stop(ctx, prep.plan.Primary)
		if written, lost = &w, &l; err != nil {
			written, lost = nil, nil
			r.apply.tell(r.name, fmt.Sprintf("the rows of the probe client were not counted: %s", err))
		}
	}
	if err := r.right.FinishRehearsal(ctx, way, written, lost, res.WhatCame(prep.plan)); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record the result: %w", err).Error()
		return res
	}
	if remembered, err := r.apply.readMemory(ctx); err == nil {
		if kept := remembered.Memory.RehearsalsOf(r.name); len(kept) > 0 {
			res.Rehearsal = &kept[len(kept)-1]
		}
	}
	if lost != nil && *lost > 0 {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Sprintf("the roles are as before, and %d of %d rows of the probe client are lost", *lost, *written)
	}
	return res
}

// startProbe starts the probe client; nil: none is configured, or it cannot write.
func (r run) startProbe(ctx context.Context, prep prepared) Probing {
	if r.apply.Probe == nil || !prep.plan.Changes() {
		return nil
	}
	probing, err := r.apply.Probe.Start(ctx, prep.topology, prep.plan.OldPrimary, prep.plan.Primary)
	if err != nil {
		r.apply.tell(r.name, fmt.Sprintf("the probe client does not write, so the gap of writes is not measured: %s", err))
		return nil
	}
	return probing
}

// stopProbe ends the probe client of a rehearsal that ends before its end.
func (r run) stopProbe(ctx context.Context, prep prepared, probing Probing, res Result) Result {
	if probing != nil {
		if _, _, err := probing.Stop(ctx, prep.plan.Primary); err != nil {
			r.apply.tell(r.name, fmt.Sprintf("the rows of the probe client were not counted: %s", err))
		}
	}
	return res
}

// wayOf is what the steps of a way say of it.
func (r run) wayOf(prep prepared, res Result, probing Probing) plan.RehearsalWay {
	way := plan.RehearsalWay{Resumed: prep.mayHaveSent && !r.turned(prep)}
	if prep.proved > 0 {
		way.Steps = append(way.Steps, plan.StepTime{Step: plan.PartProof, Took: prep.proved})
	}
	var bound time.Duration
	for _, x := range res.Steps {
		action := string(x.Step.Action)
		if n := len(way.Steps); n > 0 && way.Steps[n-1].Step == action {
			bound += max(0, x.Took-way.Steps[n-1].Took)
			way.Steps[n-1].Took = max(way.Steps[n-1].Took, x.Took)
		} else {
			way.Steps = append(way.Steps, plan.StepTime{Step: action, Took: x.Took})
			if x.Step.Action != plan.ActionLoad {
				bound += x.Took
			}
		}
		if x.Step.Action == plan.ActionRedirect {
			way.Traffic = x.Detail
		}
	}
	if res.Outcome != OutcomeApplied {
		way.Failed = res.Detail
	}
	switch {
	case probing != nil:
		gap := probing.Gap()
		way.Gap, way.Measured = &gap, true
	case !way.Resumed && way.Failed == "":
		way.Gap = &bound
	}
	return way
}

// turned says whether nothing of the way back was sent before this run went it.
func (r run) turned(prep prepared) bool {
	i, open := openIntent(prep.remembered, r.name)
	return open && i.Turned && !i.MayHaveSent && !slices.ContainsFunc(i.Steps, func(s plan.Step) bool { return s.Action.Sends() && stores(prep.observed.View(s.Cluster), s) })
}
