package render

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"milvus-reconcile/cmd/reconcile/internal/jsonyaml"
	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan/explain"
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
		return jsonyaml.WriteJSON(w, a.value())
	case form == FormYAML:
		return jsonyaml.WriteYAML(w, a.value())
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

// Validation is what is wrong with topology files.
type Validation struct {
	Topologies int // valid ones
	Problems   []Problem
}

type wireValidation struct {
	FormatVersion string        `json:"formatVersion"`
	Valid         bool          `json:"valid"`
	Topologies    int           `json:"topologies"`
	Problems      []wireProblem `json:"problems"`
}

// Validate writes a validation as "table", "json" or "yaml".
func Validate(w io.Writer, form string, v Validation, o TableOptions) error {
	return answer{name: "validate", page: func(p *page) { p.validation(v) }, value: func() any {
		return wireValidation{answerFormat, len(v.Problems) == 0, v.Topologies, mapList(v.Problems, encodeProblem)}
	}}.write(w, form, o)
}

// validation prints a line for each problem, which editors understand, and
// below it what to do.
func (p *page) validation(v Validation) {
	for _, problem := range v.Problems {
		p.line(safetext.Safe(problem.where() + ": " + problem.what()))
		if problem.Hint != "" {
			p.hanging(2, plain, "→ "+problem.Hint)
		}
	}
	s := good
	if len(v.Problems) > 0 {
		s = bad
	}
	p.line(p.paint(s, s.mark()+" "+plural(v.Topologies, "topology is valid", "topologies are valid")+", "+plural(len(v.Problems), "problem", "problems")))
}

// Build says what a program was made of.
type Build struct {
	Version      string
	Commit, Date string // empty: not known; the date is the commit's, RFC 3339
	Go, OS, Arch string
}

type wireBuild struct {
	FormatVersion string  `json:"formatVersion"`
	Version       string  `json:"version"`
	Commit        *string `json:"commit"`
	Date          *string `json:"date"`
	Go            string  `json:"go"`
	OS            string  `json:"os"`
	Arch          string  `json:"arch"`
}

// Version writes a build as "table" (one line), "json" or "yaml".
func Version(w io.Writer, form string, b Build, o TableOptions) error {
	return answer{name: "version", page: func(p *page) {
		p.line(fmt.Sprintf("reconcile %s (commit %s, %s, %s/%s)", safetext.Safe(b.Version), safetext.Safe(b.revision()), b.Go, b.OS, b.Arch))
	}, value: func() any {
		return wireBuild{answerFormat, b.Version, textOrNil(b.Commit), textOrNil(b.Date), b.Go, b.OS, b.Arch}
	}}.write(w, form, o)
}

// revision is the commit, with its date where that is known.
func (b Build) revision() string {
	switch {
	case b.Commit == "":
		return "unknown"
	case b.Date == "":
		return b.Commit
	}
	return b.Commit + " of " + b.Date
}

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

// Codes writes every code: for people only their names, for programs everything
// about them.
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
		p.line("  ", p.paint(faint, safetext.Safe(l)))
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
		for i, part := range paragraph(safetext.Safe(l), p.prose()-hang) {
			indent := hang
			if i == 0 {
				indent = 2
			}
			p.line(pad("", indent), part)
		}
	}
}
