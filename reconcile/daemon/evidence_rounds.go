package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// watch makes rounds of evidence for one topology between its passes, so that they exist
// when an approved commit needs them (contract.md §8.3).
type watch struct {
	worker *worker

	mu       sync.Mutex
	topology plan.Topology
	wants    []plan.Want // pairs to probe; none: nothing is watched
	made     []plan.Evidence
	running  bool
	probes   *openProbes // nil: the primary does not hang, or has no probes in flight
	approval waitingApproval
	commit   string // that governed the topology in the newest pass
	trace    string // of that pass
}

// waitingApproval is the approval of a failover that was not carried out yet.
type waitingApproval struct {
	payloads []string        // its payload hashes; nil: there is no approval
	change   approval.Change // the change that it approves
	since    time.Time       // when this process first saw it
	upInARow map[string]int  // by primary: rounds in a row that saw it up, since then
}

// update takes over what a pass found: which pairs are worth watching, and whether an
// approval waits that lapses if the primary lives.
func (w *watch) update(a reconcile.Apply, t plan.TopologyPlan, d approval.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.topology, w.wants = plan.Topology{}, nil
	w.commit, w.trace = a.Changes[t.Name].Commit, w.worker.trace
	payloads := approvalPayloads(t, d)
	if !slices.Equal(payloads, w.approval.payloads) {
		w.approval = waitingApproval{payloads: payloads, change: a.Changes[t.Name], since: w.worker.loop.clock.Now()}
	}
	if len(a.Desired.Topologies) == 0 {
		return
	}
	w.topology = a.Desired.Topologies[0]
	if t.Transition == plan.TransitionFailover && payloads == nil && t.Answers(t.OldPrimary) {
		w.made = nil
		return
	}
	w.wants = plan.WatchWants(w.topology, a.Desired.Limits, t)
	w.made = slices.DeleteFunc(w.made, func(e plan.Evidence) bool {
		return !slices.ContainsFunc(w.wants, func(x plan.Want) bool { return x.Primary == e.Primary && x.Candidate == e.Candidate })
	})
}

// start starts the rounds if some are wanted and none are running.
func (w *watch) start(ctx context.Context, running *sync.WaitGroup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wants) == 0 || w.running {
		return
	}
	w.running = true
	running.Go(func() { w.run(ctx, running) })
}

// run makes rounds until nothing is watched any more or ctx ends.
func (w *watch) run(ctx context.Context, running *sync.WaitGroup) {
	clock := w.worker.loop.clock
	var sampling sync.WaitGroup
	defer sampling.Wait()
	for {
		w.mu.Lock()
		wants := slices.Clone(w.wants)
		w.running = len(wants) > 0 && ctx.Err() == nil
		w.mu.Unlock()
		if len(wants) == 0 || ctx.Err() != nil {
			return
		}
		began, over := clock.Now(), make(chan struct{})
		for _, want := range wants {
			sampling.Go(func() { w.sample(ctx, want, over) })
		}
		w.makeRounds(ctx, wants)
		w.startProbes(ctx, running)
		select {
		case <-ctx.Done():
		case <-clock.After(w.pause(wants, began)):
		}
		close(over)
	}
}

// sample adds a round if the old primary answers between two rounds. It does not count
// against a waiting approval: that takes whole rounds.
func (w *watch) sample(ctx context.Context, want plan.Want, over <-chan struct{}) {
	s, done := w.worker.loop.use()
	defer done()
	w.mu.Lock()
	t := w.topology
	w.mu.Unlock()
	if lived, ok := s.Apply.Observer.Sample(ctx, t, want, over); ok {
		w.addRound(ctx, want, lived, false)
	}
}

// pause is how long to wait until the next rounds, after those that began then.
func (w *watch) pause(wants []plan.Want, began time.Time) time.Duration {
	now := w.worker.loop.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	out := max(0, began.Add(wants[0].Interval).Sub(now))
	for _, want := range wants {
		for _, e := range w.made {
			if e.Primary == want.Primary && e.Candidate == want.Candidate {
				out = min(out, want.Pause(e, began, now))
			}
		}
	}
	return out
}

// makeRounds makes one round of every pair in parallel.
func (w *watch) makeRounds(ctx context.Context, wants []plan.Want) {
	s, done := w.worker.loop.use()
	defer done()
	w.mu.Lock()
	t := w.topology
	w.mu.Unlock()
	var all sync.WaitGroup
	for _, want := range wants {
		all.Go(func() {
			round := s.Apply.Observer.Round(ctx, t, want)
			if ctx.Err() == nil { // a round that was cut short shows nothing
				w.addRound(ctx, want, round, true)
			}
		})
	}
	all.Wait()
}

// addRound keeps a round, and asks for a pass when the round changes the verdict. whole
// says that it is a round and no sample.
func (w *watch) addRound(ctx context.Context, want plan.Want, r plan.Round, whole bool) {
	now := w.worker.loop.clock.Now()
	rules := plan.Failover{UnavailableFor: want.Span, Probes: want.Probes}
	w.mu.Lock()
	if !w.isWatched(want) {
		w.mu.Unlock()
		return
	}
	i := slices.IndexFunc(w.made, func(e plan.Evidence) bool { return e.Primary == want.Primary && e.Candidate == want.Candidate })
	if i < 0 {
		w.made = append(w.made, plan.Evidence{Topology: want.Topology, Primary: want.Primary, Candidate: want.Candidate})
		i = len(w.made) - 1
	}
	e := w.made[i]
	before := plan.JudgeLoss(e, rules, now).State
	e.Interval = want.Interval
	e.Rounds = append(slices.Clip(e.Rounds), r)
	e = e.Trim(want)
	w.made[i] = e
	after := plan.JudgeLoss(e, rules, now).State
	var lapse waitingApproval
	lapsed := false
	if whole {
		lapse, lapsed = w.approval.countRound(want.Primary, r)
	}
	w.mu.Unlock()
	if lapsed {
		w.worker.lapse(ctx, want, lapse)
	}
	if after != before {
		w.worker.announceVerdict(want, after)
	}
}

// isWatched says whether a pair is still watched: a round may end after a pass that
// changed what is live. The caller holds the lock.
func (w *watch) isWatched(want plan.Want) bool {
	return slices.ContainsFunc(w.wants, func(x plan.Want) bool { return x.Primary == want.Primary && x.Candidate == want.Candidate })
}

// lapseAfterRounds is how many rounds in a row must see the old primary up until an
// approval lapses (contract.md §4).
const lapseAfterRounds = 2

// countRound counts a round about an old primary, and returns the approval and true when it
// lapses by it.
func (s *waitingApproval) countRound(primary string, r plan.Round) (waitingApproval, bool) {
	alive := plan.JudgeLoss(plan.Evidence{Rounds: []plan.Round{r}}, plan.Failover{}, r.At).State == plan.LossReachable
	if s.payloads == nil || r.At.Before(s.since) || !alive {
		delete(s.upInARow, primary)
		return waitingApproval{}, false
	}
	if s.upInARow == nil {
		s.upInARow = map[string]int{}
	}
	s.upInARow[primary]++
	return *s, s.upInARow[primary] >= lapseAfterRounds
}

// evidence returns the rounds that were made so far.
func (w *watch) evidence() []plan.Evidence {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.made)
}

// emit emits an event that a round showed, with commit and trace of the newest pass.
func (w *watch) emit(e Event) {
	w.mu.Lock()
	e.Commit, e.Trace = w.commit, w.trace
	w.mu.Unlock()
	w.worker.loop.emit(e)
}

// lapse records that an approval lapses because the old primary lives. Only the process
// that leads records it; the next leader sees the primary too.
func (w *worker) lapse(ctx context.Context, want plan.Want, s waitingApproval) {
	if w.right() == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	began := w.loop.clock.Now()
	if err := w.loop.records.RecordLapse(bounded, s.change, s.payloads); err != nil {
		w.loop.noteRecorded(began, err)
		return // the next round tries again
	}
	w.watch.mu.Lock()
	clear(w.watch.approval.upInARow)
	w.watch.mu.Unlock()
	w.watch.emit(Event{
		Kind: EventLapsed, Severity: plan.SeverityWarning, Topology: w.name, Cluster: want.Primary, Code: approval.CodeLapsed,
		Text: "the approval to promote " + want.Candidate + " lapsed: " + want.Primary + " was up in two rounds in a row; a new tag approves it again, and 'reconcile apply " + w.name + "' by hand still uses the old one",
	})
	w.wake()
}

// announceVerdict emits an event when the rounds now suffice for a failover, and asks for
// a pass at once.
func (w *worker) announceVerdict(want plan.Want, v plan.LossState) {
	switch v {
	case plan.LossUnavailable, plan.LossNotServing, plan.LossStateUnknown, plan.LossStillReplicating:
		w.watch.emit(Event{
			Kind: EventLost, Severity: plan.SeverityCritical, Topology: w.name, Cluster: want.Primary, Code: string(v),
			Text: "the rounds of evidence are complete: " + want.Primary + " is " + string(v) + ", and " + want.Candidate + " answers",
		})
	default: // not long enough yet, or it answered
	}
	w.wake()
}

// approvalPayloads returns the payload hashes of the approval of a failover; nil: it is no
// failover, or not approved.
func approvalPayloads(t plan.TopologyPlan, d approval.Decision) []string {
	if t.Transition != plan.TransitionFailover || d.Verdict != approval.VerdictApproved {
		return nil
	}
	return d.Payloads
}
