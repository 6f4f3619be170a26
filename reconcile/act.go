package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"milvus-reconcile/plan"
)

// act carries out the steps that send a configuration, wave by wave, judged
// by what is read back.
func (r run) act(ctx context.Context, now ready, res *Result) {
	res.Outcome = OutcomeApplied
	for _, s := range now.plan.Steps {
		if s.Action == plan.ActionRecordStale {
			res.Steps = append(res.Steps, StepResult{Step: s, Status: StepDone, Detail: "recorded with the intent"})
		}
	}
	if now.plan.Changes() && !r.send(ctx, now, res) {
		return
	}
	if err := r.right.Effected(ctx); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record that the change took effect: %w", err).Error()
	}
}

// send records that a call may leave, makes sure that the plan still stands at
// this very moment, and sends. It says whether everything was read back.
func (r run) send(ctx context.Context, now ready, res *Result) bool {
	if err := r.right.Sent(ctx); err != nil {
		res.Outcome, res.Detail = OutcomeError, fmt.Errorf("record that a call may be sent: %w", err).Error()
		return false
	}
	if err := r.stands(ctx, now, now.observed); err != nil {
		res.Outcome, res.Detail = OutcomeBlocked, "not sent: "+err.Error()
		if ctx.Err() != nil {
			res.Outcome = OutcomeError
		}
		r.takeBack(ctx, now, res)
		return false
	}
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if within := now.topology.Switchover.Timeout; within > 0 && now.plan.Transition == plan.TransitionSwitchover {
		bounded, cancel = context.WithTimeoutCause(ctx, within, fmt.Errorf("switchover.timeout of %s is over", plan.About(within)))
	}
	defer cancel()
	for _, wave := range waves(now.plan.Steps) {
		results := r.wave(bounded, now, wave)
		res.Steps = append(res.Steps, results...)
		if failed := firstFailed(results); failed != nil {
			r.failed(ctx, now, *failed, res)
			return false
		}
		res.Detail = withMeanwhile(res.Detail, results)
	}
	return true
}

// waves groups the sending steps that run at once.
func waves(steps []plan.Step) [][]plan.Step {
	var out [][]plan.Step
	for _, s := range steps {
		if !s.Action.Sends() {
			continue
		}
		if n := len(out); n > 0 && out[n-1][0].Wave == s.Wave {
			out[n-1] = append(out[n-1], s)
			continue
		}
		out = append(out, []plan.Step{s})
	}
	return out
}

func (r run) wave(ctx context.Context, now ready, steps []plan.Step) []StepResult {
	out := make([]StepResult, len(steps))
	var wg sync.WaitGroup
	for i, s := range steps {
		wg.Go(func() {
			began := r.apply.Clock()
			ctx, end := StartSpan(ctx, string(s.Action), r.name, attribute.String("cluster", s.Cluster))
			half := halfDone{run: r, step: s}
			r.apply.waiting(ctx, r.name, fmt.Sprintf("%s: waiting until %s is read back with it", s.Action, s.Cluster), 0, func() {
				out[i] = r.apply.Actor.Execute(ctx, now.topology, s, Permit{Still: r.still(now), Until: r.right.Until, Half: half.stands, SeenHalf: now.observed.View(s.Cluster).HalfPromoted()})
			})
			out[i].Step, out[i].Took = s, r.apply.Clock().Sub(began)
			out[i].Meanwhile = half.meanwhile()
			end(out[i].Status.String())
		})
	}
	wg.Wait()
	return out
}

func firstFailed(results []StepResult) *StepResult {
	for i, x := range results {
		if x.Status != StepDone && x.Status != StepAlready {
			return &results[i]
		}
	}
	return nil
}

// failed ends the run. A definite refusal with the old state read back, and
// nothing else sent, by this process or an earlier one, reverses the intent;
// everything else leaves it open.
func (r run) failed(ctx context.Context, now ready, f StepResult, res *Result) {
	res.Detail = fmt.Sprintf("%s on %s: %s", f.Step.Action, f.Step.Cluster, f.Said())
	others := slices.ContainsFunc(res.Steps, func(x StepResult) bool {
		return x.Step.Action.Sends() && x.Step.ID != f.Step.ID && x.Status != StepRefused
	})
	if f.Status != StepRefused || others || now.mayHaveSent() {
		res.Outcome = OutcomeUnverified
		return
	}
	res.Outcome = OutcomeError
	r.takeBack(ctx, now, res)
}

// takeBack reverses an intent of which nothing took effect. One that an
// earlier process may have sent something for stays open.
func (r run) takeBack(ctx context.Context, now ready, res *Result) {
	if now.mayHaveSent() {
		return
	}
	if err := r.right.Reverse(context.WithoutCancel(ctx), res.Detail); err != nil {
		res.Detail += "; the intent could not be reversed: " + err.Error()
	}
}

// complete verifies, measures the loss, redirects and closes the intent. What a
// switchover made is held to last: applications do not wait for that.
// Nothing here undoes a promotion; what fails is done again by the next run.
func (r run) complete(ctx context.Context, now ready, res *Result) {
	for _, s := range now.plan.Steps {
		var x StepResult
		began := r.apply.Clock()
		ctx, end := StartSpan(ctx, string(s.Action), r.name, attribute.String("cluster", s.Cluster))
		switch s.Action {
		case plan.ActionWait:
			x = r.converged(ctx, now)
		case plan.ActionVerify:
			x = r.verify(ctx, now, s, res)
		case plan.ActionRedirect:
			x = r.redirect(ctx, now, s)
		default:
			end(StepNotAttempted.String())
			continue
		}
		end(x.Status.String())
		x.Step, x.Took = s, r.apply.Clock().Sub(began)
		res.Steps = append(res.Steps, x)
		if x.Status == StepFailed {
			res.Outcome = OutcomeUnverified
			res.Detail = fmt.Sprintf("%s: %s; the change itself took effect, the next apply goes on here", s.Action, x.Detail)
			return
		}
	}
	if now.plan.Transition == plan.TransitionSwitchover {
		if err := r.stays(ctx, now); err != nil {
			res.Outcome, res.Detail = OutcomeUnverified, err.Error()
			return
		}
	}
	r.measure(ctx, now, res)
	if err := r.right.Finish(ctx, OutcomeApplied.String(), res.Detail); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record the result: %w", err).Error()
	}
}

// measure reads the salvage checkpoints that a force promote left behind and
// gives the exact window; on servers that cannot say, it stays nil.
func (r run) measure(ctx context.Context, now ready, res *Result) {
	if now.plan.Transition != plan.TransitionFailover || now.plan.OldPrimary == "" {
		return
	}
	promoted := now.observed.View(now.plan.Primary)
	promoted.Progress = nil // that of before
	for _, x := range res.Steps {
		if x.Step.Cluster == now.plan.Primary && x.View.Reach == plan.ReachUp {
			promoted.Belief = x.View.Belief
		}
	}
	for _, v := range r.apply.Observer.Deepen(ctx, []plan.Topology{now.topology}, []plan.View{promoted}, Depth{Progress: true}) {
		if v.Cluster == now.plan.Primary {
			res.DataLoss = plan.SalvageWindow(v.Progress, now.plan.OldPrimary, now.plan.FailedAt, now.remembered.Memory.ProgressOf(now.plan.Primary))
		}
	}
}
