package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"milvus-reconcile/plan"
)

// provision writes the attestation of one cluster: over an earlier one, or
// after the role.
func (e *editor) provision(cluster *yaml.Node, p plan.Provisioned) {
	value, err := flowProvisioned(p)
	if err != nil {
		e.fail(cluster, err.Error())
		return
	}
	if old := childNode(cluster, "provisioned"); old != nil {
		e.overwrite(old, value)
		return
	}
	role := childNode(cluster, "role")
	start, end, ok := e.span(role)
	if !ok {
		e.fail(role, "the value is written over several lines, or with escapes")
		return
	}
	text := "provisioned: " + value
	if cluster.Style&yaml.FlowStyle != 0 {
		e.splices = append(e.splices, splice{end, end, ", " + text})
		return
	}
	indent := strings.Repeat(" ", keyNode(cluster, "role").Column-1)
	lineEnd, newline := e.lineEnd(start)
	e.splices = append(e.splices, splice{lineEnd, lineEnd, newline + indent + text})
}

// overwrite replaces a mapping that stands on one line in braces. One that is
// spread over lines may carry comments, so it is left to a person.
func (e *editor) overwrite(old *yaml.Node, text string) {
	start, ok := e.offset(old)
	if !ok || old.Style&yaml.FlowStyle == 0 || len(old.Content) == 0 {
		e.fail(old, "provisioned is not written in braces on one line")
		return
	}
	_, end, ok := e.span(old.Content[len(old.Content)-1])
	if !ok {
		e.fail(old, "a value of provisioned is written over several lines, or with escapes")
		return
	}
	rest := e.doc.chunk.data[end:]
	closing := bytes.IndexByte(rest, '}')
	if closing < 0 || strings.Trim(string(rest[:closing]), " \t,") != "" || bytes.ContainsAny(e.doc.chunk.data[start:end], "\n") {
		e.fail(old, "provisioned is not written in braces on one line")
		return
	}
	e.splices = append(e.splices, splice{start, end + closing + 1, text})
}

// ticket is evidence that reads the same with and without quotes.
var ticket = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[0-9]+$`)

// flowProvisioned writes the attestation in braces on one line.
func flowProvisioned(p plan.Provisioned) (string, error) {
	text := "{from: " + string(p.From) + ", at: " + p.At.UTC().Format(time.RFC3339)
	switch {
	case ticket.MatchString(p.Evidence):
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
