package wire

import (
	"context"
	"reflect"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// herald tells the targets of the configuration what the daemon finds and
// does. Only the process that leads tells, so that replicas don't repeat it.
type herald struct {
	mu          sync.Mutex
	notifier    *notify.Notifier
	targets     []schema.NotifyTarget     // of the notifier
	environment *Environment              // of the newest configuration
	seen        map[string][]plan.Finding // by the pass before, for each topology
	stood       map[string][]plan.Finding // what was told of it
	wanted      map[string]bool           // whether its approval was wanted
	told        map[string]*reconcile.Result
	closing     sync.WaitGroup
}

func newHerald() *herald {
	return &herald{
		seen: map[string][]plan.Finding{}, stood: map[string][]plan.Finding{},
		wanted: map[string]bool{}, told: map[string]*reconcile.Result{},
	}
}

// use takes over the targets of a configuration. What is queued for the old
// ones is still sent; the same ones stay, with what they were told.
func (h *herald) use(ctx context.Context, e *Environment) {
	h.mu.Lock()
	old := h.notifier
	same := old != nil && reflect.DeepEqual(h.targets, e.Config.Notify)
	if !same {
		h.notifier, h.targets = e.notifier(), e.Config.Notify
	}
	h.environment = e
	h.mu.Unlock()
	if old != nil && !same {
		h.closing.Go(func() { h.end(ctx, old) })
	}
}

func (h *herald) end(ctx context.Context, n *notify.Notifier) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyGrace)
	defer cancel()
	_ = n.Close(ctx) // what is not delivered is told through Options.Failed
}

// close sends what is queued, within the grace.
func (h *herald) close(ctx context.Context) {
	h.mu.Lock()
	n := h.notifier
	h.notifier = nil
	h.mu.Unlock()
	if n != nil {
		h.end(ctx, n)
	}
	h.closing.Wait()
}

// judged tells what a pass found and did. A finding is raised when two passes
// saw it, and resolved when it is over.
func (h *herald) judged(s daemon.TopologyStatus, leads bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.notifier == nil {
		return
	}
	wanted := h.wantedApproval(s)
	stand := confirmed(h.seen[s.Name], h.stood[s.Name], s, wanted != nil && !h.wanted[s.Name])
	h.seen[s.Name], h.stood[s.Name], h.wanted[s.Name] = s.Plan.Findings, stand, wanted != nil
	result, known := h.told[s.Name]
	h.told[s.Name] = s.Result
	if !leads {
		return
	}
	link := h.environment.statusPage(s.Name)
	pass := notify.Pass{
		Topology: s.Name, Commit: s.Commit, Link: link, Findings: stand,
		Wanted: wanted, Settled: settled(s), InSync: s.Plan.InSync,
	}
	if s.Result != nil && (!known || s.Result != result) {
		if event, ok := appliedEvent(*s.Result, s.Plan, s.Commit); ok {
			pass.News = append(pass.News, event)
		}
	}
	h.notifier.Pass(pass)
	h.notifier.Notify(notify.Event{
		Kind: notify.KindStatus, Topology: s.Name, Commit: s.Commit, State: commitState(s.State), Message: stateSentence(s), Link: link,
	})
}

// heard tells what is no finding: an approval that lapsed.
func (h *herald) heard(e daemon.Event) {
	if e.Kind != daemon.EventLapsed {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.notifier != nil {
		h.notifier.Notify(notify.Event{
			Kind: notify.KindLapsed, Topology: e.Topology, Cluster: e.Cluster, Code: plan.Code(e.Code),
			Severity: e.Severity, Message: e.Text, Commit: e.Commit, Time: e.At, Link: h.environment.statusPage(e.Topology),
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
