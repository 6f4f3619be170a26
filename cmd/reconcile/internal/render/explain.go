package render

import (
	"io"
	"regexp"
	"strings"
	"sync"

	"milvus-reconcile/plan/explain"
)

// wireExplanation is the answer of explain, for one code or for all.
type wireExplanation struct {
	FormatVersion string     `json:"formatVersion"`
	Codes         []wireCode `json:"codes"`
}

type wireCode struct {
	Code       string  `json:"code"`
	Kind       string  `json:"kind"`
	Severity   *string `json:"severity"` // null for a denial
	Acceptable bool    `json:"acceptable"`
	Title      string  `json:"title"`
	Cause      string  `json:"cause"`
	Risk       string  `json:"risk"`
	Remedy     string  `json:"remedy"`
	Example    string  `json:"example"`
	Guide      string  `json:"guide"`
}

func encodeCode(e explain.Entry) wireCode {
	out := wireCode{
		Code: e.Code, Kind: string(e.Kind), Acceptable: e.Acceptable,
		Title: e.Title, Cause: e.Cause, Risk: e.Risk, Remedy: e.Remedy, Example: e.Example, Guide: "docs/" + e.Guide.Page,
	}
	if e.Kind == explain.KindFinding {
		out.Severity = textOrNil(string(e.Severity))
	}
	return out
}

// Explain writes the explanation of a code as "table", "json" or "yaml".
func Explain(w io.Writer, form string, e explain.Entry, o TableOptions) error {
	return answer{name: "explain", page: func(p *page) { p.explanation(e) }, value: func() any {
		return wireExplanation{answerFormat, []wireCode{encodeCode(e)}}
	}}.write(w, form, o)
}

// Codes writes every code: for people their names alone, for programs all that
// is to be said of them.
func Codes(w io.Writer, form string, entries []explain.Entry, o TableOptions) error {
	return answer{name: "explain", page: func(p *page) {
		for _, e := range entries {
			p.line(e.Code)
		}
	}, value: func() any { return wireExplanation{answerFormat, mapList(entries, encodeCode)} }}.write(w, form, o)
}

func (p *page) explanation(e explain.Entry) {
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
	p.line(p.paint(strong, "Guide"))
	p.line("  ", guideWords(e))
	p.blank()
	p.line(p.paint(strong, "Example"))
	for _, l := range strings.Split(e.Example, "\n") {
		p.line("  ", p.paint(faint, Safe(l)))
	}
}

// guideWords names the guide of a code, and where the documentation has it.
func guideWords(e explain.Entry) string { return e.Guide.Title + ": docs/" + e.Guide.Page }

// listItem is the beginning of a line of a list.
var listItem = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(-|\d+\.) `) })

// markdownText wraps paragraphs and the items of lists; what else Markdown
// has does not occur in the texts.
func (p *page) markdownText(text string) {
	for _, l := range strings.Split(text, "\n") {
		if l == "" {
			p.blank()
			continue
		}
		hang := 2 + len(listItem().FindString(l))
		for i, part := range paragraph(Safe(l), p.prose()-hang) {
			indent := hang
			if i == 0 {
				indent = 2
			}
			p.line(pad("", indent), part)
		}
	}
}
