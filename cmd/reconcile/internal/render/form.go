package render

import (
	"fmt"
	"io"
)

// The forms of a document, as -o names them.
const (
	FormTable    = "table"
	FormJSON     = "json"
	FormYAML     = "yaml"
	FormMarkdown = "markdown"
	FormJUnit    = "junit"
	FormSARIF    = "sarif"
)

// answerFormat is the version of what doctor, salvage and validate write for
// programs; within 1.x fields are only added.
const answerFormat = "1.0"

// answer is the result of a command that is no plan: a page for people, and a
// value for programs, from which the forms follow.
type answer struct {
	name     string // of the command, for the error
	page     func(*page)
	value    func() any
	markdown func() string // nil: it has no such form
}

// write writes the answer as "table", "json", "yaml" or, if it has it,
// "markdown".
func (a answer) write(w io.Writer, form string, o TableOptions) error {
	switch {
	case form == FormTable:
		p := newPage(o)
		a.page(p)
		return p.flush(w)
	case form == FormJSON:
		return writeJSON(w, a.value())
	case form == FormYAML:
		return writeYAML(w, a.value())
	case form == FormMarkdown && a.markdown != nil:
		return writeText(w, a.markdown())
	case a.markdown != nil:
		return fmt.Errorf("%s has no form %q: use table, json, yaml or markdown", a.name, form)
	default:
		return fmt.Errorf("%s has no form %q: use table, json or yaml", a.name, form)
	}
}

// writeText writes finished text at once.
func writeText(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
