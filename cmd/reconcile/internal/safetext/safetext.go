// Package safetext makes text of a repository or a server safe to print: on a terminal, and in
// Markdown. All output passes through it.
package safetext

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Safe returns s with control characters, escape sequences, line ends, direction
// overrides, unusual spaces and invalid UTF-8 written out. Otherwise text from a repository
// or a server could change what a terminal shows to an operator.
func Safe(s string) string {
	if IsSafe(s) {
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

// IsSafe says whether a text has nothing that Safe would write out.
func IsSafe(s string) bool {
	for _, r := range s {
		if !Printable(r) {
			return false
		}
	}
	return true
}

// Printable refuses the replacement character too: it stands for bytes that
// are not UTF-8, and those are shown as what they are.
func Printable(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }

func visible(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case Printable(r):
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

// markup holds every character that has a meaning in Markdown or HTML within a line.
const markup = "\\`*_[]<>|~$&"

// Markdown returns Markdown that shows exactly the text s of another party, without
// formats, links, hidden text or notifications. An empty comment splits what forges link
// by themselves, since they do that after they have removed the backslashes.
func Markdown(s string) string {
	var b strings.Builder
	for _, r := range Safe(s) {
		if r < 0x80 && strings.ContainsRune(markup, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r == '@' || r == '#' {
			b.WriteString(split)
		}
	}
	return strings.NewReplacer("://", ":"+split+"//", "www.", "www"+split+".").Replace(b.String())
}

const split = "<!-- -->"

// quotedCommand matches a command as findings quote it.
var quotedCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`'((?:reconcile |Failover-|provisioned: )[^'` + "`" + `]*)'`)
})

// MarkdownProse is Markdown for sentences. Text between backticks, and quoted
// commands, become code. It must not be used in a table, where code cannot hold a bar.
func MarkdownProse(s string) string {
	parts := strings.Split(quotedCommand().ReplaceAllString(Safe(s), "`$1`"), "`")
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i%2 == 1 && i < len(parts)-1 && part != "":
			b.WriteString("`" + part + "`")
		case i%2 == 1:
			b.WriteString(Markdown("`" + part))
			if i < len(parts)-1 {
				b.WriteString(Markdown("`"))
			}
		default:
			b.WriteString(Markdown(part))
		}
	}
	return b.String()
}

var plainCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z0-9_]+$`) })

// CodeName sets a finding's or denial's code as code.
func CodeName(code string) string {
	if plainCode().MatchString(code) {
		return "`" + code + "`"
	}
	return Markdown(code)
}
