package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// JSON writes the document of contract.md §6, indented, with one line
// end. Values that are not known are null and lists are never null.
func JSON(w io.Writer, d Document) error { return writeJSON(w, encode(d)) }

func writeJSON(w io.Writer, value any) error {
	raw, err := marshalVisible(value)
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

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

// marshalVisible escapes what is invisible or steers a terminal. The text
// stays the same for a program that reads it, unlike with Safe, which is for
// people.
func marshalVisible(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return escapeInvisible(b.Bytes()), nil
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
