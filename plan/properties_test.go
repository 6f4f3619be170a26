package plan

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
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
	for c := range acceptable {
		out = append(out, c)
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

func harmless(t *rapid.T, d Desired, o Observed, m Memory) {
	p := Compute(d, o, m).Topologies[0]
	readable(t, p)
	if p.Blocked(everyCode()) {
		return
	}
	if p.Transition != TransitionNone && !p.Resumed && !p.Changes() {
		t.Fatalf("%s could be approved and sends nothing", p.Transition)
	}
	doc := d.Topologies[0]
	for _, s := range p.Steps {
		if !s.Action.Sends() {
			continue
		}
		v := normal(Cluster{ID: s.Cluster}, o.View(s.Cluster))
		c, listed := doc.Cluster(s.Cluster)
		switch {
		case v.Reach != ReachUp || v.Credential != CredentialBound || v.IdentityConflict != "":
			t.Fatalf("%s is sent to %s, which is %s with credential %q", s.Action, s.Cluster, v.Reach, v.Credential)
		case !listed || c.Role == RoleStale || c.Role == RoleUnknown:
			t.Fatalf("%s is sent to %s, which Git calls %s", s.Action, s.Cluster, c.Role)
		case s.ForcePromote():
			promotion(t, p, s, o, m)
		default:
			update(t, p, s, c, v)
		}
	}
}

// promotion: exactly one cluster without edges, in place of one that is not
// up, or is proven to be read-only, or was replaced and accepted.
func promotion(t *rapid.T, p TopologyPlan, s Step, o Observed, m Memory) {
	if len(s.After.Clusters) != 1 || s.After.Clusters[0].ID != s.Cluster || len(s.After.Edges) != 0 || s.Cluster != p.Primary {
		t.Fatalf("a force promote of %s sends %+v", s.Cluster, s.After)
	}
	if forced := slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return !s.Action.Sends() }); len(forced) != 1 {
		t.Fatalf("a force promote is one of %d sending steps", len(forced))
	}
	old := normal(Cluster{ID: p.OldPrimary}, o.View(p.OldPrimary))
	frozen := old.Belief.Kind == BeliefStandby && !old.Belief.Inferred && old.IdentityProven
	switch {
	case p.OldPrimary == "":
		t.Fatalf("a force promote in place of nobody")
	case old.Reach != ReachUp && !p.Blocked(nil) && !provenLost(p, o, m):
		t.Fatalf("a force promote without evidence")
	case old.Reach == ReachUp && !frozen && !p.Has(CodePrimaryReplaced):
		t.Fatalf("a force promote beside a living %s", p.OldPrimary)
	case !p.Has(CodeForcePromote) && !p.Resumed || !p.Has(CodeDataLossRisk) && !p.Resumed:
		t.Fatalf("a force promote without its flags")
	}
}

func provenLost(p TopologyPlan, o Observed, m Memory) bool {
	for _, e := range o.Evidence {
		if e.Primary == p.OldPrimary && e.Candidate == p.Primary {
			return JudgeLoss(e, document(8).Failover, m.Now).Verdict == LossUnavailable
		}
	}
	return false
}

// update: a cluster that can write becomes a standby only where the document
// asks for that, and nothing is let go that it does not let go.
func update(t *rapid.T, p TopologyPlan, s Step, c Cluster, v View) {
	if v.Belief.Kind == BeliefUnknown || !v.IdentityProven {
		t.Fatalf("%s is sent to %s, whose belief or identity is not known", s.Action, s.Cluster)
	}
	if own, ok := s.After.Member(s.Cluster); !ok || own.URI != c.URI {
		t.Fatalf("what is sent to %s does not list it as the file does", s.Cluster)
	}
	_, demoted := s.After.SourceOf(s.Cluster)
	switch {
	case !canWrite(v) || !demoted:
	case c.Role != RoleStandby:
		t.Fatalf("%s can write, is %s and would be demoted", s.Cluster, c.Role)
	case p.Transition == TransitionSwitchover && (s.Cluster == p.OldPrimary || p.Resumed):
	case p.Transition != TransitionBootstrap && p.Transition != TransitionAddStandby:
		t.Fatalf("%s can write and would be demoted by a %s", s.Cluster, p.Transition)
	case v.Belief.Kind == BeliefUnconfigured && seenEmpty(v) || p.Resumed:
	case c.Provisioned.At.IsZero() || c.Provisioned.At.After(now):
		t.Fatalf("%s can write, holds what is not known, and would be demoted unattested", s.Cluster)
	}
}

// readable demands whole sentences of every finding.
func readable(t *rapid.T, p TopologyPlan) {
	for _, f := range p.Findings {
		text := f.Message + f.Remedy
		if f.Message == "" || f.Remedy == "" || strings.Contains(text, "%!") || strings.Contains(text, "  ") || strings.Contains(text, "{P}") || strings.Contains(text, "{O}") || strings.Contains(text, "{T}") {
			t.Fatalf("%s reads badly: %q, %q", f.Code, f.Message, f.Remedy)
		}
		if f.Acceptable && !Acceptable(f.Code) {
			t.Fatalf("%s may not be accepted", f.Code)
		}
	}
	for i, s := range p.Steps {
		if s.Action.Sends() && s.After == nil {
			t.Fatalf("step %d sends nothing", i)
		}
	}
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
		v := normal(c, o.View(c.ID))
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
