package daemon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// Claim is the right of a shard to act on one topology on its own.
type Claim interface{ Release() error }

// claim is what a worker knows of the claim on its topology. Only a process with a shard
// needs one: a pass acts while this process leads and holds the claim.
type claim struct {
	mu     sync.Mutex
	held   Claim           // nil: not held
	under  context.Context // of the leadership that it was taken under
	by     string          // who holds it instead; empty: nobody, or it is not known
	ended  bool            // the worker makes no pass any more
	asking sync.WaitGroup
	// acting is held by a pass, so that no claim is given back while one acts.
	acting sync.Mutex
}

// handOverEvery is how often a shard asks whether another one waits for a topology that is
// not its own any more.
const handOverEvery = time.Second

// right returns the context that a pass of this topology acts on; nil: it may not act.
func (w *worker) right() context.Context {
	lock := w.loop.right()
	if lock == nil || w.loop.shard != "" && !w.claims(lock) {
		return nil
	}
	return lock
}

// claims says whether the claim is held under a leadership.
func (w *worker) claims(under context.Context) bool {
	w.claim.mu.Lock()
	defer w.claim.mu.Unlock()
	return under != nil && w.claim.held != nil && w.claim.under == under
}

// heldBy names who acts on the topology while this process leads its shard and waits.
func (w *worker) heldBy() string {
	w.claim.mu.Lock()
	defer w.claim.mu.Unlock()
	return w.claim.by
}

// handOver ends the passes of topologies that are another shard's, once that shard waits for
// them. It returns when the leadership ends.
func (l *Loop) handOver(held context.Context, won Leadership) {
	for {
		select {
		case <-held.Done():
			return
		case <-l.clock.After(handOverEvery):
		}
		if !l.anyLeaving() {
			continue
		}
		wanted, err := won.Wanted(held)
		if err != nil {
			continue // the next time
		}
		l.mu.Lock()
		var over []string
		for name, w := range l.workers {
			if w.leaving && slices.Contains(wanted, name) {
				l.endWorker(name, w)
				over = append(over, name)
			}
		}
		l.mu.Unlock()
		for _, name := range over {
			l.board.forget(l.clock.Now(), name)
			l.faults.forget(name)
			l.emit(Event{Kind: EventShard, Severity: plan.SeverityInfo, Topology: name, Text: "the topology is handed over to the shard that waits for it"})
		}
	}
}

func (l *Loop) anyLeaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.workers {
		if w.leaving {
			return true
		}
	}
	return false
}

// endWorker stops a worker, which then gives its claim back. The caller holds the lock.
func (l *Loop) endWorker(name string, w *worker) {
	w.end()
	delete(l.workers, name)
	delete(l.unswept, name)
}

// askForClaim asks for the claim on the topology under the leadership of this process. The
// caller holds the lock of the loop.
func (w *worker) askForClaim() {
	l := w.loop
	held, won := l.rightNow(), l.leadership
	if l.shard == "" || held == nil {
		return
	}
	w.claim.mu.Lock()
	defer w.claim.mu.Unlock()
	if w.claim.ended {
		return
	}
	w.claim.asking.Go(func() {
		bounded, cancel := context.WithCancel(held)
		defer cancel()
		defer context.AfterFunc(w.ctx, cancel)() //nolint:contextcheck // a worker that ends asks for nothing
		w.takeClaim(bounded, held, won)
	})
}

// takeClaim waits for the claim until ctx ends.
func (w *worker) takeClaim(ctx, under context.Context, won Leadership) {
	l := w.loop
	w.giveBack() // of an earlier leadership
	for failures := 1; ctx.Err() == nil; failures++ {
		got, err := won.Claim(ctx, w.name, func(by string) { w.noteHeldBy(by) })
		if err == nil {
			waited := w.noteHeldBy("")
			w.claim.mu.Lock()
			w.claim.held, w.claim.under = got, under
			w.claim.mu.Unlock()
			if under.Err() != nil {
				w.giveBack()
				return
			}
			if waited {
				l.emit(Event{Kind: EventShard, Severity: plan.SeverityInfo, Topology: w.name, Text: "shard " + l.shard + " has taken the topology over"})
			}
			w.wake()
			return
		}
		if ctx.Err() == nil {
			l.log.Debug("the topology could not be claimed", "topology", w.name, "error", err)
			select {
			case <-ctx.Done():
			case <-l.clock.After(retryAfter(failures, slowestElection)):
			}
		}
	}
	w.noteHeldBy("")
}

// noteHeldBy publishes who holds the claim instead, and returns whether somebody was known
// to hold it before.
func (w *worker) noteHeldBy(by string) (before bool) {
	l := w.loop
	w.claim.mu.Lock()
	before = w.claim.by != ""
	w.claim.by = by
	w.claim.mu.Unlock()
	if by == "" && !before {
		return before
	}
	l.board.topologyIfKnown(l.clock.Now(), w.name, func(t *TopologyStatus) { t.HeldBy = by })
	if by != "" {
		l.emit(Event{Kind: EventShard, Severity: plan.SeverityInfo, Topology: w.name, Text: by + " still acts on the topology: shard " + l.shard + " waits until it is handed over"})
	}
	return before
}

// giveBack gives the claim back once no pass acts on it.
func (w *worker) giveBack() {
	w.claim.mu.Lock()
	held := w.claim.held
	w.claim.held, w.claim.under = nil, nil
	w.claim.mu.Unlock()
	if held == nil {
		return
	}
	w.claim.acting.Lock()
	defer w.claim.acting.Unlock()
	if err := held.Release(); err != nil {
		w.loop.log.Debug("a claim could not be given back; it ends with the leadership", "topology", w.name, "error", err)
	}
}

// endClaim gives the claim back for good.
func (w *worker) endClaim() {
	w.claim.mu.Lock()
	w.claim.ended = true
	w.claim.mu.Unlock()
	w.claim.asking.Wait()
	w.giveBack()
}

// giveAllBack gives back what was claimed under a leadership that is over.
func (l *Loop) giveAllBack() {
	l.mu.Lock()
	all := make([]*worker, 0, len(l.workers))
	for name, w := range l.workers {
		if w.leaving {
			l.endWorker(name, w) // nobody holds it any more
			continue
		}
		all = append(all, w)
	}
	l.mu.Unlock()
	for _, w := range all {
		w.giveBack()
	}
}

// publishUndecided publishes the topologies of a revision that no shard may act on, and forgets
// those of before that one may act on.
func (l *Loop) publishUndecided(rev *Revision, found map[string]plan.Finding) {
	now, leads := l.clock.Now(), l.right() != nil
	for name, f := range found {
		before, known := l.undecided[name]
		s := TopologyStatus{
			Name: name, State: StateBlocked, Commit: rev.Changes[name].Commit, Error: f.Message,
			Plan: plan.TopologyPlan{Name: name, Transition: plan.TransitionNone, Findings: []plan.Finding{f}},
		}
		l.board.topology(now, name, func(t *TopologyStatus) { *t = s })
		if l.onPass != nil {
			l.onPass(s, leads)
		}
		if !known || before.Message != f.Message {
			l.emit(Event{Kind: EventShard, Severity: plan.SeverityCritical, Topology: name, Code: string(f.Code), Commit: s.Commit, Text: f.Message})
		}
	}
	for name := range l.undecided {
		if _, still := found[name]; still {
			continue
		}
		l.emit(Event{Kind: EventShard, Severity: plan.SeverityInfo, Topology: name, Text: "one shard takes the topology"})
		if l.onPass != nil {
			l.onPass(TopologyStatus{Name: name, Plan: plan.TopologyPlan{Name: name, Transition: plan.TransitionNone}}, leads)
		}
	}
	l.undecided = found
}

var errNoClaims = errors.New("a process that works alone claims nothing")

func (soleProcess) Claim(context.Context, string, func(string)) (Claim, error) {
	return nil, errNoClaims
}

func (soleProcess) Wanted(context.Context) ([]string, error) { return nil, errNoClaims }
