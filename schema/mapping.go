package schema

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// walkMapping checks the keys and goes on with the values.
func (d *document) walkMapping(n *yaml.Node, path string, depth int) {
	first := map[string]position{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := pointer(path, key.Value)
		if !d.checkKey(key, child) {
			d.broken = true
			continue
		}
		if earlier, ok := first[key.Value]; ok {
			d.doubtful = true
			d.failAt(child, d.at(key), fmt.Sprintf("the key %s stands twice in one mapping", quoted(key.Value)),
				fmt.Sprintf("remove one of them; the first is on line %d", earlier.line))
			continue
		}
		first[key.Value] = d.at(key)
		d.walk(value, child, depth+1, d.at(key))
	}
}

// checkKey says whether a key is a plain string that every YAML version reads
// alike.
func (d *document) checkKey(key *yaml.Node, path string) bool {
	before := len(d.problems)
	at := d.at(key)
	switch {
	case key.Kind == yaml.AliasNode:
		d.failAt(path, at, "aliases (*name) are not allowed", "write the key out")
	case key.Kind != yaml.ScalarNode:
		d.failAt(path, at, "a key is not a string", "use a plain word as key")
	case key.Value == "<<":
		d.failAt(path, at, "merge keys (<<) are not allowed", "write the fields out")
	case key.Tag != "!!str" && key.Style&yaml.TaggedStyle == 0, isOldBoolean(key):
		d.failAt(path, at, fmt.Sprintf("the key %s is not a string", quoted(key.Value)), "put it in quotes")
	default:
		d.checkNode(key, path)
	}
	return len(d.problems) == before
}

// isOldBoolean names the plain words that YAML 1.1 reads as booleans and
// YAML 1.2 as strings.
func isOldBoolean(n *yaml.Node) bool {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false
	}
	switch strings.ToLower(n.Value) {
	case "y", "n", "yes", "no", "on", "off", "true", "false":
		return true
	}
	return false
}

// childNode returns the value of a key in a mapping, or nil.
func childNode(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
