package schema

import (
	"bytes"
	"testing"
)

// TestPlainNodesAreWhereAWalkFindsThem: a document in which nothing has to be reported is
// told from any other, and each value and key of it is found where a walk notes it.
func TestPlainNodesAreWhereAWalkFindsThem(t *testing.T) {
	for text, plain := range map[string]bool{
		"a: 1":                                   true,
		"a: {b: [1, {c: d}, [e]], f: null}\ng: ": true,
		"- a\n- b: c\n  d:\n    - e":             true,
		"spec:\n  clusters:\n    - {id: a, uri: \"http://a.example:1\"}\n    - id: b\n": true,
		"# a comment!\na: b # !": true,
		"a: !b c":                false,
		"a: ! b":                 false,
		"a: &b c":                false,
		"a: &b c\nd: *b":         false,
		"a: b\na: c":             false,
		"yes: a":                 false,
		"1: a":                   false,
		"<<: {a: b}":             false,
		"a b: c":                 false,
		"a/b: c":                 false,
		"\"\": c":                false,
		"[a]: b":                 false,
		"a: \"\\x07\"":           false,
		"a: \u200b":              false,
	} {
		d := newDocument("f", chunk{data: []byte(text), line: 3})
		d.parseNodes()
		if d.plain != plain || d.plain && len(d.problems) > 0 {
			t.Errorf("%q: plain is %v, %v", text, d.plain, d.problems)
		}
		if !plain {
			continue
		}
		d.walk(d.root, "", 1, d.at(d.root))
		for path, want := range d.places {
			if got, ok := d.place(path); !ok || got != want {
				t.Errorf("%q, %s: %v, %v, want %v", text, path, got, ok, want)
			}
			for _, none := range []string{path + "/", path + "/none", path + "/-1", path + "/01"} {
				if got, ok := d.place(none); ok {
					t.Errorf("%q, %s: %v", text, none, got)
				}
			}
		}
	}
}

// FuzzPlainNodes compares a plain document with what a walk finds in it.
func FuzzPlainNodes(f *testing.F) {
	f.Add([]byte("a: {b: [1, {c: d}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.ContainsRune(text, 0) {
			return
		}
		d := newDocument("f", chunk{data: text, line: 1})
		d.parseNodes()
		if !d.plain {
			return
		}
		d.walk(d.root, "", 1, d.at(d.root))
		if len(d.problems)+len(d.pending) > 0 || d.broken || d.doubtful {
			t.Fatalf("%q: %v", text, d.problems)
		}
		for path, want := range d.places {
			if got, ok := d.place(path); !ok || got != want {
				t.Errorf("%q, %s: %v, %v, want %v", text, path, got, ok, want)
			}
		}
	})
}
