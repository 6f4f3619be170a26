package reconcile_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// boundary is a call that leaves a reconciler. Between two of those that pause,
// anything may happen in the world.
type boundary string

const (
	atStart    boundary = ""
	atRead     boundary = "read the ledger"
	atLook     boundary = "observe"
	atProbe    boundary = "probe"
	atLock     boundary = "take the lock"
	atProve    boundary = "prove replication"
	atBegin    boundary = "write the intent"
	atSent     boundary = "record that a call may leave"
	atAttempt  boundary = "send"
	atReadBack boundary = "read back"
	atAgain    boundary = "look before sending again"
	atEffected boundary = "record the effect"
	atAdvance  boundary = "record a proof"
	atReread   boundary = "read how far the rebuild is"
	atVerify   boundary = "verify"
	atTurn     boundary = "turn back"
	atFinish   boundary = "record the result"
	atReverse  boundary = "take the intent back"
	atMatch    boundary = "spend the approval of what is live already"
	atGit      boundary = "read Git again"
)

var pauses = map[boundary]bool{
	atLock: true, atBegin: true, atSent: true, atAttempt: true, atReadBack: true,
	atAgain: true, atEffected: true, atAdvance: true, atReread: true, atVerify: true, atTurn: true, atFinish: true, atReverse: true, atMatch: true,
}

// process is one run of apply between two pauses. It is a value: what the run
// heard so far is a number in the table of pasts.
type process struct {
	past int32 // 0: it does not run
	next boundary
	wide uint8 // requests that the next attempt sends
	seen capture
	// disturbed: something else happened since it took its lock
	disturbed bool
	// sent: it has passed the record that a call may leave
	sent bool
	// git is what Git said when it was last read, or could have been, under the lock.
	git history
	// waits: something happened that makes no difference to what it does next.
	// The other order reaches the same state, so it goes on only after something
	// that does make one: another run's step, or time.
	waits bool
}

// records says whether the next segment touches the ledger alone: it commutes
// with whatever happens to the clusters and to Git.
func (p process) records() bool {
	switch p.next {
	case atBegin, atSent:
		return true
	case atFinish: // after the effect is recorded, what joined is looked at
		return p.sent
	default:
		return false
	}
}

// readsGit says whether the next segment may read Git again: under the lock, and
// before anything may be sent.
func (p process) readsGit() bool {
	switch p.next {
	case atStart, atBegin, atSent:
		return false
	default:
		return !p.sent
	}
}

// capture is the truth at the moment of a process's last look: what it could
// have refused to do.
type capture struct {
	visible visible
	healthy bool // replication was proven to flow
}

var errPaused = errors.New("the run is paused: nothing of this happens")

// machine runs apply again from its beginning: it repeats the replies that the
// run has heard, then lets the next segment happen in a copy of the model, and
// falls silent before the boundary after it.
type machine struct {
	x      *explorer
	m      model // the copy
	self   uint8
	choice choice
	state  process

	mu     sync.Mutex
	begun  past
	script []reply
	paused bool
	moved  bool // the segment has begun
	now    time.Time
	before time.Time // what the clock said at the reply before
	fresh  bool      // the run has begun an intent of its own with an approval
	begins bool      // it has just begun a rebuild
	intent plan.Intent
	lost   chan struct{}
	waves  []*arrival
	harm   string // the first invariant that broke
}

// say answers one call: from the script, by what happens now, or not at all.
func (p *machine) say(ctx context.Context, at boundary, do func() (value, hint any, err error)) reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.script) > 0 && !p.paused {
		r := p.script[0]
		if r.at != at {
			panic("a run took another way when it was repeated: " + string(at) + " in place of " + string(r.at))
		}
		p.script, p.now = p.script[1:], r.now
		p.loseIf(ctx, r.lost)
		return r
	}
	if p.paused || pauses[at] && p.moved {
		if !p.paused {
			p.paused, p.state.next = true, at
		}
		return reply{err: errPaused}
	}
	p.moved, p.before, p.now = true, p.now, p.m.now()
	r := reply{at: at, now: p.now}
	var hint any
	if needsLock[at] && p.m.lock != p.self {
		r.lost, r.err = true, errors.New("the lock was lost")
	} else {
		r.value, hint, r.err = do()
	}
	p.state.disturbed = p.state.disturbed && at != atLock
	p.state.sent = p.state.sent || at == atSent
	k := pastKey{p.relevant(at), at, p.now.Unix(), r.lost, hint}
	p.state.past = p.x.archive.add(k, past{before: p.state.past, reply: r})
	p.loseIf(ctx, r.lost)
	return r
}

// relevant is the past that a reply adds to. What was read before the lock is
// read again under it: of that only the rounds of evidence and the first plan
// live on, so that runs which differ in the rest are one.
func (p *machine) relevant(at boundary) int32 {
	if at != atLock {
		return p.state.past
	}
	n, probed := p.state.past, int32(0)
	for ; p.x.archive.all[n].before != 0; n = p.x.archive.all[n].before {
		if p.x.archive.all[n].reply.at == atProbe && probed == 0 {
			probed = n
		}
	}
	return -max(n, probed)
}

var needsLock = map[boundary]bool{atBegin: true, atAdvance: true, atSent: true, atAttempt: true, atEffected: true, atTurn: true, atFinish: true, atReverse: true}

// loseIf tells the run that its right is gone, and waits until it knows.
func (p *machine) loseIf(ctx context.Context, lost bool) {
	if !lost {
		return
	}
	select {
	case <-p.lost:
	default:
		close(p.lost)
	}
	if ctx.Done() != nil {
		<-ctx.Done()
	}
}

// run goes on for one segment and says what apply reported if it ended.
func (p *machine) run() (reconcile.Result, bool) {
	p.lost = make(chan struct{})
	p.begun, p.script = p.x.archive.replies(p.state.past)
	p.now = p.begun.at
	p.state.next, p.state.wide = atStart, 0
	doc := p.begun.git.document()
	desired := plan.Desired{Commit: "tip", Topologies: []plan.Topology{doc}}
	a := reconcile.Apply{
		Pass: reconcile.Pass{
			Desired: desired, Changes: map[string]approval.Change{topic: p.x.broken.change(p.begun.git)},
			Observer: p, Ledger: p, Clock: p.clock, Concurrency: 1,
			Policy: approval.Policy{Configured: true, SignatureOptional: true, AuthorMayApprove: true},
		},
		Actor: p, Redirect: reconciletest.Redirect{},
	}
	if !p.x.broken.readsGitOnce {
		a.RereadGit = p.gitAgain
	}
	report, err := p.start(a)
	if p.paused {
		return reconcile.Result{}, false
	}
	if err != nil || len(report.Results) != 1 {
		return reconcile.Result{Outcome: reconcile.OutcomeError}, true
	}
	return report.Results[0], true
}

// gitAgain is what Git says at this moment, unless it cannot be read.
func (p *machine) gitAgain(ctx context.Context) (reconcile.Wanted, error) {
	r := p.say(ctx, atGit, func() (any, any, error) {
		intent, open := p.x.library.all[p.m.ledger].open()
		if open && intent.MayHaveSent && p.m.lock == p.self && commitOf(intent.Commit) == p.begun.git.commit {
			p.breaks("an intent that may have sent waits for Git, and is of this very commit")
		}
		if p.choice.fate == isUnread {
			p.state.git = history{} // by which nothing may begin
			if p.x.broken.trustsOldGit {
				return p.begun.git, p.begun.git, nil
			}
			return nil, "unreadable", errors.New("the forge is down")
		}
		p.state.git = p.m.git
		return p.m.git, p.m.git, nil
	})
	git, ok := r.value.(history)
	if !ok {
		return reconcile.Wanted{}, r.err
	}
	out := reconcile.Wanted{Changes: map[string]approval.Change{topic: p.x.broken.change(git)}}
	if git.commit != p.begun.git.commit {
		out.Superseded = map[string]string{topic: out.Changes[topic].Commit}
	}
	return out, nil
}

func (p *machine) start(a reconcile.Apply) (reconcile.Report, error) {
	if p.begun.fence > 0 {
		return a.Fence(context.Background(), topic, name(int(p.begun.fence)-1))
	}
	return a.Run(context.Background())
}

func (p *machine) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// breaks keeps the first harm that was done.
func (p *machine) breaks(what string) {
	if p.harm == "" {
		p.harm = what
	}
}
