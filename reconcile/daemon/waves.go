package daemon

import (
	"context"
	"fmt"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// holdForWave returns what holds a change back that an approval of a site covers, until the
// waves before its own are over.
func (w *worker) holdForWave(ctx context.Context, a reconcile.Apply, rev Revision) func(plan.TopologyPlan, approval.Decision) string {
	w.waits, w.stopped = "", false
	waves := a.Waves
	if len(waves) == 0 {
		return nil
	}
	return func(t plan.TopologyPlan, d approval.Decision) string {
		own := waves.Of(rev.topology(t.Name))
		if d.Site.Name == "" || own == 0 {
			return ""
		}
		remembered, err := a.Ledger.Read(ctx)
		if err != nil {
			w.waits = "the ledger does not say how far the waves before it are"
			return w.waits
		}
		var awaited []string
		w.waits, awaited, w.stopped = w.loop.wavesBefore(own, waves, d.Site.Moves, rev, remembered)
		w.loop.hold(w, awaited)
		return w.waits
	}
}

// topology returns the document of a topology; without one, only its name.
func (r Revision) topology(name string) plan.Topology {
	i := slices.IndexFunc(r.Desired.Topologies, func(t plan.Topology) bool { return t.Name == name })
	if i < 0 {
		return plan.Topology{Name: name}
	}
	return r.Desired.Topologies[i]
}

// wavesBefore says for which wave before own a topology waits, and for which topologies;
// empty: for none. stopped: too many of that wave failed. Moves that Git does not want any more
// count no longer.
func (l *Loop) wavesBefore(own int, waves siteplan.Waves, moves []siteplan.Move, rev Revision, r reconcile.Remembered) (why string, awaited []string, stopped bool) {
	open, failed := make([][]string, own), make([][]string, own)
	for _, m := range moves {
		t := rev.topology(m.Topology)
		at := waves.Of(t)
		primary, _ := t.Primary()
		switch {
		case at >= own, t.Generation != m.Generation, primary.ID != m.To, moved(r, m):
		case l.moveFailed(m):
			failed[at] = append(failed[at], m.Topology)
		default:
			open[at] = append(open[at], m.Topology)
		}
	}
	for i := range own {
		w := waves.At(i)
		switch {
		case len(open[i]) > 0:
			return fmt.Sprintf("it waits for wave %s: %d have not moved yet, such as %s", w.Name, len(open[i]), open[i][0]), open[i], false
		case len(failed[i]) > w.MaxFailed:
			return fmt.Sprintf("it waits, since %d of wave %s failed, such as %s, and it allows %d (hint: see why: 'reconcile status %s'; it goes on by itself once that has moved)",
				len(failed[i]), w.Name, failed[i][0], w.MaxFailed, failed[i][0]), failed[i][:1], true
		}
	}
	return "", nil, false
}

// moved says whether a move was carried out to its end, by whatever process.
func moved(r reconcile.Remembered, m siteplan.Move) bool {
	return r.Used(m.Topology, m.Generation) && !slices.ContainsFunc(r.Memory.Intents, func(i plan.Intent) bool { return i.Topology == m.Topology })
}

// MoveState is how a move of a site stands in the newest pass of this process. The zero value:
// this process made no pass of it.
type MoveState int

// The states of a move.
const (
	MoveUnknown   MoveState = iota
	MoveOpen                // it waits, or is carried out
	MoveFailed              // it could not be carried out
	MoveNotWanted           // it is done, or another change took its place: the ledger says which
)

// MoveStateOf returns how a move stands. It has not failed while it only makes rounds of
// evidence, waits for its wave or for the end of a freeze, or for another process.
func MoveStateOf(t TopologyStatus, m siteplan.Move) MoveState {
	switch {
	case t.Plan.Name == "":
		return MoveUnknown
	case t.Plan.Generation != m.Generation || t.Plan.Transition == plan.TransitionNone:
		return MoveNotWanted
	}
	switch t.State {
	case StateBlocked:
		if !t.onlyAwaitsRounds() {
			return MoveFailed
		}
	case StateUnknown, StateSuspended:
		return MoveFailed
	case StatePending:
		if t.Failures > 0 || t.Waits == "" && !t.Decision.Approved() {
			return MoveFailed
		}
	case StateInSync, StateApplying, StateDrifted:
	}
	return MoveOpen
}

// onlyAwaitsRounds says whether an approved change lacks nothing but rounds of evidence.
func (s TopologyStatus) onlyAwaitsRounds() bool {
	blocking := s.Plan.Blocking(s.Decision.Accepted)
	return s.Decision.Approved() && !slices.ContainsFunc(blocking, func(f plan.Finding) bool {
		return f.Code != plan.CodePrimaryNotProbed && f.Code != plan.CodeChangeFrozen
	})
}

// moveFailed says whether the newest pass of this process could not carry a move out. Of a
// topology of another shard nothing is known, so it is waited for.
func (l *Loop) moveFailed(m siteplan.Move) bool {
	t, _ := l.board.Status(m.Topology)
	return MoveStateOf(t, m) == MoveFailed
}

// Status returns the status of one topology without making a snapshot.
func (b *Board) Status(name string) (TopologyStatus, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, known := b.topologies[name]
	return t, known
}

// held is a worker that waits for a wave.
type held struct {
	worker *worker
	awaits map[string]bool
}

// hold notes what a topology waits for; nothing: it does not wait.
func (l *Loop) hold(w *worker, awaited []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, w.name)
	if len(awaited) == 0 {
		return
	}
	names := map[string]bool{}
	for _, n := range awaited {
		names[n] = true
	}
	l.held[w.name] = held{w, names}
}

// noteMove asks for a pass of each topology that waited only for the end of this pass's
// topology.
func (l *Loop) noteMove(s TopologyStatus, result reconcile.Result) {
	failed := s.Failures > 0 || s.State == StateBlocked || s.State == StateUnknown || s.State == StateSuspended
	if !failed && result.Outcome != reconcile.OutcomeApplied {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, h := range l.held {
		if !h.awaits[s.Name] {
			continue
		}
		if delete(h.awaits, s.Name); len(h.awaits) == 0 {
			delete(l.held, name)
			h.worker.wake()
		}
	}
}
