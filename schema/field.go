package schema

import (
	"encoding/json"
	"slices"
	"strconv"

	"milvus-reconcile/plan"
)

// field is a decoded value and where it stands. Its readers return the zero
// value for a wrong type, which the structure stage has reported.
type field struct {
	doc   *document
	path  string
	value any
	set   bool // the key is there
}

func (d *document) field() field { return field{doc: d, value: d.value, set: true} }

func (f field) get(key string) field {
	m, _ := f.value.(map[string]any)
	v, ok := m[key]
	return field{doc: f.doc, path: pointer(f.path, key), value: v, set: ok}
}

func (f field) items() []field {
	list, _ := f.value.([]any)
	out := make([]field, len(list))
	for i, v := range list {
		out[i] = field{doc: f.doc, path: f.path + "/" + strconv.Itoa(i), value: v, set: true}
	}
	return out
}

// entries returns the fields of a mapping, sorted by key.
func (f field) entries() ([]string, []field) {
	m, _ := f.value.(map[string]any)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]field, len(keys))
	for i, k := range keys {
		out[i] = f.get(k)
	}
	return keys, out
}

func (f field) fail(message, hint string) { f.doc.fail(f.path, message, hint) }

func (f field) text() string {
	s, _ := f.value.(string)
	return s
}

func (f field) textOr(fallback string) string {
	if !f.set {
		return fallback
	}
	return f.text()
}

func (f field) flagOr(fallback bool) bool {
	if !f.set {
		return fallback
	}
	b, _ := f.value.(bool)
	return b
}

func (f field) numberOr(fallback int64) int64 {
	if !f.set {
		return fallback
	}
	n, _ := f.value.(json.Number)
	i, _ := n.Int64()
	return i
}

func (f field) texts() []string {
	var out []string
	for _, item := range f.items() {
		out = append(out, item.text())
	}
	return out
}

// position is where the value stands, for the model.
func (f field) position() plan.Position {
	at := f.doc.find(f.path)
	return plan.Position{File: f.doc.file, Line: at.line, Column: at.column}
}
