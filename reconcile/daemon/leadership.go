package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// ofShard says which topologies are led; empty: all.
func (l *Loop) ofShard() string {
	if l.shard == "" {
		return ""
	}
	return " shard " + l.shard
}

// errNotLeading is the cause of the end of an apply when the leadership is lost.
var errNotLeading = errors.New("the leadership was lost")

// lead campaigns again and again until ctx ends, and lets passes act for as long as this
// process leads.
func (l *Loop) lead(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		began := l.clock.Now()
		won, err := l.campaign(ctx)
		if err == nil {
			failures = 0
			l.holdLeadership(ctx, won)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		failures++
		l.electionFailed(began, err)
		select {
		case <-ctx.Done():
		case <-l.clock.After(retryAfter(failures, slowestElection)):
		}
	}
}

const (
	// slowestElection bounds the delay between two campaigns that fail.
	slowestElection = 15 * time.Second
	// resignWithin bounds the call that gives the leadership back.
	resignWithin = 5 * time.Second
	// tellLeaderAfter is how long a campaign may take before the loop tells who leads.
	tellLeaderAfter = 500 * time.Millisecond
)

// campaign waits until this process leads. When that takes longer than tellLeaderAfter it
// tells who leads.
func (l *Loop) campaign(ctx context.Context) (Leadership, error) {
	if l.election == nil {
		return soleProcess{}, nil
	}
	type answer struct {
		won Leadership
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		won, err := l.election.Campaign(ctx)
		answered <- answer{won, err}
	}()
	select {
	case a := <-answered:
		return a.won, a.err
	case <-l.clock.After(tellLeaderAfter):
	}
	l.tellLeader(l.election.Leader(ctx))
	a := <-answered
	return a.won, a.err
}

// tellLeader tells who leads while this process waits. Where nobody is known to lead, the
// ledger's own fault tells why.
func (l *Loop) tellLeader(who string) {
	if who == "" {
		why := "nobody is known to lead, and the election has not ended"
		l.electionUndecided(why)
		l.noteNotLeading(why)
		l.emit(Event{Kind: EventLeader, Severity: plan.SeverityInfo, Text: why, Quiet: true})
		return
	}
	l.electionUndecided("")
	l.noteNotLeading(who + " leads")
	l.emit(Event{
		Kind: EventLeader, Severity: plan.SeverityInfo,
		Text: who + " leads: this process observes and waits, and takes over when the other ends",
	})
}

// noteNotLeading publishes that this process may not act, and why.
func (l *Loop) noteNotLeading(why string) {
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Leader, b.Leading = false, why })
}

// whatALeaderDoes is what the mode of this process lets a leader do.
func (l *Loop) whatALeaderDoes() string {
	if l.settings.Apply.Observing {
		return "it observes, and applies nothing (mode: observe)"
	}
	return "it applies what is approved"
}

// holdLeadership lets passes act until the leadership is lost or the loop stops. It gives
// the leadership back once no apply is under way.
func (l *Loop) holdLeadership(ctx context.Context, won Leadership) { //nolint:contextcheck // an apply goes on when ctx ends
	held, end := context.WithCancelCause(l.workCtx)
	defer end(errStopped)
	l.mu.Lock()
	l.leading, l.leadership = held, won
	for _, w := range l.workers {
		w.askForClaim() //nolint:contextcheck // each worker has its own
	}
	l.mu.Unlock()
	var handingOver sync.WaitGroup
	if l.shard != "" {
		handingOver.Go(func() { l.handOver(held, won) })
	}
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Leader, b.Leading, b.ElectionError = true, "", "" })
	l.ledgerWorks(electionHolder)
	l.emit(Event{Kind: EventLeader, Severity: plan.SeverityInfo, Text: "this process leads" + l.ofShard() + ": " + l.whatALeaderDoes()})
	l.wakeAll()
	l.FetchNow() // who leads remembers the tip
	level := slog.LevelWarn
	select {
	case <-won.Lost():
		level = slog.LevelDebug // what is lost need not be given back
		end(errNotLeading)
		l.endRight("the leadership was lost")
		l.giveAllBack()
		l.emit(Event{
			Kind: EventLeader, Severity: plan.SeverityWarning,
			Text: "the leadership was lost: this process carries nothing out any more; a change that is under way stays open, and the next leader resumes it",
		})
	case <-ctx.Done():
		l.running.Wait()
		l.endRight("it is stopping")
		end(errStopped)
	}
	handingOver.Wait()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), resignWithin)
	defer cancel()
	if err := won.Resign(bounded); err != nil {
		l.log.Log(bounded, level, "the leadership could not be given back; it ends by itself", "error", err)
	}
}

// endRight lets no pass act any more.
func (l *Loop) endRight(why string) {
	l.mu.Lock()
	l.leading, l.leadership = nil, nil
	l.mu.Unlock()
	l.noteNotLeading(why)
}

// right returns the context that passes act on; nil: they may not act.
func (l *Loop) right() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rightNow()
}

// rightNow is right for a caller that holds the lock.
func (l *Loop) rightNow() context.Context {
	if l.leading == nil || l.leading.Err() != nil {
		return nil
	}
	return l.leading
}

// soleProcess is the leadership of a process that works on its ledger alone.
type soleProcess struct{}

func (soleProcess) Lost() <-chan struct{} { return nil }

func (soleProcess) Resign(context.Context) error { return nil }
