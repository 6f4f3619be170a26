package schema

import (
	"fmt"
	"slices"
)

// checkAcross applies the rules between documents. Whoever shares a name or a
// cluster id with another document is left out with it: which of the two is
// meant cannot be told, and a bad document may be the one that is meant.
func checkAcross(docs []parsed) {
	names, ids := map[string][]int{}, map[string][]int{}
	for i, d := range docs {
		if d.identity.name.word != "" {
			names[d.identity.name.word] = append(names[d.identity.name.word], i)
		}
		for _, id := range d.identity.ids {
			if !slices.Contains(ids[id.word], i) {
				ids[id.word] = append(ids[id.word], i)
			}
		}
	}
	for i := range docs {
		d := &docs[i]
		if name := d.identity.name; len(names[name.word]) > 1 {
			other := docs[another(names[name.word], i)].identity.name
			d.add(name, fmt.Sprintf("the topology name %s is used twice", quoted(name.word)), "rename one of them; the other stands at "+other.place())
		}
		reported := map[string]bool{}
		for _, id := range d.identity.ids {
			if len(ids[id.word]) < 2 || reported[id.word] {
				continue
			}
			reported[id.word] = true
			other := docs[another(ids[id.word], i)].identity.mentionOf(id.word)
			d.add(id, fmt.Sprintf("the cluster id %s is also in another topology", quoted(id.word)), "a cluster belongs to one topology; the other stands at "+other.place())
		}
	}
}

// another returns the first index that is not i.
func another(indexes []int, i int) int {
	if indexes[0] != i {
		return indexes[0]
	}
	return indexes[1]
}

func (x identity) mentionOf(id string) mention {
	for _, m := range x.ids {
		if m.word == id {
			return m
		}
	}
	return mention{}
}

func (m mention) place() string {
	return fmt.Sprintf("%s:%d:%d", printable(m.file), m.at.line, m.at.column)
}

func (p *parsed) add(m mention, message, hint string) {
	p.problems = append(p.problems, Problem{
		File: m.file, Line: m.at.line, Column: m.at.column, Path: m.path, Message: message, Hint: hint,
	})
}
