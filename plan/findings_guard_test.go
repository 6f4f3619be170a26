package plan

import (
	"strings"
	"testing"
)

// TestGenerationsOnlyRise: neither the version before, nor any earlier one, nor
// the ledger may have had the generation or a greater one.
func TestGenerationsOnlyRise(t *testing.T) {
	doc := pairOf("a", "b").after(pairOf("a", "b"))
	marked := func(generation int64, document string) Memory {
		return Memory{Generations: []GenerationMark{{Topology: "orders", Generation: generation, Document: document}}}
	}
	greatest := func(generation int64) Topology {
		d := doc
		d.GreatestEarlier = generation
		return d
	}
	for _, c := range []struct {
		name   string
		doc    Topology
		memory Memory
		raised bool
	}{
		{"greater than all", greatest(7), marked(7, "x"), true},
		{"an earlier version had it", greatest(8), Memory{}, false},
		{"an earlier version had a greater one", greatest(9), Memory{}, false},
		{"the ledger saw a greater one", doc, marked(9, "x"), false},
		{"the ledger saw it with another document", doc, marked(8, "x"), false},
		{"the ledger saw this very document", doc, marked(8, DocumentHash(doc)), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: c.doc, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, memory: c.memory}.plan(t)
			if p.Has(CodeGenerationNotRaised) == c.raised || p.Blocked(nil) == c.raised || p.InSync != c.raised {
				t.Errorf("raised %t, want %t; in sync %t", !p.Has(CodeGenerationNotRaised), c.raised, p.InSync)
			}
		})
	}
}

// TestTwoMembersProveOneIdentity: both are named, since nobody can tell which
// of the addresses is wrong.
func TestTwoMembersProveOneIdentity(t *testing.T) {
	renamed := primaryOf("a", "b")
	renamed.IdentityConflict, renamed.IdentityProven = "b", false
	p := world{t: failingOver("b", "a"), views: []View{renamed, primaryOf("b")}, memory: hadFailedOver("a", "b")}.plan(t)
	for _, id := range []string{"a", "b"} {
		f := find(p, CodeClusterIDMismatch, id)
		if f == nil || !strings.Contains(f.Message, "a and b") {
			t.Errorf("of %s it says %+v", id, f)
		}
	}
	foreign := primaryOf("a", "b")
	foreign.IdentityConflict = "x"
	if p := (world{t: pairOf("a", "b"), views: []View{foreign, standbyOf("a", "b")}}).plan(t); find(p, CodeClusterIDMismatch, "b") != nil {
		t.Error("b is what it should be, and is called a mismatch")
	}
}

// TestClusterMoved: a cluster stays with its topology, by Git or by the ledger;
// its marks go with its id.
func TestClusterMoved(t *testing.T) {
	views := []View{primaryOf("a", "b"), standbyOf("a", "b")}
	moved := pairOf("a", "b")
	moved.Moved = map[string]string{"b": "payments"}
	for name, w := range map[string]world{
		"by Git":        {t: moved, views: views},
		"by the ledger": {t: pairOf("a", "b"), views: views, memory: Memory{Homes: []Home{{Cluster: "a", Topology: "orders"}, {Cluster: "b", Topology: "payments"}}}},
	} {
		p := w.plan(t)
		if f := find(p, CodeClusterMoved, "b"); f == nil || !strings.Contains(f.Message, "payments") || find(p, CodeClusterMoved, "a") != nil {
			t.Errorf("%s: got %+v", name, p.Findings)
		}
		if !p.Blocked(nil) || p.Blocked([]Code{CodeClusterMoved}) {
			t.Errorf("%s: an approver cannot accept it", name)
		}
	}
	if p := (world{t: pairOf("a", "b"), views: views, memory: Memory{Homes: []Home{{Cluster: "a", Topology: "orders"}, {Cluster: "b", Topology: "orders"}}}}).plan(t); p.Has(CodeClusterMoved) {
		t.Error("clusters at home are called moved")
	}
}
