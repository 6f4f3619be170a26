package milvus

import (
	"context"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/parallel"
)

const (
	// wireDeadline is the deadline of every step over a wire on which something
	// does not arrive.
	wireDeadline = 2 * time.Second
	// wirePatience is the deadline of a step that must succeed, however busy the
	// machine is.
	wirePatience = time.Minute
	// wireRead is how long a read may take where another cluster, whose wire is
	// good, must be read within it, however busy the machine is.
	wireRead = 4 * time.Second
	// wireGrace is how long after it a step may still be reading what became of
	// what it sent.
	wireGrace = 20 * time.Second
	// wiresAtOnce: most of the time of a cell is waiting.
	wiresAtOnce = 12
)

// TestWire carries out every step over every bad wire. Nothing hangs past its
// deadline, what came of it is done, refused or in doubt and never a lie, a good
// wire afterwards lets the step end well, no second force promote ever takes
// effect, and nothing is left open.
func TestWire(t *testing.T) {
	warm := converged(t) // what the libraries start once
	x := warm.through("b")
	warm.observe(plan.Depth{})
	x.proxy.Stop()
	warm.Close()
	before, _ := used(t)
	type cell struct {
		step  wireStep
		fault fault
	}
	var cells []cell
	for _, s := range wireSteps {
		for _, f := range faults {
			cells = append(cells, cell{s, f})
		}
	}
	parallel.Each(len(cells), wiresAtOnce, func(i int) {
		t.Run(cells[i].step.name+"/"+cells[i].fault.name, func(t *testing.T) { cells[i].step.over(t, cells[i].fault) })
	})
	nothingLeaks(t, before)
}

// brisk is the machine's clock with pauses of a hundredth of their time: a step
// that tries again until its deadline leaves the processor to the others.
type brisk struct{}

func (brisk) Now() time.Time { return time.Now() }

func (brisk) After(d time.Duration) <-chan time.Time { return time.After(d / 100) }

func (s wireStep) over(t *testing.T, f fault) {
	w := s.start(t)
	w.config.Clock = brisk{}
	w.config.ReadTimeout, w.config.UpdateTimeout = wirePatience, wirePatience
	x := w.through(s.cluster)
	if s.ready != nil {
		s.ready(w)
	}
	deadline := wirePatience
	if !f.slow {
		deadline = wireDeadline
		w.config.ReadTimeout, w.config.UpdateTimeout = 500*time.Millisecond, time.Second
	}
	if !f.slow && s.both {
		deadline, w.config.ReadTimeout = wirePatience, wireRead
	}
	if s.during {
		must(t, w.AddFault(s.cluster, milvussim.Fault{Method: updateMethod, Kind: milvussim.FaultDelay, For: 50 * time.Millisecond, Times: 1}))
	}
	begun := make(chan struct{})
	if s.during {
		x.watch(f)
	}
	go func() {
		defer close(begun)
		s.begin(w, x, f)
	}()
	if !s.during {
		<-begun
	}
	r := s.bounded(t, w, deadline)
	<-begun
	w.noConnections(t)
	s.judge(t, w, f, r)
	if s.holds == nil {
		return
	}
	x.heal()
	w.config.ReadTimeout, w.config.UpdateTimeout = wirePatience, wirePatience
	if again := s.run(w.ctx(), w); again.Status != plan.StepDone && again.Status != plan.StepAlready || !s.holds(w) {
		t.Errorf("with a good wire again: %+v", again)
	}
	if n := w.effects(); n > 1 {
		t.Errorf("%d force promotes took effect", n)
	}
}

// begin has the fault begin, in the middle of a request if the step says so.
func (s wireStep) begin(w *world, x *wire, f fault) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(wireDeadline); s.during && w.calls(s.cluster, updateMethod) == 0 && time.Now().Before(end); {
		<-tick.C
	}
	if s.during {
		x.strike(f)
		return
	}
	x.suffer(f)
}

// bounded runs the step with a deadline that it must keep.
func (s wireStep) bounded(t *testing.T, w *world, deadline time.Duration) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	out := make(chan Result, 1)
	go func() { out <- s.run(ctx, w) }()
	select {
	case r := <-out:
		return r
	case <-time.After(deadline + wireGrace):
		t.Fatal("it hangs past its deadline")
		return Result{}
	}
}

// judge demands an outcome that is one of three, and true.
func (s wireStep) judge(t *testing.T, w *world, f fault, r Result) {
	t.Helper()
	t.Logf("%s, sent %v: %s", r.Status, r.Sent, r.Detail)
	switch r.Status {
	case plan.StepDone, plan.StepAlready:
		if r.Err != nil || s.holds != nil && !s.holds(w) {
			t.Errorf("it is said to be done and is not: %+v", r)
		}
	case plan.StepRefused, plan.StepFailed:
		if r.Err == nil || r.Sent || s.holds != nil && !s.arrives && s.holds(w) {
			t.Errorf("it is said to be refused: %+v", r)
		}
	case plan.StepInDoubt:
		if r.Err == nil || !r.Sent {
			t.Errorf("in doubt without a reason: %+v", r)
		}
	default:
		t.Errorf("it ended as %q", r.Status)
	}
	if f.slow && r.Status != plan.StepDone && r.Status != plan.StepAlready {
		t.Errorf("all arrived, if slowly, and it ended as %s: %s", r.Status, r.Detail)
	}
}
