package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/permit"
)

// send sends the requests of the change, wave by wave, and reads each back. It says
// whether the change took effect and the ledger knows it; if not, the result says why.
// Before the first request it records that one may leave, and checks the plan once more.
func (r run) send(ctx context.Context, prep prepared, res *Result) bool {
	res.Outcome = OutcomeApplied
	for _, s := range prep.plan.Steps {
		if s.Action == plan.ActionRecordStale {
			res.Steps = append(res.Steps, StepResult{Step: s, Status: plan.StepDone, Detail: "recorded with the intent"})
		}
	}
	if prep.plan.Changes() && !(r.sendRecorded(ctx, prep, res) && r.sendWaves(ctx, prep, res)) {
		return false
	}
	if err := r.right.Effected(ctx); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record that the change took effect: %w", err).Error()
		return false
	}
	return true
}

// sendRecorded records that a request may leave, and then checks the plan at this very
// moment. A plan that no longer holds reverses the intent.
func (r run) sendRecorded(ctx context.Context, prep prepared, res *Result) bool {
	if err := r.right.Sent(ctx); err != nil {
		res.Outcome, res.Detail = OutcomeError, fmt.Errorf("record that a call may be sent: %w", err).Error()
		return false
	}
	if err := r.revalidate(ctx, prep, prep.observed); err != nil {
		res.Outcome, res.Detail = OutcomeBlocked, "not sent: "+err.Error()
		if ctx.Err() != nil {
			res.Outcome = OutcomeError
		}
		r.reverseIntent(ctx, prep, res)
		return false
	}
	return true
}

// sendWaves sends one wave after the other, a switchover within its own timeout. The
// first step that is not read back ends it.
func (r run) sendWaves(ctx context.Context, prep prepared, res *Result) bool {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if within := prep.topology.Switchover.Timeout; within > 0 && switchesOver(prep.plan.Transition) {
		bounded, cancel = context.WithTimeoutCause(ctx, within, fmt.Errorf("switchover.timeout of %s is over", plan.DurationText(within)))
	}
	defer cancel()
	for _, wave := range waves(prep.plan.Steps) {
		results := r.sendWave(bounded, prep, wave)
		res.Steps = append(res.Steps, results...)
		if i := slices.IndexFunc(results, StepResult.failed); i >= 0 {
			r.endFailed(ctx, prep, results[i], res)
			return false
		}
		res.Detail = appendAlsoDone(res.Detail, results)
	}
	return true
}

// waves groups the steps that send a request: those of one wave are sent at once.
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

// sendWave sends the requests of one wave in parallel and waits until each is read back.
func (r run) sendWave(ctx context.Context, prep prepared, steps []plan.Step) []StepResult {
	out := make([]StepResult, len(steps))
	var wg sync.WaitGroup
	for i, s := range steps {
		wg.Go(func() {
			began := r.apply.Clock()
			ctx, end := StartSpan(ctx, string(s.Action), r.name, attribute.String("cluster", s.Cluster))
			half := halfPromotion{run: r, step: s}
			permit := permit.Permit{
				Recheck: func(ctx context.Context) error { return r.recheck(ctx, prep) }, Until: r.right.Until,
				HalfPromoted: half.seen, KnownHalfPromoted: prep.observed.View(s.Cluster).HalfPromoted(),
			}
			r.apply.tellWhile(ctx, r.name, fmt.Sprintf("%s: waiting until %s is read back with it", s.Action, s.Cluster), 0, func() {
				out[i] = r.apply.Actor.Execute(ctx, prep.topology, s, permit)
			})
			out[i].Step, out[i].Took = s, r.apply.Clock().Sub(began)
			out[i].AlsoDone = half.summary()
			end(out[i].Status.String())
		})
	}
	wg.Wait()
	return out
}

// recheck says why a request may not be sent, or not sent again; nil: it may be. A
// failover needs new evidence, a fence a cluster that takes writes at this moment, and
// every change an approval that has not expired.
func (r run) recheck(ctx context.Context, prep prepared) error {
	switch prep.plan.Transition {
	case plan.TransitionFailover:
	case plan.TransitionFence:
		return r.proveWriter(ctx, prep)
	default:
		return errors.Join(context.Cause(ctx), r.checkExpiry(prep))
	}
	r.apply.Freeze = nil // it was begun before a freeze that begins now
	p := r.apply.forTopology(r.name)
	o := r.observeAndProbe(ctx, p, prep.remembered, prep.observed, func(d plan.Depth) []plan.View { return r.observeOthers(ctx, p, prep, d) })
	return r.revalidate(ctx, prep, o)
}

// observeOthers returns the views that the plan was made from, with new ones of every
// cluster but the one to promote, which the sender reads itself. Meanwhile somebody may
// have promoted another cluster by hand.
func (r run) observeOthers(ctx context.Context, p Pass, prep prepared, d plan.Depth) []plan.View {
	out := slices.Clone(prep.observed.Views)
	for _, fresh := range p.Observer.Observe(ctx, p.Desired.Topologies, d) {
		i := slices.IndexFunc(out, func(v plan.View) bool { return v.Cluster == fresh.Cluster })
		if i >= 0 && fresh.Cluster != prep.plan.Primary {
			out[i] = fresh
		}
	}
	return out
}

// failed says whether a request was not read back as the step wants it.
func (x StepResult) failed() bool { return x.Status != plan.StepDone && x.Status != plan.StepAlready }

// endFailed ends the run at a step that failed. It reverses the intent when the cluster
// definitely refused, still stores the old state, and nothing else was sent, by this
// process or an earlier one. Everything else leaves the intent open.
func (r run) endFailed(ctx context.Context, prep prepared, f StepResult, res *Result) {
	res.Detail = fmt.Sprintf("%s on %s: %s", f.Step.Action, f.Step.Cluster, f.FullDetail())
	others := slices.ContainsFunc(res.Steps, func(x StepResult) bool {
		return x.Step.Action.Sends() && x.Step.ID != f.Step.ID && x.Status != plan.StepRefused
	})
	if f.Status != plan.StepRefused || others || prep.mayHaveSent {
		res.Outcome = OutcomeUnverified
		return
	}
	res.Outcome = OutcomeError
	r.reverseIntent(ctx, prep, res)
}

// reverseIntent reverses an intent without any effect. An intent for which an
// earlier process may have sent a request stays open.
func (r run) reverseIntent(ctx context.Context, prep prepared, res *Result) {
	if prep.mayHaveSent || prep.plan.Transition == plan.TransitionRebuild {
		return
	}
	if err := r.right.Reverse(context.WithoutCancel(ctx), res.Detail); err != nil {
		res.Detail += "; the intent could not be reversed: " + err.Error()
	}
}

// restartHalfPromotedAfter is for how long a promotion must stay half done before the
// coordinator of its cluster is restarted: one that is slow ends by itself.
const restartHalfPromotedAfter = 10 * time.Second

// halfPromotion reports a promotion that stays half done (docs/design/real-milvus.md),
// and restarts the coordinator of its cluster where the operator's configuration tells
// how. Only a step that is executed gets here, so this happens under the lock and with
// an open intent.
type halfPromotion struct {
	run       run
	step      plan.Step
	reported  bool
	restarts  int
	lastError string // of the newest restart; empty: it succeeded, or there was none
}

// seen is told at each read for how long the promotion has been half done.
func (h *halfPromotion) seen(ctx context.Context, lasted time.Duration) {
	known := h.run.apply.Restart != nil && h.run.apply.Restart.Knows(h.step.Cluster)
	if !h.reported {
		h.reported = true
		h.report(h.finding(known))
	}
	if !known || lasted < restartHalfPromotedAfter || ctx.Err() != nil {
		return
	}
	made, err := h.run.apply.Restart.Restart(ctx, h.run.name, h.step.Cluster)
	if made {
		h.restarts++
	}
	switch {
	case err != nil && err.Error() != h.lastError:
		h.lastError = err.Error()
		h.restartFails(err)
	case err == nil && made:
		h.lastError = ""
		h.tell("the coordinator of " + h.step.Cluster + " was restarted; the promotion ends within about a minute")
	}
}

// restartFails tells that a person must restart the coordinator.
func (h *halfPromotion) restartFails(err error) {
	if h.run.apply.OnHalfDone == nil {
		h.tell(fmt.Sprintf("the restart of the coordinator of %s: %s", h.step.Cluster, err))
		return
	}
	f := h.finding(false)
	f.Message += fmt.Sprintf("; the restart of its coordinator failed: %s", err)
	h.run.apply.OnHalfDone(h.run.name, f)
}

// report tells a finding.
func (h *halfPromotion) report(f plan.Finding) {
	switch {
	case h.run.apply.OnHalfDone != nil:
		h.run.apply.OnHalfDone(h.run.name, f)
	case f.Severity == plan.SeverityWarning:
		h.tell(fmt.Sprintf("%s: %s", f.Code, f.Message))
	default:
		h.tell(fmt.Sprintf("%s: %s (hint: %s)", f.Code, f.Message, f.Remedy))
	}
}

// finding says what is wrong and what ends it. known: a restart is configured.
func (h *halfPromotion) finding(known bool) plan.Finding {
	source := "its source"
	if h.step.Before != nil {
		if s, ok := h.step.Before.SourceOf(h.step.Cluster); ok {
			source = s
		}
	}
	f := plan.HalfPromotion(h.run.name, h.step.Cluster, source)
	f.Severity = plan.SeverityCritical // it is what this failover asks for
	if known {
		f.Severity = plan.SeverityWarning
		f.Message += "; its coordinator is restarted if that lasts for " + plan.DurationText(restartHalfPromotedAfter)
		f.Remedy = "wait until the change under way ends: 'reconcile status " + h.run.name + " --watch'"
	}
	return f
}

func (h *halfPromotion) tell(text string) { h.run.apply.tell(h.run.name, text) }

// summary says what was done to the cluster, for the result; empty: nothing was.
func (h *halfPromotion) summary() string {
	var words []string
	if h.restarts > 0 {
		often := "once"
		if h.restarts > 1 {
			often = fmt.Sprintf("%d times", h.restarts)
		}
		words = append(words, fmt.Sprintf("restarted the coordinator of %s %s, since its promotion was half done", h.step.Cluster, often))
	}
	if h.lastError != "" {
		words = append(words, "the restart of its coordinator: "+h.lastError)
	}
	return strings.Join(words, "; ")
}
