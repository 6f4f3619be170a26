package wire

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// passNotifier tells the targets of the configuration what the daemon finds and
// does. Only the process that leads tells, so that replicas don't repeat it.
type passNotifier struct {
	mu          sync.Mutex
	notifier    *notify.Notifier
	targets     []schema.NotifyTarget     // of the notifier
	environment *Environment              // of the newest configuration
	seen        map[string][]plan.Finding // by the pass before, for each topology
	stood       map[string][]plan.Finding // what was told of it
	wanted      map[string]bool           // whether its approval was wanted
	told        map[string]*reconcile.Result
	done        map[string]doneChange                               // that the pass which follows at once tells of
	settled     map[string]string                                   // why no approval is wanted any more, of a change that is done and told with the next pass
	ends        map[string]*siteEnd                                 // by the digest of the approval of a site
	status      func(topology string) (daemon.TopologyStatus, bool) // of the board
	held        map[string]bool                                     // by the pass before, for each topology: too many of a wave before its own failed
	stopped     map[string]bool                                     // sites of whose stop people were told, by the digest of the approval
	tokens      badTokens
	tokensTold  bool // people were told of a token that several topologies share
	closing     sync.WaitGroup
}

// doneChange is a change that was carried out. What stands after it is told in the same
// message, by the pass that follows at once.
type doneChange struct {
	event notify.Event
	timer *time.Timer // ends the wait for that pass
}

// nextPassWithin is how long a change that is done waits for the pass that follows it, before
// it is told alone.
const nextPassWithin = 10 * time.Second

func newPassNotifier() *passNotifier {
	return &passNotifier{
		seen: map[string][]plan.Finding{}, stood: map[string][]plan.Finding{},
		status: func(string) (daemon.TopologyStatus, bool) { return daemon.TopologyStatus{}, false },
		wanted: map[string]bool{}, told: map[string]*reconcile.Result{}, done: map[string]doneChange{}, settled: map[string]string{}, ends: map[string]*siteEnd{}, held: map[string]bool{}, stopped: map[string]bool{}, tokens: badTokens{},
	}
}

// use takes over the targets of a configuration. What is queued for the old
// ones is still sent; the same ones stay, with what they were told.
func (p *passNotifier) use(ctx context.Context, e *Environment) {
	p.mu.Lock()
	old := p.notifier
	same := old != nil && reflect.DeepEqual(p.targets, e.Config.Notify)
	if !same {
		p.notifier, p.targets = e.notifier(), e.Config.Notify
	}
	p.environment = e
	p.mu.Unlock()
	if old != nil && !same {
		p.closing.Go(func() { p.end(ctx, old) })
	}
}

func (p *passNotifier) end(ctx context.Context, n *notify.Notifier) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyGrace)
	defer cancel()
	_ = n.Close(ctx) // what is not delivered is told through Options.Failed
}

// close sends what is queued, within the grace.
func (p *passNotifier) close(ctx context.Context) {
	p.mu.Lock()
	for _, topology := range slices.Sorted(maps.Keys(p.done)) {
		p.tellDone(topology)
	}
	n := p.notifier
	p.notifier = nil
	p.mu.Unlock()
	if n != nil {
		p.end(ctx, n)
	}
	p.closing.Wait()
}

// onPass tells what a pass found and did. A finding is raised when two passes
// saw it, and resolved when it is over.
func (p *passNotifier) onPass(s daemon.TopologyStatus, leads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.notifier == nil {
		return
	}
	s = withOutage(s)
	link := p.environment.statusPage(s.Name)
	event, ended := p.result(s)
	event.Link, event.Time = link, s.LastSuccess
	if leads {
		p.notifier.Notify(notify.Event{
			Kind: notify.KindStatus, Topology: s.Name, Commit: s.Commit, State: commitState(s.State), Message: stateSentence(s), Link: link,
		})
	}
	p.tellStopped(s, leads)
	if leads {
		p.tellSites(s, ended)
	}
	if ended && event.Outcome == notify.OutcomeDone && s.State == daemon.StateApplying { // its observation is from before the change
		p.seen[s.Name], p.settled[s.Name] = s.Plan.Findings, settled(s)
		if leads {
			p.hold(event)
		}
		return
	}
	wanted := p.wantedApproval(s)
	stand := confirmed(p.seen[s.Name], p.stood[s.Name], s, wanted != nil && !p.wanted[s.Name])
	p.seen[s.Name], p.stood[s.Name], p.wanted[s.Name] = s.Plan.Findings, stand, wanted != nil
	p.tokens.note(s, stand, p.environment.tokenSource)
	if !leads {
		return
	}
	pass := notify.Pass{
		Topology: s.Name, Commit: s.Commit, Link: link, Findings: stand,
		Wanted: wanted, Settled: cmp.Or(p.settled[s.Name], settled(s)), InSync: s.Plan.InSync, Transition: s.Plan.Transition, Words: p.words(s, stand),
	}
	delete(p.settled, s.Name)
	if held, ok := p.release(s.Name); ok {
		pass.News = append(pass.News, held)
	}
	if ended {
		pass.News = append(pass.News, event)
	}
	p.notifier.Pass(pass)
	if tokens := p.tokens.pass(p.environment.statusPage("")); len(tokens.Findings) > 0 || p.tokensTold {
		p.tokensTold = len(tokens.Findings) > 0
		p.notifier.Pass(tokens)
	}
}

// result is what is told of what a pass carried out; false: it is nothing, or was told.
func (p *passNotifier) result(s daemon.TopologyStatus) (notify.Event, bool) {
	result, known := p.told[s.Name]
	p.told[s.Name] = s.Result
	if s.Result == nil || known && s.Result == result {
		return notify.Event{}, false
	}
	return appliedEvent(*s.Result, s.Plan, s.Commit)
}

// hold keeps a change that is done for the next pass. If none comes in time, it is told alone.
func (p *passNotifier) hold(e notify.Event) {
	p.tellDone(e.Topology) // an earlier one
	p.done[e.Topology] = doneChange{event: e, timer: time.AfterFunc(nextPassWithin, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.tellDone(e.Topology)
	})}
}

// release returns the change of a topology that is done and was not told.
func (p *passNotifier) release(topology string) (notify.Event, bool) {
	held, ok := p.done[topology]
	if ok {
		held.timer.Stop()
		delete(p.done, topology)
	}
	return held.event, ok
}

// tellDone tells a change that is done alone. The caller holds the lock.
func (p *passNotifier) tellDone(topology string) {
	if e, ok := p.release(topology); ok && p.notifier != nil {
		p.notifier.Notify(e)
	}
}

// onEvent tells what the findings of a pass do not: an approval that lapsed, and a promotion
// that is half done in the pass under way.
func (p *passNotifier) onEvent(e daemon.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.notifier == nil:
	case e.Code == string(plan.CodePromotionHalfDone) && e.Kind == daemon.EventFault:
		f := plan.Finding{Code: plan.CodePromotionHalfDone, Severity: e.Severity, Cluster: e.Cluster, Message: e.Text, Remedy: e.Remedy}
		p.stood[e.Topology] = append(slices.DeleteFunc(slices.Clone(p.stood[e.Topology]), func(g plan.Finding) bool {
			return g.Code == f.Code && g.Cluster == f.Cluster
		}), f) // so that a later pass tells that it is over
		p.notifier.Notify(notify.Event{
			Kind: notify.KindRaised, Topology: e.Topology, Cluster: e.Cluster, Code: f.Code, Severity: f.Severity,
			Message: strings.TrimPrefix(e.Text, e.Code+": "), Remedy: e.Remedy, Commit: e.Commit, Time: e.At, Link: p.environment.statusPage(e.Topology),
		})
	case e.Kind == daemon.EventLapsed:
		p.notifier.Notify(notify.Event{
			Kind: notify.KindLapsed, Topology: e.Topology, Cluster: e.Cluster, Code: plan.Code(e.Code),
			Severity: e.Severity, Message: e.Text, Remedy: "if the failover is still wanted, approve it again", Commit: e.Commit, Time: e.At, Link: p.environment.statusPage(e.Topology),
		})
	}
}

// commitState is how far a commit has come, for the forge.
func commitState(s daemon.State) notify.State {
	switch s {
	case daemon.StateInSync:
		return notify.StateSuccess
	case daemon.StateBlocked, daemon.StateDrifted:
		return notify.StateFailure
	case daemon.StatePending, daemon.StateApplying, daemon.StateSuspended:
		return notify.StatePending
	default:
		return notify.StateError
	}
}

func stateSentence(s daemon.TopologyStatus) string {
	text := s.Name + " is " + s.State.String()
	if s.Plan.Transition != plan.TransitionNone {
		text += ", " + s.Plan.Transition.String() + " " + s.Decision.Verdict.String()
	}
	return text
}
