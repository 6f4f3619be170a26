package schema

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a file, and how to fix it.
type Problem struct {
	File    string // as it was named by the caller
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1, in characters; 0: the file as a whole
	Path    string // JSON pointer inside the document; empty: the document
	Message string
	Hint    string
}

// String gives "file:line:column: path: message (hint)".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(printable(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems is a list of problems; as an error it names all of them.
type Problems []Problem

// Error gives one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Below returns the problems with dir before the name of each file.
func (ps Problems) Below(dir string) Problems {
	out := slices.Clone(ps)
	for i := range out {
		out[i].File = filepath.Join(dir, out[i].File)
	}
	return out
}

// sorted returns the problems ordered by place, each once.
func (ps Problems) sorted() Problems {
	out := slices.Clone(ps)
	slices.SortFunc(out, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Hint, b.Hint),
		)
	})
	return slices.Compact(out)
}

const shownLength = 80

// quoted shows text from a file in a message: short, harmless on a terminal, and
// with letters that look like others told apart.
func quoted(s string) string { return fmt.Sprintf("%+q", clip(s)) }

// printable replaces what a terminal could act on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func clip(s string) string {
	runes := []rune(s)
	if len(runes) <= shownLength {
		return s
	}
	return string(runes[:shownLength]) + "…"
}

// isPlainKey reports whether a key stands in a pointer as it is.
func isPlainKey(key string) bool {
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer appends a key to a JSON pointer.
func pointer(parent, key string) string {
	if len(key) <= shownLength && isPlainKey(key) {
		return parent + "/" + key
	}
	return parent + "/" + pointerEscapes.Replace(printable(clip(key)))
}
