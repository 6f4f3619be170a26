package render

import (
	"io"
	"regexp"
	"strings"

	"milvus-reconcile/plan/explain"
)

// Explain writes the explanation of a code for a person.
func Explain(w io.Writer, e explain.Entry, o TableOptions) error {
	p := newPage(o)
	p.hanging(0, strong, e.Code+": "+e.Title)
	facts := string(e.Kind)
	switch {
	case e.Kind == explain.KindFinding && e.Acceptable:
		facts += ", " + string(e.Severity) + ", an approver may accept it"
	case e.Kind == explain.KindFinding:
		facts += ", " + string(e.Severity)
	}
	p.hanging(0, faint, facts)
	for _, part := range []struct{ title, text string }{
		{"What was seen", e.Cause}, {"Why it matters", e.Risk}, {"What to do", e.Remedy},
	} {
		p.blank()
		p.line(p.paint(strong, part.title))
		p.markdownText(part.text)
	}
	p.blank()
	p.line(p.paint(strong, "Example"))
	for _, l := range strings.Split(e.Example, "\n") {
		p.line("  ", p.paint(faint, Safe(l)))
	}
	return p.flush(w)
}

// listItem is the beginning of a line of a list.
var listItem = regexp.MustCompile(`^(-|\d+\.) `)

// markdownText wraps paragraphs and the items of lists; what else Markdown
// has does not occur in the texts.
func (p *page) markdownText(text string) {
	for _, l := range strings.Split(text, "\n") {
		if l == "" {
			p.blank()
			continue
		}
		hang := 2 + len(listItem.FindString(l))
		for i, part := range wrap(Safe(l), p.prose()-hang) {
			indent := hang
			if i == 0 {
				indent = 2
			}
			p.line(pad("", indent), part)
		}
	}
}
