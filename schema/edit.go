package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
)

// Change is what Edit sets in one document. What it does not name stays.
type Change struct {
	Generation  int64 // 0: left as it is
	Roles       map[string]plan.Role
	Provisioned map[string]plan.Provisioned // all three values; an empty From is refused
	Rehearse    *plan.RehearsalRequest      // nil: left as it is
	Rebuild     map[string]plan.RebuildRequest
}

// EditError says why a file cannot be edited without guessing.
type EditError struct {
	File   string
	Line   int // 0: the file as a whole
	Reason string
	Hint   string
}

// Error gives "file:line: reason (hint: …)".
func (e *EditError) Error() string {
	at := printable(e.File)
	if e.Line > 0 {
		at += ":" + strconv.Itoa(e.Line)
	}
	return fmt.Sprintf("%s: %s (hint: %s)", at, e.Reason, e.Hint)
}

// Edit returns the file with a change made to the document of that name, and
// nothing else touched: comments, order, quotes, line endings and the other
// documents stay byte for byte. The result is parsed again, and what does not
// say exactly what was wanted is refused: the error wraps Problems
// when the document, before or after, is not valid, else an EditError. file is for
// messages only.
func Edit(file string, data []byte, name string, change Change) ([]byte, error) {
	before, err := find(file, data, name)
	if err != nil {
		return nil, err
	}
	wanted, err := change.applyTo(file, before.topology)
	if err != nil {
		return nil, err
	}
	e := editor{file: file, doc: before.doc, starts: lineStarts(before.doc.chunk.data)}
	e.apply(change, wanted)
	if e.err != nil {
		return nil, e.err
	}
	out := slices.Concat(data[:before.offset], e.spliced(), data[before.offset+len(before.doc.chunk.data):])
	after, err := find(file, out, name)
	if err != nil {
		return nil, err
	}
	if Hash(after.topology) != Hash(wanted) {
		return nil, e.refusal(before.doc.root, "it is written in a way that an edit would change more than what was asked for")
	}
	return out, nil
}

// found is one document of a file, and where its text starts.
type found struct {
	doc      *document
	topology plan.Topology
	offset   int
}

// find returns the one valid document of that name.
func find(file string, data []byte, name string) (found, error) {
	chunks, problems := chunksOf(file, data)
	if len(problems) > 0 {
		return found{}, problems
	}
	var hits []found
	offset := len(data) - len(bytes.TrimPrefix(data, []byte("\ufeff")))
	for _, c := range chunks {
		d := newDocument(file, c)
		p, ok := parseTopology(d)
		if ok && p.identity.name.word == name {
			if len(p.problems) > 0 {
				return found{}, p.problems.sorted()
			}
			hits = append(hits, found{d, p.topology, offset})
		}
		offset += len(c.data)
	}
	switch len(hits) {
	case 0:
		return found{}, &EditError{File: file, Reason: "there is no topology " + quoted(name) + " in it", Hint: "check the name; 'reconcile validate' lists what is wrong"}
	case 1:
		return hits[0], nil
	}
	return found{}, &EditError{File: file, Line: hits[1].doc.chunk.line, Reason: "the topology " + quoted(name) + " appears in it twice", Hint: "remove one of them"}
}

// applyTo is a topology with the change made.
func (change Change) applyTo(file string, out plan.Topology) (plan.Topology, error) {
	out.Generation = cmp.Or(change.Generation, out.Generation)
	out.Rehearse = cmp.Or(change.Rehearse, out.Rehearse)
	out.Clusters = slices.Clone(out.Clusters)
	asked := map[string]bool{}
	for id := range change.Roles {
		asked[id] = true
	}
	for id, p := range change.Provisioned {
		asked[id] = true
		if p.From == plan.ProvisionedUnsaid || p.At.IsZero() {
			return out, &EditError{File: file, Reason: "what provisioned " + quoted(id) + " and when is not said", Hint: "give from and at"}
		}
	}
	for id := range change.Rebuild {
		asked[id] = true
	}
	for i, c := range out.Clusters {
		delete(asked, c.ID)
		if r, ok := change.Rebuild[c.ID]; ok {
			out.Clusters[i].Rebuild = r
		}
		if role, ok := change.Roles[c.ID]; ok {
			out.Clusters[i].Role = role
		}
		if p, ok := change.Provisioned[c.ID]; ok {
			p.At = p.At.UTC().Truncate(time.Second)
			out.Clusters[i].Provisioned = p
		}
	}
	for id := range asked {
		return out, &EditError{File: file, Reason: "topology " + quoted(out.Name) + " has no cluster " + quoted(id), Hint: suggest.Hint(id, out.IDs(), "name a cluster that it lists")}
	}
	return out, nil
}

// editor collects what is to be replaced in the text of one document.
type editor struct {
	file    string
	doc     *document
	starts  []int // of each line, as offsets
	splices []splice
	err     error
}

// splice puts text in the place of the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

func (e *editor) apply(change Change, wanted plan.Topology) {
	spec := childNode(e.doc.root, "spec")
	if change.Generation != 0 {
		e.replace(childNode(spec, "generation"), strconv.FormatInt(change.Generation, 10))
	}
	if change.Rehearse != nil {
		e.rehearse(spec, *change.Rehearse)
	}
	for _, node := range childNode(spec, "clusters").Content {
		c, _ := wanted.Cluster(childNode(node, "id").Value)
		if _, ok := change.Roles[c.ID]; ok {
			e.replace(childNode(node, "role"), string(c.Role))
		}
		if _, ok := change.Provisioned[c.ID]; ok {
			e.provision(node, c.Provisioned)
		}
		if r, ok := change.Rebuild[c.ID]; ok {
			e.setAfterRole(node, "rebuild", fmt.Sprintf("{generation: %d, data: %s}", r.Generation, r.Data))
		}
	}
}

// spliced is the document's text with every replacement made.
func (e *editor) spliced() []byte {
	slices.SortStableFunc(e.splices, func(a, b splice) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	at, text := 0, e.doc.chunk.data
	for _, s := range e.splices {
		out = append(append(out, text[at:s.start]...), s.text...)
		at = s.end
	}
	return append(out, text[at:]...)
}

// replace gives a scalar another value and keeps its quotes.
func (e *editor) replace(n *yaml.Node, value string) {
	start, end, ok := e.span(n)
	if !ok {
		e.fail(n, "the value is written over several lines, or with escapes")
		return
	}
	if quote := n.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle); quote != 0 {
		start, end = start+1, end-1
	}
	e.splices = append(e.splices, splice{start, end, value})
}

// span finds the bytes of a scalar that is written as it reads: on one line,
// without escapes.
func (e *editor) span(n *yaml.Node) (start, end int, ok bool) {
	if n == nil || n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 0, 0, false
	}
	start, ok = e.offset(n)
	if !ok {
		return 0, 0, false
	}
	text := n.Value
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		text = "'" + text + "'"
	case n.Style&yaml.DoubleQuotedStyle != 0:
		text = `"` + text + `"`
	}
	return start, start + len(text), strings.HasPrefix(string(e.doc.chunk.data[start:]), text)
}

// offset turns the line and column of a node, which count characters, into an
// offset in bytes.
func (e *editor) offset(n *yaml.Node) (int, bool) {
	if n.Line < 1 || n.Line > len(e.starts) {
		return 0, false
	}
	at := e.starts[n.Line-1]
	for column := 1; column < n.Column; column++ {
		if at >= len(e.doc.chunk.data) {
			return 0, false
		}
		at += runeLength(e.doc.chunk.data[at:])
	}
	return at, true
}

func (e *editor) fail(n *yaml.Node, reason string) {
	e.err = errors.Join(e.err, e.refusal(n, reason))
}

func (e *editor) refusal(n *yaml.Node, reason string) *EditError {
	line := e.doc.chunk.line
	if n != nil {
		line = e.doc.at(n).line
	}
	return &EditError{File: e.file, Line: line, Reason: reason, Hint: "edit the file by hand; nothing was changed"}
}

// provision writes the attestation of one cluster.
func (e *editor) provision(cluster *yaml.Node, p plan.Provisioned) {
	value, err := flowProvisioned(p)
	if err != nil {
		e.fail(cluster, err.Error())
		return
	}
	e.setAfterRole(cluster, "provisioned", value)
}

// setAfterRole writes a mapping of one cluster in braces: over an earlier one, or after the
// role.
func (e *editor) setAfterRole(cluster *yaml.Node, key, value string) {
	if old := childNode(cluster, key); old != nil {
		e.overwrite(old, key, value)
		return
	}
	e.addAfter(cluster, "role", key+": "+value)
}

// rehearse writes the request for a rehearsal: over an earlier one, or after the generation.
func (e *editor) rehearse(spec *yaml.Node, r plan.RehearsalRequest) {
	value := fmt.Sprintf("{to: %s, generation: %d}", r.To, r.Generation)
	if old := childNode(spec, "rehearse"); old != nil {
		e.overwrite(old, "rehearse", value)
		return
	}
	e.addAfter(spec, "generation", "rehearse: "+value)
}

// addAfter writes another key of a mapping behind one that it has.
func (e *editor) addAfter(mapping *yaml.Node, key, text string) {
	value := childNode(mapping, key)
	start, end, ok := e.span(value)
	if !ok {
		e.fail(value, "the value is written over several lines, or with escapes")
		return
	}
	if mapping.Style&yaml.FlowStyle != 0 {
		e.splices = append(e.splices, splice{end, end, ", " + text})
		return
	}
	indent := strings.Repeat(" ", keyNode(mapping, key).Column-1)
	lineEnd, newline := e.lineEnd(start)
	e.splices = append(e.splices, splice{lineEnd, lineEnd, newline + indent + text})
}

// overwrite replaces a mapping that stands on one line in braces. One that is
// spread over lines may carry comments, so it is left to a person.
func (e *editor) overwrite(old *yaml.Node, key, text string) {
	start, ok := e.offset(old)
	if !ok || old.Style&yaml.FlowStyle == 0 || len(old.Content) == 0 {
		e.fail(old, key+" is not written in braces on one line")
		return
	}
	_, end, ok := e.span(old.Content[len(old.Content)-1])
	if !ok {
		e.fail(old, "a value of "+key+" is written over several lines, or with escapes")
		return
	}
	rest := e.doc.chunk.data[end:]
	closing := bytes.IndexByte(rest, '}')
	if closing < 0 || strings.Trim(string(rest[:closing]), " \t,") != "" || bytes.ContainsAny(e.doc.chunk.data[start:end], "\n") {
		e.fail(old, key+" is not written in braces on one line")
		return
	}
	e.splices = append(e.splices, splice{start, end + closing + 1, text})
}

// ticket is evidence that reads the same with and without quotes.
var ticket = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z][A-Z0-9]*-[0-9]+$`) })

// flowProvisioned writes the attestation in braces on one line.
func flowProvisioned(p plan.Provisioned) (string, error) {
	text := "{from: " + string(p.From) + ", at: " + p.At.UTC().Format(time.RFC3339)
	switch {
	case ticket().MatchString(p.Evidence):
		text += ", evidence: " + p.Evidence
	case p.Evidence != "":
		quoted, err := doubleQuoted(p.Evidence)
		if err != nil {
			return "", err
		}
		text += ", evidence: " + quoted
	}
	return text + "}", nil
}

// doubleQuoted is JSON, which YAML reads alike.
func doubleQuoted(s string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", fmt.Errorf("the evidence cannot be quoted: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

// keyNode returns the key itself.
func keyNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return n
}

// lineEnd is where the text of a line ends, before its line break, and the
// line break that the file uses.
func (e *editor) lineEnd(at int) (int, string) {
	text := e.doc.chunk.data
	newline := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	i := bytes.IndexByte(text[at:], '\n')
	if i < 0 {
		return len(text), newline
	}
	return at + len(bytes.TrimSuffix(text[at:at+i], []byte("\r"))), newline
}

func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, b := range text {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func runeLength(text []byte) int {
	_, size := utf8.DecodeRune(text)
	return size
}
