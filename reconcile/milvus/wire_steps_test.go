package milvus

import (
	"context"
	"errors"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// wireStep is something that the fleet does while the wire of one cluster
// suffers.
type wireStep struct {
	name    string
	cluster string // whose wire suffers
	start   func(*testing.T) *world
	// ready brings the world to the step, with a good wire.
	ready func(*world)
	// during says that the fault begins when the cluster has got the request,
	// rather than before.
	during bool
	run    func(context.Context, *world) Result
	// holds tells whether the step has taken effect, by the simulator itself;
	// nil for a step that changes nothing.
	holds func(*world) bool
	// both: what it tells of the other cluster, whose wire is good, must be true.
	both bool
	// arrives: it may take effect by replication, without the request.
	arrives bool
}

func converged(t *testing.T) *world { return pair(t, "") }

func unlinked(t *testing.T) *world {
	// A version that answers a read of nothing, rather than let it hang.
	return newWorld(t, milvussim.Options{Profile: "master"}, milvussim.Unconfigured(milvussim.Pair("a", "b"))...)
}

// alone is the configuration of one cluster without edges.
func (w *world) alone(id string) plan.Configuration {
	return plan.Configuration{Clusters: []plan.Member{w.member(id)}}
}

// change sends one cluster from a configuration to another.
func change(cluster string, states func(*world) (before, after *plan.Configuration)) func(context.Context, *world) Result {
	return func(ctx context.Context, w *world) Result {
		before, after := states(w)
		return w.fleet().Execute(ctx, w.topology, plan.Step{ID: 1, Action: plan.ActionUpdate, Cluster: cluster, Before: before, After: after}, permit.Permit{})
	}
}

func swap(w *world) (before, after *plan.Configuration) {
	x, y := w.star("a"), w.star("b")
	return &x, &y
}

func attach(w *world) (before, after *plan.Configuration) {
	y := w.star("a")
	return nil, &y
}

func detach(id string) func(*world) (before, after *plan.Configuration) {
	return func(w *world) (before, after *plan.Configuration) {
		x, y := w.star("a"), w.alone(id)
		return &x, &y
	}
}

func promoting(ctx context.Context, w *world) Result {
	return w.fleet().Execute(ctx, w.topology, w.promote(), permit.Permit{})
}

// believes tells whether a cluster is what the simulator says it is.
func believes(id, role string) func(*world) bool {
	return func(w *world) bool { return w.State(id).BelievedRole == role }
}

// proof has a step that only proves something end as one that sends.
func proof(err error) Result {
	if err != nil {
		return Result{Status: plan.StepRefused, Err: err, Detail: err.Error()}
	}
	return Result{Status: plan.StepDone}
}

// first carries out the step at the other member with a good wire; what it does
// takes a while to be replicated.
func first(step func(context.Context, *world) Result) func(*world) {
	return func(w *world) {
		must(w.t, w.SetLag("a", "b", 150*time.Millisecond))
		if r := step(w.ctx(), w); r.Status != plan.StepDone {
			w.t.Fatalf("the step before: %+v", r)
		}
	}
}

func cutOff(w *world) { must(w.t, w.SetLink("a", "b", false)) }

var wireSteps = []wireStep{
	{name: "observe", cluster: "b", start: converged, both: true, run: observing},
	{name: "probe the old primary", cluster: "a", start: converged, both: true, run: probing},
	{name: "force promote", cluster: "b", start: converged, ready: cutOff, run: promoting, holds: believes("b", "standalone")},
	{name: "read back", cluster: "b", start: converged, ready: cutOff, during: true, run: promoting, holds: believes("b", "standalone")},
	{name: "verify", cluster: "a", start: converged, run: func(ctx context.Context, w *world) Result {
		return proof(w.fleet().Verify(ctx, w.topology, "a", plan.VerifyDML, nil).Err)
	}},
	{name: "prove replication, the source", cluster: "a", start: converged, run: proving},
	{name: "prove replication, the target", cluster: "b", start: converged, run: proving},
	{name: "switchover, the old primary", cluster: "a", start: converged, run: change("a", swap), holds: believes("a", "standby")},
	{name: "switchover, the standby", cluster: "b", start: converged, ready: first(change("a", swap)), run: change("b", swap), holds: believes("b", "primary"), arrives: true},
	{name: "switchover, read back", cluster: "a", start: converged, during: true, run: change("a", swap), holds: believes("a", "standby")},
	{name: "attach, the primary", cluster: "a", start: unlinked, run: change("a", attach), holds: believes("a", "primary")},
	{name: "attach, read back", cluster: "a", start: unlinked, during: true, run: change("a", attach), holds: believes("a", "primary")},
	{name: "attach, the standby", cluster: "b", start: unlinked, ready: first(change("a", attach)), run: change("b", attach), holds: believes("b", "standby")},
	{name: "detach, the primary", cluster: "a", start: converged, run: change("a", detach("a")), holds: believes("a", "standalone")},
	{name: "detach, read back", cluster: "a", start: converged, during: true, run: change("a", detach("a")), holds: believes("a", "standalone")},
	{name: "detach, the standby", cluster: "b", start: converged, ready: first(change("a", detach("a"))), run: change("b", detach("b")), holds: believes("b", "standalone"), arrives: true},
}

func proving(ctx context.Context, w *world) Result {
	return proof(w.fleet().ProveReplication(ctx, w.topology, "a", "b", within(ctx)))
}

// within is what is left of a context.
func within(ctx context.Context) time.Duration {
	end, _ := ctx.Deadline()
	return time.Until(end)
}

// observing demands that a bad wire never makes up a state: what was not read
// is not known.
func observing(ctx context.Context, w *world) Result {
	views := w.fleet().Reader().Observe(ctx, []plan.Topology{w.topology}, plan.Depth{Progress: true, Contents: true})
	b := views[1]
	if kind := b.Belief.Kind; kind != plan.BeliefUnknown && kind != plan.BeliefStandby || kind == plan.BeliefStandby && b.Belief.Source != "a" {
		w.t.Errorf("a standby of a is taken for %s", describe(b.Belief))
	}
	if a := views[0]; a.Reach != plan.ReachUp || a.Belief.Kind != plan.BeliefPrimary {
		w.t.Errorf("the wire of another cluster makes a %s and %s", a.Reach, describe(a.Belief))
	}
	if b.Reach == plan.ReachUp && b.Belief.Kind == plan.BeliefStandby {
		return Result{Status: plan.StepDone}
	}
	return proof(errors.New(b.Error))
}

// probing demands that a round through a bad wire never says up of what did not
// answer, and that what answers is never said to be unreachable.
func probing(ctx context.Context, w *world) Result {
	r := w.fleet().Reader().Round(ctx, w.topology, wanted)
	if !r.CandidateAnswered {
		w.t.Errorf("the candidate, whose wire is good, did not answer: %+v", r)
	}
	if r.Reach == plan.ReachUp {
		return Result{Status: plan.StepDone}
	}
	return proof(errors.New(r.Error))
}
