package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// backgroundChecker answers with what was last found out and asks anew beside
// the pass, so that a target that hangs never holds up a pass.
type backgroundChecker struct {
	checker reconcile.TrafficChecker
	mu      sync.Mutex
	known   map[string]answered // by topology
}

// answered is the newest answer to one question about a topology.
type answered struct {
	question string // primary and stale clusters
	states   []plan.TrafficState
	asking   int // which question is under way; 0: none
	asked    int // how many were begun
}

// InBackground makes a checker and a setter for a daemon, which sweeps over and
// over: its Check returns at once with the answer that the sweep before asked for,
// none if that question is new. A topology is asked about once at a time. What was
// asked before traffic was set says nothing any more; what Set saw is the answer.
// r may be nil.
func InBackground(c reconcile.TrafficChecker, r reconcile.Redirector) (reconcile.TrafficChecker, reconcile.Redirector) {
	b := &backgroundChecker{checker: c, known: map[string]answered{}}
	if r == nil {
		return b, nil
	}
	return b, settingChecker{Redirector: r, background: b}
}

// settingChecker tells a checker what setting the traffic came to.
type settingChecker struct {
	reconcile.Redirector
	background *backgroundChecker
}

// Set sets the traffic.
func (s settingChecker) Set(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	states := s.Redirector.Set(ctx, topology, primary, stale)
	s.background.set(topology, questionOf(primary, stale), states)
	return states
}

func questionOf(primary string, stale []string) string {
	return primary + " not " + strings.Join(stale, " ")
}

// set replaces what is known, and lets a question that is under way go unheard.
func (b *backgroundChecker) set(topology, question string, states []plan.TrafficState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[topology] = answered{question: question, states: slices.Clone(states), asked: b.known[topology].asked}
}

// Check starts a question and returns what is known. The question outlives the
// pass; the targets' own timeouts end it.
func (b *backgroundChecker) Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	question := questionOf(primary, stale)
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.known[topology]
	if k.question != question {
		k.question, k.states = question, nil
	}
	if k.asking == 0 {
		k.asked++
		k.asking = k.asked
		stale = slices.Clone(stale)
		go func() {
			b.learn(topology, question, k.asking, b.checker.Check(context.WithoutCancel(ctx), topology, primary, stale))
		}()
	}
	b.known[topology] = k
	return slices.Clone(k.states)
}

// learn keeps an answer, unless another question was asked meanwhile, or the
// traffic was set.
func (b *backgroundChecker) learn(topology, question string, asking int, states []plan.TrafficState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.known[topology]
	if k.asking != asking {
		return
	}
	k.asking = 0
	if k.question == question {
		k.states = states
	}
	b.known[topology] = k
}
