package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// JSON writes the document of contract.md §6, indented, with one line
// end. Values that are not known are null and lists are never null.
//
// What is invisible or steers a terminal is escaped. The text stays the same for a program
// that reads it, unlike with Safe, which is for people.
func JSON(w io.Writer, d Document) error { return writeIndented(w, encode(d)) }

// JSONLine writes a value as one line of JSON, for logs.
func JSONLine(w io.Writer, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	if _, err := w.Write(append(escapeInvisible(raw), '\n')); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// escapeInvisible works on finished JSON: outside of strings it holds ASCII
// only, and inside of them \u escapes are always allowed.
func escapeInvisible(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		switch {
		case r == '\n' || printable(r):
			out = append(out, raw[i:i+size]...)
		case r > 0xffff:
			out = append(out, surrogates(r)...)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}

// surrogates writes a rune beyond the basic plane as JSON wants it.
func surrogates(r rune) []byte {
	r -= 0x10000
	return fmt.Appendf(nil, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
}

// YAML writes the very document that JSON writes, fields in the same order.
func YAML(w io.Writer, d Document) error { return writeYAML(w, encode(d)) }

// writeYAML goes over the JSON, which is YAML already, and only changes its
// style: so the two forms cannot say different things.
func writeYAML(w io.Writer, value any) error {
	var raw bytes.Buffer
	if err := writeIndented(&raw, value); err != nil {
		return err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(raw.Bytes(), &root); err != nil {
		return fmt.Errorf("encode YAML: %w", err)
	}
	blockStyle(&root)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return fmt.Errorf("encode YAML: %w", err)
	}
	return writeText(w, escapeQuoted(b.String()))
}

// older is text that is no text for a reader of YAML 1.1; there are
// many: a boolean, or a number to the base of 60.
var older = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$|^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$`)
})

// blockStyle gives lists and maps their indented form, and text its quotes
// only where it needs them. Text with anything invisible keeps the quotes of
// JSON, where it can be escaped.
func blockStyle(n *yaml.Node) {
	visibleText := n.Kind != yaml.ScalarNode || isSafe(n.Value) && !older().MatchString(n.Value)
	empty := n.Kind != yaml.ScalarNode && len(n.Content) == 0
	if visibleText && !empty {
		n.Style = 0
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// escapeQuoted escapes what the encoder lets through inside of quotes. All
// invisible text stands in quotes, see blockStyle.
func escapeQuoted(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || printable(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	return b.String()
}
