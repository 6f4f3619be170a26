package milvus

import (
	"errors"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// told is a step that was carried out.
func told(cluster string, after plan.Configuration) plan.Step {
	return plan.Step{Action: plan.ActionUpdate, Cluster: cluster, After: &after}
}

// TestStays: a change that was read back is held to for some seconds; one that an
// older change undoes in that time is found.
func TestStays(t *testing.T) {
	attach := func(w *world, clock lockstep) []plan.Step {
		ab, alone := w.star("a"), func(id string) *plan.Configuration {
			return &plan.Configuration{Clusters: []plan.Member{w.member(id)}}
		}
		same(t, w.update("b", nil, alone("b")).Status, plan.StepDone)
		same(t, w.update("a", nil, &ab).Status, plan.StepDone)
		same(t, w.update("a", &ab, alone("a")).Status, plan.StepDone)
		clock.Advance(time.Minute)
		same(t, w.update("a", alone("a"), &ab).Status, plan.StepDone)
		same(t, w.update("b", alone("b"), &ab).Status, plan.StepDone)
		return []plan.Step{told("a", ab), told("b", ab)}
	}
	for name, c := range map[string]struct {
		profile string
		change  func(*world)
		fell    plan.BeliefKind
		fails   bool
	}{
		"an undone attach before, 2.6.22":       {"2.6.22", nil, plan.BeliefStandalone, true},
		"an undone attach before, with the fix": {"master", nil, "", false},
		"a member that goes away":               {"master", func(w *world) { must(t, w.Stop("b")) }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w, clock := steppedFrom(t, 0, c.profile, milvussim.Unconfigured)
			steps := attach(w, clock)
			if c.change != nil {
				c.change(w)
			}
			before := clock.ManualClock.Now()
			err := w.fleet().HoldsConfiguration(w.ctx(), w.topology, steps, 6*time.Second)
			var fell plan.FellBackError
			if (err != nil) != c.fails || errors.As(err, &fell) && fell.Belief.Kind != c.fell || c.fell != "" && fell.Cluster != "b" {
				t.Errorf("%v", err)
			}
			if took := clock.ManualClock.Now().Sub(before); c.fell == "" && took != 6*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
