package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe returns s with everything that a terminal or a viewer would obey
// rather than show written out: control characters, escape sequences, line
// ends, direction overrides, odd spaces and bytes that are not UTF-8. Text
// from a repository or a server could otherwise repaint the page that an
// operator decides by.
func Safe(s string) string {
	if isSafe(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(visible(r, s[i:i+size]))
		i += size
	}
	return b.String()
}

func isSafe(s string) bool {
	for _, r := range s {
		if !printable(r) {
			return false
		}
	}
	return true
}

// printable refuses the replacement character too: it stands for bytes that
// are not UTF-8, and those are shown as what they are.
func printable(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }

func visible(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case printable(r):
		return raw
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	default:
		return fmt.Sprintf(`\u%04x`, r)
	}
}
