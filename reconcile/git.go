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

// rereadGitWithin bounds one more reading of Git: a server that keeps silent must
// not hold a lock for ever.
const rereadGitWithin = 30 * time.Second

// reread is the apply with what Git says now.
func (a Apply) reread(ctx context.Context) (Apply, error) {
	if a.RereadGit == nil {
		return a, nil
	}
	bounded, cancel := context.WithTimeoutCause(ctx, rereadGitWithin, fmt.Errorf("no answer within %s", plan.About(rereadGitWithin)))
	defer cancel()
	w, err := a.RereadGit(bounded)
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

// rereadGit reads Git once more, as the last thing before an intent is written:
// until then an approval may be withdrawn, and another commit come to govern.
// What is resumed was approved when it was begun.
func (r run) rereadGit(ctx context.Context, prep prepared) (prepared, Outcome, string) {
	if r.apply.RereadGit == nil || prep.plan.Resumed {
		return prep, OutcomeApplied, ""
	}
	a, evidence, err := r.readGitBesideRounds(ctx, prep)
	switch {
	case ctx.Err() != nil:
		return prep, OutcomeError, "read Git again under the lock: " + context.Cause(ctx).Error()
	case err != nil:
		return prep, OutcomeError, gitUnreadable(r.name, err)
	}
	p := a.forTopology(r.name)
	prep.observed.Evidence = evidence
	report := p.authorize(p.compute(prep.observed, prep.remembered), prep.remembered)
	t, _ := report.Plan.Topology(r.name)
	if t.Digest != prep.plan.Digest {
		return prep, OutcomeBlocked, staleDetail(prep.plan, t)
	}
	prep.plan, prep.decision = t, report.Decisions[r.name]
	if outcome, detail := refusal(t, report); outcome != OutcomeApplied {
		return prep, outcome, detail
	}
	return prep, OutcomeApplied, ""
}

// readGitBesideRounds reads Git. While that lasts, the rounds of evidence go on, so that
// a slow Git makes none of them too old.
func (r run) readGitBesideRounds(ctx context.Context, prep prepared) (Apply, []plan.Evidence, error) {
	type answer struct {
		apply Apply
		err   error
	}
	read := make(chan answer, 1)
	go func() {
		a, err := r.apply.reread(ctx)
		read <- answer{a, err}
	}()
	p, evidence := r.apply.forTopology(r.name), prep.observed.Evidence
	for {
		next := (<-chan time.Time)(nil)
		if len(evidence) > 0 {
			next = time.After(evidence[0].Interval)
		}
		select {
		case got := <-read:
			return got.apply, evidence, got.err
		case <-next:
			o := prep.observed
			o.Evidence = evidence
			evidence = r.repeatLastRounds(ctx, p, o, prep.remembered)
		}
	}
}

// repeatLastRounds makes the last rounds once more.
func (r run) repeatLastRounds(ctx context.Context, p Pass, o plan.Observed, m Remembered) []plan.Evidence {
	p, enough := p.withFreshProbe(ctx, o.Evidence)
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
