package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// backgroundChecker answers at once with the newest answer of the targets, and asks them
// again in the background. So a target that hangs delays no pass.
type backgroundChecker struct {
	checker reconcile.TrafficChecker
	mu      sync.Mutex
	known   map[string]answered // by topology
}

// answered is the newest answer to the question about a topology.
type answered struct {
	question string // primary and stale clusters
	states   []plan.TrafficState
	asking   int // number of the question that is under way; 0: none
	asked    int // number of the newest question
}

// InBackground makes a checker, and a redirector, for a daemon. Check returns at once with
// the answer to the question of an earlier pass, none for a new question. At most one
// question about a topology is under way. Setting traffic replaces the answer, and a
// question that was asked before it counts for nothing. r may be nil.
func InBackground(c reconcile.TrafficChecker, r reconcile.Redirector) (reconcile.TrafficChecker, reconcile.Redirector) {
	b := &backgroundChecker{checker: c, known: map[string]answered{}}
	if r == nil {
		return b, nil
	}
	return b, settingChecker{Redirector: r, background: b}
}

// settingChecker is a redirector whose Set replaces the answer of the checker.
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

// questionOf identifies a question.
func questionOf(primary string, stale []string) string {
	return primary + " not " + strings.Join(stale, " ")
}

// set replaces the answer. The answer of a question under way is dropped.
func (b *backgroundChecker) set(topology, question string, states []plan.TrafficState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[topology] = answered{question: question, states: slices.Clone(states), asked: b.known[topology].asked}
}

// Check starts a question, if none is under way, and returns the newest answer. The
// question outlives the pass; the timeouts of the targets end it.
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

// learn keeps an answer, unless the question changed or traffic was set meanwhile.
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
