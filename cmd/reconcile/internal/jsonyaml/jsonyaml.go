// Package jsonyaml writes values as indented JSON, as one line of it, and as YAML, and escapes
// what is invisible or steers a terminal. The text stays the same for a program that reads it,
// unlike with [safetext.Safe], which is for people.
package jsonyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
)

// jsonWriter writes a value as encoding/json with an indent of two spaces does, once from
// the beginning to the end, and escapes what is invisible. encoding/json goes over its
// output three times for that, and a document of a thousand topologies has ten megabytes.
type jsonWriter struct {
	w   io.Writer
	out []byte
	err error // the first; nothing is written after it
}

// jsonPiece is how much is written at once, about.
const jsonPiece = 32 << 10

// WriteJSON writes a value and a line end.
func WriteJSON(w io.Writer, value any) error {
	j := jsonWriter{w: w, out: make([]byte, 0, jsonPiece+jsonPiece/8)}
	j.value(reflect.ValueOf(value), 0)
	j.out = append(j.out, '\n')
	j.flush()
	return j.err
}

func (j *jsonWriter) flush() {
	if j.err == nil {
		if _, err := j.w.Write(j.out); err != nil {
			j.err = fmt.Errorf("write JSON: %w", err)
		}
	}
	j.out = j.out[:0]
}

// value writes a value that stands depth levels deep.
func (j *jsonWriter) value(v reflect.Value, depth int) {
	if len(j.out) > jsonPiece {
		j.flush()
	}
	switch kind := v.Kind(); {
	case !v.IsValid() || (kind == reflect.Pointer || kind == reflect.Interface || kind == reflect.Slice) && v.IsNil():
		j.out = append(j.out, "null"...)
	case kind == reflect.Interface:
		j.value(v.Elem(), depth)
	case v.Type().Implements(marshals) || v.Type().Implements(marshalsText):
		j.other(v, depth)
	case kind == reflect.Pointer:
		j.value(v.Elem(), depth)
	case kind == reflect.String:
		j.text(v.String())
	case kind == reflect.Bool:
		j.out = strconv.AppendBool(j.out, v.Bool())
	case v.CanInt():
		j.out = strconv.AppendInt(j.out, v.Int(), 10)
	case v.CanUint():
		j.out = strconv.AppendUint(j.out, v.Uint(), 10)
	case kind == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		j.list(v, depth)
	case kind == reflect.Struct && fieldsOf(v.Type()).plain:
		j.object(v, depth)
	default:
		j.other(v, depth)
	}
}

var (
	marshals     = reflect.TypeFor[json.Marshaler]()
	marshalsText = reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()
)

// other leaves a value to encoding/json.
func (j *jsonWriter) other(v reflect.Value, depth int) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(strings.Repeat("  ", depth), "  ")
	if err := enc.Encode(v.Interface()); err != nil && j.err == nil {
		j.err = fmt.Errorf("encode JSON: %w", err)
	}
	j.out = append(j.out, escapeInvisible(bytes.TrimSuffix(b.Bytes(), []byte("\n")))...)
}

func (j *jsonWriter) list(v reflect.Value, depth int) {
	if v.Len() == 0 {
		j.out = append(j.out, "[]"...)
		return
	}
	j.out = append(j.out, '[')
	for i := range v.Len() {
		j.next(i == 0, depth+1)
		j.value(v.Index(i), depth+1)
	}
	j.line(depth)
	j.out = append(j.out, ']')
}

func (j *jsonWriter) object(v reflect.Value, depth int) {
	j.out = append(j.out, '{')
	first := true
	for _, f := range fieldsOf(v.Type()).all {
		value := v.Field(f.index)
		if f.omitEmpty && isEmpty(value) {
			continue
		}
		j.next(first, depth+1)
		first = false
		j.out = append(j.out, f.name...)
		j.value(value, depth+1)
	}
	if !first {
		j.line(depth)
	}
	j.out = append(j.out, '}')
}

// isEmpty says whether omitempty leaves a value out.
func isEmpty(v reflect.Value) bool {
	if kind := v.Kind(); kind == reflect.Slice || kind == reflect.Map {
		return v.Len() == 0
	}
	return v.Kind() != reflect.Struct && v.IsZero()
}

// next begins the next member of a list or an object.
func (j *jsonWriter) next(first bool, depth int) {
	if !first {
		j.out = append(j.out, ',')
	}
	j.line(depth)
}

// indent is the longest that is written at once.
const indent = "\n                                        "

func (j *jsonWriter) line(depth int) {
	if width := 1 + 2*depth; width <= len(indent) {
		j.out = append(j.out, indent[:width]...)
		return
	}
	j.out = append(j.out, '\n')
	for range depth {
		j.out = append(j.out, "  "...)
	}
}

// text writes a string. Most strings need no escape.
func (j *jsonWriter) text(s string) {
	j.out = append(j.out, '"')
	plain := 0 // what has no escape, and is not written yet, begins here
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && safetext.Printable(r) {
			i += size
			continue
		}
		j.out = append(append(j.out, s[plain:i]...), escaped(r)...)
		i += size
		plain = i
	}
	j.out = append(append(j.out, s[plain:]...), '"')
}

// escaped is a character as encoding/json escapes it.
func escaped(r rune) []byte {
	const short = "\"\"\\\\\bb\ff\nn\rr\tt" // pairs
	for i := 0; i < len(short); i += 2 {
		if rune(short[i]) == r {
			return []byte{'\\', short[i+1]}
		}
	}
	if r > 0xffff {
		return surrogates(r)
	}
	return fmt.Appendf(nil, `\u%04x`, r)
}

// objectFields are the fields of a type that are written.
type objectFields struct {
	plain bool // encoding/json does nothing else with them
	all   []objectField
}

type objectField struct {
	index     int
	name      string // quoted, with what separates it from the value
	omitEmpty bool
}

var knownFields sync.Map // by reflect.Type

func fieldsOf(t reflect.Type) objectFields {
	if known, ok := knownFields.Load(t); ok {
		return known.(objectFields) //nolint:forcetypeassert // it holds nothing else
	}
	out := objectFields{plain: true}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		plainName := name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$") == ""
		out.plain = out.plain && f.IsExported() && !f.Anonymous && plainName && (options == "" || options == "omitempty")
		out.all = append(out.all, objectField{index: i, name: `"` + name + `": `, omitEmpty: options == "omitempty"})
	}
	knownFields.Store(t, out)
	return out
}

// WriteLine writes a value as one line of JSON, for logs.
func WriteLine(w io.Writer, value any) error {
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
		case r == '\n' || safetext.Printable(r):
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

// WriteYAML writes a value as YAML. It goes over the JSON, which is YAML already, and only changes its
// style: so the two forms cannot say different things.
func WriteYAML(w io.Writer, value any) error {
	var raw bytes.Buffer
	if err := WriteJSON(&raw, value); err != nil {
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
	if _, err := io.WriteString(w, escapeQuoted(b.String())); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
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
	visibleText := n.Kind != yaml.ScalarNode || safetext.IsSafe(n.Value) && !older().MatchString(n.Value)
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
		case r == '\n' || safetext.Printable(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	return b.String()
}
