package milvus

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// backlog says on how many channels of b something is unsent, nothing is, and
// neither is known.
func (w *world) backlog() (unsent, none, unknown int) {
	for _, p := range w.observe(plan.Depth{Progress: true})["b"].Progress {
		switch {
		case p.Unsent != nil && p.CaughtUpAt == nil:
			unsent++
		case p.Unsent == nil && p.CaughtUpAt != nil:
			none++
		case p.Unsent == nil:
			unknown++
		}
	}
	return unsent, none, unknown
}

func TestWhatIsUnsentIsTold(t *testing.T) {
	w := pair(t, "")
	check := func(when string, unsent, none, unknown int) {
		t.Helper()
		if u, n, k := w.backlog(); u != unsent || n != none || k != unknown {
			t.Errorf("%s: %d channels have something unsent, %d nothing, of %d it is not known", when, u, n, k)
		}
	}
	check("an idle pair", 0, 16, 0)
	must(t, w.SetLink("a", "b", false))
	check("an idle pair whose link is cut", 0, 16, 0)
	wrote := time.Now()
	_, refused, err := w.Write("a", 160)
	must(t, err)
	must(t, refused)
	check("rows were written on every channel", 16, 0, 0)
	b := w.observe(plan.Depth{Progress: true})["b"]
	for _, p := range b.Progress {
		if since := p.Unsent.Sub(wrote); since < -time.Second || since > 5*time.Second {
			t.Errorf("%s: the oldest unsent message is of %s, written at %s", p.Channel, p.Unsent, wrote)
		}
	}
	must(t, w.Stop("a"))
	check("the source is away", 0, 0, 16)
}

// TestAStalledLinkIsFound joins adapter and planner: S60 of milvus.md on real calls.
func TestAStalledLinkIsFound(t *testing.T) {
	w := pair(t, "")
	w.config.Clock = nil // the time of the simulator, to hold ticks against
	w.topology.Generation, w.topology.MaxLag = 1, time.Millisecond
	observe := func() []plan.View {
		return w.fleet().Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{Progress: true})
	}
	first := observe()
	must(t, w.SetLink("a", "b", false))
	_, _, err := w.Write("a", 160)
	must(t, err)
	compute := func(views []plan.View) plan.TopologyPlan {
		p := plan.Compute(plan.Desired{Topologies: []plan.Topology{w.topology}}, plan.Observed{Views: views}, plan.Memory{
			Now: time.Now(), Progress: []plan.ProgressRecord{{Cluster: "b", Source: "a", At: first[1].At, Channels: first[1].Progress}},
		})
		return p.Topologies[0]
	}
	if p := compute(first); p.Has(plan.CodeReplicationStalled) {
		t.Errorf("a healthy pair is called stalled: %v", p.Findings)
	}
	var p plan.TopologyPlan
	for ctx := w.ctx(); ctx.Err() == nil && !p.Has(plan.CodeReplicationStalled); {
		p = compute(observe()) // until the messages have waited for longer than the objective
	}
	if !p.Has(plan.CodeReplicationStalled) || !p.Has(plan.CodeLagObjective) {
		t.Errorf("a cut link under load is not called stalled: %v", p.Findings)
	}
}
