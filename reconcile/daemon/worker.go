package daemon

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// worker makes the passes of one topology. Only its goroutine uses what it remembers
// between passes; the watch has a lock of its own.
type worker struct {
	loop    *Loop
	name    string
	end     context.CancelFunc
	woken   chan struct{}
	changed atomic.Bool     // Git wants something else than at the last pass
	locked  atomic.Bool     // a pass of this topology holds its lock
	ctx     context.Context //nolint:containedctx // of all its passes
	claim   claim
	// leaving: the topology belongs to another shard now, and is acted on until that one
	// asks for it. The lock of the loop guards it.
	leaving bool

	trace    string            // of the pass under way or the last one
	refused  map[string]string // where the token comes from that a cluster refuses, by cluster
	said     string            // the state that the log told last
	failing  string            // the key of the fault of the passes; empty: the last one succeeded
	drift    driftMemory
	failures int
	waits    string // for which wave the pass under way or the last one waits; empty: for none
	stopped  bool   // too many of that wave failed
	last     TopologyStatus
	watch    watch
	// unlisted is when the clusters are asked next whether they serve channels that no
	// configuration lists. Zero: the time was not drawn yet.
	unlisted time.Time
}

// newWorker makes the worker of a topology.
func newWorker(l *Loop, name string) *worker {
	w := &worker{loop: l, name: name, woken: make(chan struct{}, 1)}
	w.watch.worker = w
	return w
}

// wake asks for a pass at once. It never blocks.
func (w *worker) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// run makes one pass after the other until ctx ends, and keeps the rounds of evidence
// going between them.
func (w *worker) run(ctx context.Context) {
	var rounds sync.WaitGroup
	defer rounds.Wait()
	for {
		lane, leave, ok := w.enterLane(ctx)
		if !ok {
			return
		}
		ended := make(chan struct{})
		go w.loop.lanes.hold(lane, leave, w.loop.clock.After(slowPass), ended)
		delay := w.pass(ctx)
		close(ended)
		if ctx.Err() != nil {
			return
		}
		w.watch.start(ctx, &rounds)
		select {
		case <-ctx.Done():
			return
		case <-w.woken:
		case <-w.loop.clock.After(delay):
		}
	}
}

// enterLane waits for a place in the lane of the next pass; false: ctx ended first. A change
// that Git wants meanwhile does not wait for slow passes of other topologies.
func (w *worker) enterLane(ctx context.Context) (which lane, leave func(), ok bool) {
	for ctx.Err() == nil {
		which = nextLane(w.last.Took, w.changed.Load() || w.last.Plan.Transition != plan.TransitionNone)
		if leave, ok = w.loop.lanes.enter(ctx, which, w.woken); ok {
			return which, leave, true
		}
	}
	return which, nil, false
}

// unlistedEvery is how often each cluster is asked for channels that no configuration
// lists. Their number changes only with a restart, and a cluster that serves none answers
// only after a deadline.
const unlistedEvery = time.Hour

// asksUnlisted says whether this pass asks for them. The first time is drawn within the
// first hour, so that not all topologies ask at once.
func (w *worker) asksUnlisted() bool {
	now := w.loop.clock.Now()
	if w.unlisted.IsZero() {
		w.unlisted = now.Add(time.Duration(w.loop.random() * float64(unlistedEvery)))
	}
	if now.Before(w.unlisted) {
		return false
	}
	w.unlisted = now.Add(unlistedEvery)
	return true
}

// pass makes one pass of the topology: it applies while this process leads, and else only
// plans. It returns when the next pass is due.
func (w *worker) pass(ctx context.Context) time.Duration {
	l := w.loop
	w.claim.acting.Lock()
	defer w.claim.acting.Unlock()
	s, done := l.use()
	defer done()
	defer l.busy("pass over "+w.name, s.PassTimeout)()
	began := l.clock.Now()
	ctx, end := reconcile.StartSpan(ctx, "pass", w.name)
	defer func() { end(w.last.State.String()) }()
	w.trace = traceID(ctx)
	changed := w.changed.Swap(false)
	l.mu.Lock()
	rev := *l.revision
	l.mu.Unlock()
	a := s.Apply
	a.Desired, a.Changes, a.Rewritten = rev.forTopology(w.name), rev.Changes, rev.Rewritten
	a.AllProgress, a.AllContents, a.NoProbes, a.Unattended = true, true, true, true
	a.Unlisted = w.asksUnlisted()
	a.AtRest = !changed && w.last.State == StateInSync && w.last.Plan.Transition == plan.TransitionNone
	a.Evidence, a.InFlight, a.RereadGit = w.watch.evidence, w.watch.roundInFlight(s), w.rereadGit(s, rev)
	a.Hold, a.Waves = w.holdForWave(ctx, a, rev), nil
	commit := rev.Changes[w.name].Commit
	a.OnHalfDone = func(_ string, f plan.Finding) { w.publishHalfDone(f, commit) }
	a.Tell, a.OnBegin = w.passLogger(commit), func(t plan.TopologyPlan, d approval.Decision) { w.publishApplying(a.Identity, t, d) }
	report, acted, err := w.planOrApply(ctx, s, a)
	if ctx.Err() != nil && err != nil {
		return 0
	}
	w.publishPass(passResult{report: report, err: err, acted: acted, began: began, apply: a, commit: commit, sweep: s.SweepInterval}) //nolint:contextcheck // what is recorded outlives the pass
	l.noteSweep(w.name)
	if w.failures > 0 {
		return retryAfter(w.failures, s.SweepInterval)
	}
	return nextPass(w.last.Plan.Frozen, l.clock.Now(), jittered(s.SweepInterval, l.random()))
}

// planOrApply applies with the right to act, and plans without it. acted says that it had
// the right.
func (w *worker) planOrApply(ctx context.Context, s *shared, a reconcile.Apply) (report reconcile.Report, acted bool, err error) {
	lock := w.right()
	base := ctx //nolint:contextcheck // leadership bounds an apply, not the loop alone
	if lock != nil {
		base = trace.ContextWithSpan(lock, trace.SpanFromContext(ctx))
	}
	bounded, cancel := context.WithTimeout(base, s.PassTimeout)
	defer cancel()
	if lock == nil {
		report, err = a.Plan(bounded)
		return report, false, err
	}
	stop := context.AfterFunc(ctx, func() {
		if !w.locked.Load() {
			cancel()
		}
	})
	defer stop()
	a.Ledger = passLedger{Ledger: a.Ledger, worker: w, stopping: ctx}
	report, err = a.Run(bounded)
	return report, true, err
}

// passLedger is the ledger of one pass. It publishes that the topology is being applied
// while its lock is held, and takes no lock once the loop stops.
type passLedger struct {
	reconcile.Ledger
	worker   *worker
	stopping context.Context //nolint:containedctx // of the loop, as the zero value of a pass has none
}

// Lock takes the lock. It fails with errStopped once the loop stops.
func (a passLedger) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	a.worker.locked.Store(true)
	if a.stopping.Err() != nil {
		a.worker.locked.Store(false)
		return nil, errStopped
	}
	lock, err := a.Ledger.Lock(ctx, topology, wait)
	if err != nil {
		a.worker.locked.Store(false)
		return nil, err
	}
	l := a.worker.loop
	a.worker.last.IntentOpen = true // until the ledger is read again
	l.board.topology(l.clock.Now(), topology, func(t *TopologyStatus) { t.State, t.IntentOpen = StateApplying, true })
	return passLock{HeldLock: lock, worker: a.worker}, nil
}

// passLock is a lock whose release the worker notices.
type passLock struct {
	reconcile.HeldLock
	worker *worker
}

// Release gives the lock back.
func (r passLock) Release() error {
	defer r.worker.locked.Store(false)
	return r.HeldLock.Release()
}

// worthRetry says whether another try may finish what an apply left.
func worthRetry(r reconcile.Result, t plan.TopologyPlan, report reconcile.Report) bool {
	switch r.Outcome {
	case reconcile.OutcomeError, reconcile.OutcomeUnverified:
		return true
	case reconcile.OutcomeBlocked: // by a lock, or by what was seen under it, not by a finding
		return t.Transition != plan.TransitionNone && !report.Blocked(t)
	default:
		return false
	}
}

// resultOf returns what an apply did to one topology. Without a result it did nothing.
func resultOf(report reconcile.Report, name string) reconcile.Result {
	i := slices.IndexFunc(report.Results, func(r reconcile.Result) bool { return r.Topology == name })
	if i < 0 {
		return reconcile.Result{Topology: name, Outcome: reconcile.OutcomeUnchanged}
	}
	return report.Results[i]
}

// traceID returns the id of the trace of ctx; empty: it has none.
func traceID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.HasTraceID() {
		return c.TraceID().String()
	}
	return ""
}
