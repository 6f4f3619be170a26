package schema

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isPlain says that walk would find nothing to report: as in most documents. Then no place
// is noted, since a document without problems asks for a few of them only.
func (d *document) isPlain() bool {
	left := maxNodes
	if d.block {
		left = maxConfigNodes
	}
	return d.plainBelow(d.root, 1, &left)
}

func (d *document) plainBelow(n *yaml.Node, depth int, left *int) bool {
	if *left--; *left <= 0 || depth > maxDepth || !d.plainNode(n) {
		return false
	}
	switch n.Kind {
	case yaml.MappingNode:
		return d.plainMapping(n, depth, left)
	case yaml.SequenceNode:
		return !slices.ContainsFunc(n.Content, func(item *yaml.Node) bool { return !d.plainBelow(item, depth+1, left) })
	default:
		return n.Kind == yaml.ScalarNode
	}
}

// mostKeys is how many keys are compared with each other.
const mostKeys = 32

func (d *document) plainMapping(n *yaml.Node, depth int, left *int) bool {
	if len(n.Content) > 2*mostKeys {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" || key.Value == "" || len(key.Value) > shownLength || !isPlainKey(key.Value) || isOldBoolean(key) || !d.plainNode(key) {
			return false
		}
		for j := 0; j < i; j += 2 {
			if n.Content[j].Value == key.Value {
				return false
			}
		}
		if !d.plainBelow(n.Content[i+1], depth+1, left) {
			return false
		}
	}
	return true
}

// plainNode says that checkNode would find nothing to report. It takes no more than ASCII.
func (d *document) plainNode(n *yaml.Node) bool {
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || d.startsWithTag(n) {
		return false
	}
	return strings.IndexFunc(n.Value, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// place returns where the value of a path and its key stand.
func (d *document) place(path string) (place, bool) {
	if !d.plain {
		p, ok := d.places[path]
		return p, ok
	}
	n, key := d.root, d.at(d.root)
	for path != "" {
		step, rest, more := strings.Cut(path[1:], "/")
		if path = ""; more {
			path = "/" + rest
		}
		if n, key = d.below(n, step); n == nil {
			return place{}, false
		}
	}
	return place{key: key, value: d.at(n)}, true
}

// below returns the value of a key or index of a node, and where the key stands; nil: there
// is none.
func (d *document) below(n *yaml.Node, step string) (*yaml.Node, position) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], d.at(n.Content[i])
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) && strconv.Itoa(i) == step {
			return n.Content[i], d.at(n.Content[i])
		}
	default: // a leaf
	}
	return nil, position{}
}
