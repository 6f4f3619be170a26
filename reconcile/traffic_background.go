package reconcile

import (
	"context"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// backgroundChecker answers with what was last found out and asks anew beside
// the pass, so that a target that hangs never holds up a pass.
type backgroundChecker struct {
	checker TrafficChecker
	mu      sync.Mutex
	known   map[string]answered // by topology
}

// answered is the newest answer to one question about a topology.
type answered struct {
	question string // primary and stale clusters
	states   []plan.TrafficState
	asking   bool
}

// InBackground makes a checker for a daemon, which sweeps over and over: its
// Check returns at once with the answer that the sweep before asked for, none
// if that question is new. A topology is asked about once at a time.
func InBackground(c TrafficChecker) TrafficChecker {
	return &backgroundChecker{checker: c, known: map[string]answered{}}
}

// Check starts a question and returns what is known. The question outlives the
// pass; the targets' own timeouts end it.
func (b *backgroundChecker) Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	question := primary + " not " + strings.Join(stale, " ")
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.known[topology]
	if k.question != question {
		k.question, k.states = question, nil
	}
	if !k.asking {
		k.asking = true
		stale = slices.Clone(stale)
		go func() {
			b.learn(topology, question, b.checker.Check(context.WithoutCancel(ctx), topology, primary, stale))
		}()
	}
	b.known[topology] = k
	return slices.Clone(k.states)
}

// learn keeps an answer, unless another question was asked meanwhile.
func (b *backgroundChecker) learn(topology, question string, states []plan.TrafficState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.known[topology]
	k.asking = false
	if k.question == question {
		k.states = states
	}
	b.known[topology] = k
}
