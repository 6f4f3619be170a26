package plan

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func toJSON(t interface{ Fatal(...any) }, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// everyCode is what an approver could at most accept.
func everyCode() []Code {
	var out []Code
	for _, c := range AllCodes() {
		if Acceptable(c) {
			out = append(out, c)
		}
	}
	return out
}

func shuffled[T any](r *rand.Rand, in []T) []T {
	out := slices.Clone(in)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// shuffle puts every list whose order says nothing into another order.
func shuffle(r *rand.Rand, d Desired, o Observed, m Memory) (Desired, Observed, Memory) {
	d.Topologies = shuffled(r, d.Topologies)
	for i := range d.Topologies {
		d.Topologies[i].Clusters = shuffled(r, d.Topologies[i].Clusters)
		if p := d.Topologies[i].Previous; p != nil {
			before := *p
			before.Clusters = shuffled(r, before.Clusters)
			d.Topologies[i].Previous = &before
		}
	}
	o.Views, o.Evidence = shuffled(r, o.Views), shuffled(r, o.Evidence)
	for i := range o.Views {
		o.Views[i].Progress = shuffled(r, o.Views[i].Progress)
	}
	for i := range o.Evidence {
		o.Evidence[i].Rounds = shuffled(r, o.Evidence[i].Rounds)
	}
	m.Stale, m.Provisions, m.Failovers = shuffled(r, m.Stale), shuffled(r, m.Provisions), shuffled(r, m.Failovers)
	m.Freed = shuffled(r, m.Freed)
	return d, o, m
}

func TestOrderOfTheInputsSaysNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		want := toJSON(t, Compute(d, o, m))
		if got := toJSON(t, Compute(shuffle(r, d, o, m))); got != want {
			t.Fatalf("another order of the inputs gives another plan:\n%s", cmp.Diff(want, got))
		}
	})
}

func TestInputsAreNotWrittenTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		before := toJSON(t, []any{d, o, m})
		p := Compute(d, o, m)
		for i := range p.Topologies {
			scribble(&p.Topologies[i])
		}
		if after := toJSON(t, []any{d, o, m}); after != before {
			t.Fatalf("the inputs were written to, or are shared with the plan:\n%s", cmp.Diff(before, after))
		}
	})
}

// scribble writes over what a plan's steps hold.
func scribble(p *TopologyPlan) {
	if p.Resumed {
		return
	}
	for _, s := range p.Steps {
		for _, c := range []*Configuration{s.Before, s.After} {
			if c == nil {
				continue
			}
			for i := range c.Clusters {
				c.Clusters[i].URI = "http://scribble"
				c.Clusters[i].PChannels[0] = "scribble"
			}
			clear(c.Edges)
		}
	}
}

// TestNoHarm holds every plan that could be applied, with everything accepted
// that an approver may accept, to what must never happen.
func TestNoHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		harmless(t, d, o, m)
	})
}

// FuzzCompute looks for harm in worlds drawn from bytes.
func FuzzCompute(f *testing.F) {
	f.Add([]byte("a region is lost"))
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		d, o, m := drawWorld(t)
		harmless(t, d, o, m)
	}))
}

func TestNothingObservedNothingSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		for _, p := range []Plan{Compute(d, Observed{}, m), Compute(d, Observed{Evidence: o.Evidence}, Memory{})} {
			if p := p.Topologies[0]; p.Changes() && !p.Blocked(everyCode()) || p.InSync {
				t.Fatalf("nothing was observed, and the plan is %+v", p)
			}
		}
	})
}

// TestAppliedIsSettled: once what was planned is stored and remembered, there
// is nothing left to do.
func TestAppliedIsSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		m.Intents = nil
		p := Compute(d, o, m).Topologies[0]
		if !p.Changes() || p.Blocked(nil) || !detachedRead(d.Topologies[0], o) {
			return
		}
		after, remembered := applied(p, o, m)
		if again := Compute(d, after, remembered).Topologies[0]; again.Transition != TransitionNone || again.Changes() || again.Blocked(nil) {
			t.Fatalf("after the %s there is still a %s: %v, blocked by %v", p.Transition, again.Transition, stepsOf(again), codesOf(again, SeverityBlocking))
		}
	})
}

// detachedRead: the table asks for the belief of a detached cluster for as
// long as the document lists it.
func detachedRead(doc Topology, o Observed) bool {
	return !slices.ContainsFunc(doc.withRole(RoleDetached), func(c Cluster) bool {
		v := normalView(c, o.View(c.ID))
		return v.Belief.Kind == BeliefUnknown || v.Credential != CredentialBound
	})
}

// applied is the world in which every step of a plan took effect.
func applied(p TopologyPlan, o Observed, m Memory) (Observed, Memory) {
	o.Views = slices.Clone(o.Views)
	for _, s := range p.Steps {
		for i, v := range o.Views {
			if v.Cluster == s.Cluster && s.Action.Sends() {
				o.Views[i].Belief = ClassifyBelief(v.Cluster, *s.After)
			}
		}
		if s.Action == ActionRecordStale {
			m.Stale = append(slices.Clone(m.Stale), StaleMark{Cluster: s.Cluster, Topology: p.Name, Since: now, Promoted: p.Primary})
		}
	}
	if p.Transition == TransitionFailover {
		m.Failovers = append(slices.Clone(m.Failovers), LastFailover{Topology: p.Name, Promoted: p.Primary, At: now})
	}
	return o, m
}
