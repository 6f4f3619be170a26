package render

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML writes the very document that JSON writes, fields in the same order.
func YAML(w io.Writer, d Document) error { return writeYAML(w, encode(d)) }

// writeYAML goes over the JSON, which is YAML already, and only changes its
// style: so the two forms cannot say different things.
func writeYAML(w io.Writer, value any) error {
	raw, err := marshalVisible(value)
	if err != nil {
		return err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
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

// older is text that is no text for a reader of YAML 1.1, of which there are
// many: a boolean, or a number to the base of 60.
var older = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$|^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$`)

// blockStyle gives lists and maps their indented form, and text its quotes
// only where it needs them. Text with anything invisible keeps the quotes of
// JSON, where it can be escaped.
func blockStyle(n *yaml.Node) {
	visibleText := n.Kind != yaml.ScalarNode || isSafe(n.Value) && !older.MatchString(n.Value)
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
