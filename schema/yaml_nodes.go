package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// place is where a value and its key stand, as lines and columns from 1.
type place struct{ key, value position }

type position struct{ line, column int }

// document is one YAML document on its way through the stages.
type document struct {
	file     string
	chunk    chunk
	root     *yaml.Node       // nil: nothing in it, or not YAML
	plain    bool             // places are found among the nodes
	places   map[string]place // else
	value    any              // decoded
	decoded  bool             // value is what the text says; nil is a value too
	lines    [][]byte         // of the chunk
	runes    []rune           // of the line that was looked at last: many nodes may share it
	runesOf  int
	nodes    int
	block    bool // strings may hold line breaks and tabs
	problems Problems
	spoken   map[string]bool // paths that an earlier stage reported
	pending  []string        // paths that the running stage reported
	broken   bool            // it cannot be decoded
	doubtful bool            // decoding may mislead: only good for finding more problems
}

func newDocument(file string, c chunk) *document {
	return &document{
		file: file, chunk: c, lines: bytes.Split(c.data, []byte("\n")),
		places: map[string]place{}, spoken: map[string]bool{},
	}
}

// fail reports a problem at a path unless an earlier stage did.
func (d *document) fail(path, message, hint string) {
	d.failAt(path, d.find(path), message, hint)
}

func (d *document) failAt(path string, at position, message, hint string) {
	if d.spoken[path] || len(d.problems) >= maxProblems {
		return
	}
	d.pending = append(d.pending, path)
	d.problems = append(d.problems, Problem{
		File: d.file, Line: at.line, Column: at.column, Path: path, Message: message, Hint: hint,
	})
}

// endStage makes the paths reported so far silent for later stages.
func (d *document) endStage() {
	for _, p := range d.pending {
		d.spoken[p] = true
	}
	d.pending = nil
}

// find returns the position of a path, or of the nearest thing around it
// that exists.
func (d *document) find(path string) position {
	for exact := true; ; exact = false {
		if p, ok := d.place(path); ok {
			if exact {
				return p.value
			}
			return p.key
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return position{d.chunk.line, 1}
		}
		path = path[:i]
	}
}

// parseNodes reads the YAML for positions and refuses what would let a
// document mean something else than it seems to.
func (d *document) parseNodes() {
	decoder := yaml.NewDecoder(bytes.NewReader(d.chunk.data))
	var doc yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return
	}
	if err == nil {
		var more yaml.Node
		if err = decoder.Decode(&more); err == nil {
			err = errors.New("more text follows the end of the document")
		}
	}
	if !errors.Is(err, io.EOF) {
		d.syntaxError(err)
		return
	}
	root := doc.Content[0]
	if root.Tag == "!!null" && root.Value == "" && root.Anchor == "" && root.Style&yaml.TaggedStyle == 0 {
		return
	}
	d.root = root
	if d.plain = d.isPlain(); d.plain {
		return
	}
	d.walk(root, "", 1, d.at(root))
	d.endStage()
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`) })

// syntaxError places a parser's message, whose line counts from the start of
// the chunk.
func (d *document) syntaxError(err error) {
	d.broken = true
	at, text := position{d.chunk.line, 1}, err.Error()
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		text = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			last := d.chunk.line + max(0, bytes.Count(bytes.TrimRight(d.chunk.data, "\n"), []byte("\n")))
			at.line = min(d.chunk.line+n-1, last)
		}
	}
	hint := "check the indentation, quotes and brackets here and just above"
	if slices.ContainsFunc(d.lines, func(line []byte) bool { return bytes.HasPrefix(line, []byte("%")) }) {
		hint = "remove the YAML directive: a line that starts with '%'"
	}
	d.failAt("", at, "this is not valid YAML: "+printable(clip(text)), hint)
	d.endStage()
}

func (d *document) at(n *yaml.Node) position {
	return position{n.Line + d.chunk.line - 1, n.Column}
}

func (d *document) walk(n *yaml.Node, path string, depth int, key position) {
	most := maxNodes
	if d.block {
		most = maxConfigNodes
	}
	if d.nodes++; d.nodes >= most {
		if d.nodes == most {
			d.broken = true
			d.fail("", fmt.Sprintf("the document has more than %d values", most), "split it: no topology is that large")
		}
		return
	}
	d.places[path] = place{key: key, value: d.at(n)}
	if depth > maxDepth {
		d.broken = true
		d.fail(path, fmt.Sprintf("it is nested deeper than %d levels", maxDepth), "flatten it: no field of this file is that deep")
		return
	}
	d.checkNode(n, path)
	switch n.Kind {
	case yaml.MappingNode:
		d.walkMapping(n, path, depth)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.walk(item, path+"/"+strconv.Itoa(i), depth+1, d.at(item))
		}
	default: // a leaf
	}
}

// checkNode refuses aliases, anchors, tags and hidden characters.
func (d *document) checkNode(n *yaml.Node, path string) {
	at := d.at(n)
	if n.Kind == yaml.AliasNode {
		d.broken = true
		d.failAt(path, at, "aliases (*name) are not allowed", "write the value out")
		return
	}
	if n.Anchor != "" {
		d.failAt(path, at, "anchors (&name) are not allowed", "remove the anchor and write values out")
	}
	if n.Style&yaml.TaggedStyle != 0 || d.startsWithTag(n) {
		d.doubtful = true
		d.failAt(path, at, "explicit tags ("+printable(clip(n.Tag))+") are not allowed", "remove the tag; quote a value to make it a string")
	}
	if n.Kind == yaml.ScalarNode {
		d.checkScalar(n, path)
	}
}

func (d *document) checkScalar(n *yaml.Node, path string) {
	for _, r := range n.Value {
		if d.block && (r == '\n' || r == '\t') {
			continue
		}
		if isHidden(r) || isInvisible(r) {
			d.failAt(path, d.at(n), fmt.Sprintf("the text holds the character U+%04X", r), "remove it: control and invisible characters have no place here")
			return
		}
	}
}

// startsWithTag finds the bare "!" tag, which leaves no trace in the node.
func (d *document) startsWithTag(n *yaml.Node) bool {
	if n.Line < 1 || n.Line > len(d.lines) || bytes.IndexByte(d.lines[n.Line-1], '!') < 0 {
		return false
	}
	if d.runesOf != n.Line {
		d.runes, d.runesOf = []rune(string(d.lines[n.Line-1])), n.Line
	}
	return n.Column >= 1 && n.Column <= len(d.runes) && d.runes[n.Column-1] == '!'
}

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
			d.failAt(child, d.at(key), fmt.Sprintf("the key %s appears twice in one mapping", quoted(key.Value)),
				fmt.Sprintf("remove one of them; the first is on line %d", earlier.line))
			continue
		}
		first[key.Value] = d.at(key)
		d.walk(value, child, depth+1, d.at(key))
	}
}

// checkKey reports whether a key is a plain string that every YAML version reads
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
