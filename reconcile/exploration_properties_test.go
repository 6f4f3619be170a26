package reconcile_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

// walk goes the ways that pick chooses and ends at the first harm. pick gets
// the number of ways and answers one of them, and a negative number to end.
func (x *explorer) walk(s state, steps int, pick func(int) int) (state, []string) {
	var trail []string
	for range steps {
		ways := x.ways(s)
		i := pick(len(ways))
		if i < 0 {
			break
		}
		e := ways[i].leads()
		trail, s = append(trail, e.by), e.state.normal()
		if e.harm != "" {
			x.harm, x.trace = e.harm, trail
			break
		}
	}
	return s, trail
}

// words are the beginnings of walks, by number of clusters.
var words = []string{"PS", "PSS", "PSSS"}

// drawn is a state at the end of a walk that rapid draws.
func drawn(t *rapid.T) (*explorer, state) {
	x := newExplorer(broken{})
	s := x.beginning(rapid.SampledFrom(words).Draw(t, "clusters"))
	s.model.drills = true
	s, trail := x.walk(s, rapid.IntRange(0, 40).Draw(t, "steps"), func(n int) int {
		return rapid.IntRange(0, n-1).Draw(t, "next")
	})
	if x.harm != "" {
		t.Fatalf("%s, by %q", x.harm, x.trace)
	}
	t.Logf("%q", trail)
	return x, s
}

func encoded(t *rapid.T, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestExploredOrderSaysNothing: in every state that a walk reaches, the order
// of clusters, views and records makes no difference to the plan.
func TestExploredOrderSaysNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, s := drawn(t)
		d, o, m := x.inputs(s.model)
		want := encoded(t, plan.Compute(d, o, m))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		c := d.Topologies[0].Clusters
		r.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
		r.Shuffle(len(o.Views), func(i, j int) { o.Views[i], o.Views[j] = o.Views[j], o.Views[i] })
		r.Shuffle(len(m.Stale), func(i, j int) { m.Stale[i], m.Stale[j] = m.Stale[j], m.Stale[i] })
		if got := encoded(t, plan.Compute(d, o, m)); got != want {
			t.Fatalf("another order gives another plan:\n%s\n%s", want, got)
		}
	})
}

// TestExploredInputsAreNotWrittenTo: the planner leaves what it is given as it is.
func TestExploredInputsAreNotWrittenTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, s := drawn(t)
		d, o, m := x.inputs(s.model)
		before := encoded(t, []any{d, o, m})
		plan.Compute(d, o, m)
		if after := encoded(t, []any{d, o, m}); after != before {
			t.Fatalf("the inputs were written to:\n%s\n%s", before, after)
		}
	})
}

// TestExploredUnknownPlansNothing: whatever state a walk reaches, once a cluster
// is not known, no step is sent to it, and nothing is promoted in its place.
func TestExploredUnknownPlansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, s := drawn(t)
		i := rapid.IntRange(0, int(s.model.n)-1).Draw(t, "unknown")
		s.model.nodes[i].reach = rapid.SampledFrom([]clientReach{reachUnresolved, reachSilent}).Draw(t, "reach")
		s.model.nodes[i].up = true
		p := x.planOf(s.model)
		if p.Blocked(nil) || !p.Changes() {
			return
		}
		for _, step := range p.Steps {
			if step.Action.Sends() && (step.Cluster == name(i) || step.ForcePromote() && p.OldPrimary == name(i)) {
				t.Fatalf("%s is not known, and the %s sends %s to %s", name(i), p.Transition, step.Action, step.Cluster)
			}
		}
	})
}

// mostTries is how many times walks are drawn until one of them is of use.
const mostTries = 20

// TestExploredApplySettles: whatever a walk leads to, once everything is back,
// the process that was at work was killed and what is under way has arrived, an apply
// that ends well leaves nothing to plan.
func TestExploredApplySettles(t *testing.T) {
	applied := 0
	for try := 0; applied == 0 && try < mostTries; try++ { // with -short it draws few walks
		rapid.Check(t, func(t *rapid.T) {
			x, s := drawn(t)
			s = x.calm(s)
			run := x.starts(s, 0)[0].leads()
			for run.state.runs[0].past != 0 {
				s = x.arrived(run.state)
				run = x.goesOn(s, 0)[0].leads()
				if run.harm != "" {
					t.Fatalf("%s, by %q", run.harm, run.by)
				}
			}
			if strings.Contains(run.by, "ends: applied") {
				applied++
			}
		})
	}
	if applied == 0 {
		t.Error("no apply ended well in any walk: the property held nothing")
	}
}

// calm ends all runs and faults, and lets arrive what is under way.
func (x *explorer) calm(s state) state {
	s.runs, s.model.lock = [2]process{}, 0
	for i := range int(s.model.n) {
		n := &s.model.nodes[i]
		n.up, n.lone, n.reach, n.pending.half = true, false, reachFull, false
	}
	return x.arrived(s)
}

func (x *explorer) arrived(s state) state {
	for {
		before := s.model
		for i := range int(s.model.n) {
			for _, e := range s.model.arrivals(i) {
				e.do(&s.model)
			}
		}
		if s.model == before {
			return s
		}
	}
}

// FuzzExploration reads bytes as a way through the states and fails at the
// first harm: the first byte chooses the clusters, each other one what happens
// next.
func FuzzExploration(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte("the primary is lost, and somebody approves"))
	f.Add([]byte{1, 250, 250, 249, 251, 250, 252, 254, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 60 {
			return
		}
		x := newExplorer(broken{})
		s := x.beginning(words[int(data[0])%len(words)])
		s.model.drills = true
		rest := data[1:]
		x.walk(s, len(rest), func(n int) int {
			i := int(rest[0]) % n
			rest = rest[1:]
			return i
		})
		if x.harm != "" {
			t.Fatalf("%s, by %q", x.harm, x.trace)
		}
	})
}
