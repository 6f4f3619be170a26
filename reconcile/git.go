package reconcile

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Wanted is what Git says of every topology at one moment.
type Wanted struct {
	Changes map[string]approval.Change
	// Superseded names the newer commit that governs a topology, Rewritten the
	// governing one that the tracked ref was moved to off its history.
	Superseded, Rewritten map[string]string
}

// againWithin bounds one more reading of Git: a server that keeps silent must
// not hold a lock for ever.
const againWithin = 30 * time.Second

// again is the apply with what Git says now.
func (a Apply) again(ctx context.Context) (Apply, error) {
	if a.Again == nil {
		return a, nil
	}
	bounded, cancel := context.WithTimeoutCause(ctx, againWithin, fmt.Errorf("no answer within %s", plan.About(againWithin)))
	defer cancel()
	w, err := a.Again(bounded)
	if err != nil {
		return a, err
	}
	a.Changes, a.Superseded, a.Rewritten = w.Changes, w.Superseded, w.Rewritten
	return a, nil
}

// gitUnreadable says that nothing is begun, since nobody knows whether its
// approval still stands.
func gitUnreadable(topology string, err error) string {
	return fmt.Sprintf("%s: Git could not be read again before the change, so its approval may have been withdrawn, and nothing was sent: %v (hint: try again when it answers; if that Git is lost, act from a clone: 'reconcile apply %s --repo CLONE')",
		approval.CodeGitUnreadable, err, topology)
}

// confirm reads Git once more, as the last thing before an intent is written:
// until then an approval may be withdrawn, and another commit come to govern.
// What is resumed was approved when it was begun.
func (r run) confirm(ctx context.Context, now ready) (ready, Outcome, string) {
	if r.apply.Again == nil || now.plan.Resumed {
		return now, OutcomeApplied, ""
	}
	a, evidence, err := r.wantedAgain(ctx, now)
	switch {
	case ctx.Err() != nil:
		return now, OutcomeError, "read Git again under the lock: " + context.Cause(ctx).Error()
	case err != nil:
		return now, OutcomeError, gitUnreadable(r.name, err)
	}
	p := a.narrow(r.name)
	now.observed.Evidence = evidence
	report := p.judge(p.compute(now.observed, now.remembered), now.remembered)
	t, _ := report.Plan.Topology(r.name)
	if t.Digest != now.plan.Digest {
		return now, OutcomeBlocked, staleDetail(now.plan, t)
	}
	now.plan, now.decision = t, report.Decisions[r.name]
	if outcome, detail := refusal(t, report); outcome != OutcomeApplied {
		return now, outcome, detail
	}
	return now, OutcomeApplied, ""
}

// wantedAgain reads Git. While that lasts, the rounds of evidence go on, so that
// a slow Git makes none of them too old.
func (r run) wantedAgain(ctx context.Context, now ready) (Apply, []plan.Evidence, error) {
	type answer struct {
		apply Apply
		err   error
	}
	read := make(chan answer, 1)
	go func() {
		a, err := r.apply.again(ctx)
		read <- answer{a, err}
	}()
	p, evidence := r.apply.narrow(r.name), now.observed.Evidence
	for {
		next := (<-chan time.Time)(nil)
		if len(evidence) > 0 {
			next = time.After(evidence[0].Interval)
		}
		select {
		case got := <-read:
			return got.apply, evidence, got.err
		case <-next:
			o := now.observed
			o.Evidence = evidence
			evidence = r.roundsBeside(ctx, p, o, now.remembered)
		}
	}
}

// roundsBeside makes the last rounds once more.
func (r run) roundsBeside(ctx context.Context, p Pass, o plan.Observed, m Remembered) []plan.Evidence {
	p, enough := p.freshly(ctx, o.Evidence)
	defer enough()
	return r.lastRounds(ctx, p, o, m)
}

// ShareReads has those who ask at once share one look, which one of them makes.
// Nobody gets a look that began before they asked, nor the error of another.
func ShareReads[T any](look func(context.Context) (T, error)) func(context.Context) (T, error) {
	turn := make(chan struct{}, 1)
	var began atomic.Int64 // looks so far
	var newest int64       // that succeeded
	var seen T
	return func(ctx context.Context) (T, error) {
		asked := began.Load()
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
		if newest > asked {
			return seen, nil
		}
		at := began.Add(1)
		fresh, err := look(ctx)
		if err == nil {
			newest, seen = at, fresh
		}
		return fresh, err
	}
}
