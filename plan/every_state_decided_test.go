package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checker is what a test and a property check have in common.
type checker interface {
	Helper()
	Fatalf(string, ...any)
}

// decided fails if a plan leaves a reader without a word: what is wanted and
// cannot be done is blocked by a code, what is at rest and not as Git wants it
// has a finding that says why, and every code is one that explain knows.
func decided(t checker, p TopologyPlan, open bool) {
	t.Helper()
	for _, f := range p.Findings {
		if !slices.Contains(AllCodes(), f.Code) || f.Severity == "" || f.Message == "" || f.Remedy == "" {
			t.Fatalf("%+v is no finding", f)
		}
	}
	switch {
	case p.Transition != TransitionNone && !p.Changes() && !p.Resumed && !p.Blocked(nil):
		t.Fatalf("a %s is wanted, sends nothing and is not blocked", p.Transition)
	case p.Transition == TransitionNone && !p.InSync && !open && len(p.Findings) == 0:
		t.Fatalf("nothing is to be done, it is not in sync, and nothing says why: %+v", p.Clusters)
	case p.InSync && (p.Blocked(nil) || p.Transition != TransitionNone):
		t.Fatalf("it is in sync and %s, blocked by %v", p.Transition, codesOf(p, SeverityBlocking))
	}
}

// TestEveryStateOfAStarIsDecided: any stars of up to five clusters, any reach,
// belief, memory and intent, and any document.
func TestEveryStateOfAStarIsDecided(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		decided(t, Compute(d, o, m).Topologies[0], len(m.Intents) > 0)
	})
}

// viewsOf are the ways in which one of three clusters can answer.
func viewsOf(id string, others []string) []View {
	out := []View{
		empty(id), holding(empty(id), "default/c"), primaryOf(id), primaryOf(id, others...), unread(id), down(id), degraded(id), unknown(id),
		primaryOf(id, "x"),
	}
	for i, o := range others {
		out = append(out, primaryOf(id, o), standbyOf(o, id), standbyOf(o, id, others[1-i]))
	}
	return out
}

// TestEveryStateOfThreeIsDecided goes through all of them: each answer of each
// of three clusters, each role of the two others, and what was before.
func TestEveryStateOfThreeIsDecided(t *testing.T) {
	if underRace || testing.Short() { // make cover has all of them
		t.Skip("tens of thousands of states")
	}
	roles := []Role{RoleStandby, RoleStale, RoleDetached}
	va, vb, vc := viewsOf("a", []string{"b", "c"}), viewsOf("b", []string{"a", "c"}), viewsOf("c", []string{"a", "b"})
	states := 0
	for _, rb := range roles {
		for _, rc := range roles {
			docs := []Topology{document(8, cluster("a", RolePrimary), cluster("b", rb), cluster("c", rc))}
			docs = append(docs, docs[0].after(pairOf("b", "a", "c")), docs[0].after(document(7, cluster("a", RolePrimary), cluster("b", RoleStale), cluster("c", RoleStandby))))
			for i, doc := range docs {
				m := Memory{}
				if i == 2 {
					m = hadFailedOver("b", "a")
				}
				for _, a := range va {
					for _, b := range vb {
						for _, c := range vc {
							states++
							decided(t, world{t: doc, views: []View{a, b, c}, memory: m}.plan(t), false)
						}
					}
				}
			}
		}
	}
	t.Logf("%d states", states)
}
