package plan

import "testing"

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
