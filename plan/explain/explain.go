// Package explain has a text for every code that reconcile prints: what was seen, why it
// matters, and what to do next, with the command or trailer to type. The texts are Markdown
// files in text/, one for each code. They are embedded in the binary, so that they can be
// read without a network.
//
// A text explains its code in general; the message of a finding says what was seen in the
// case. Severity and guide of a finding come from [plan.CodeSpecs]. Every denial blocks, and
// has the same guide.
package explain

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// Kind says where a code appears.
type Kind string

// The kinds of codes.
const (
	KindFinding Kind = "finding" // about a topology
	KindDenial  Kind = "denial"  // why an approval does not count
)

// Entry explains one code. Its texts are Markdown: paragraphs, lists, and
// code between backticks.
type Entry struct {
	Code       string
	Kind       Kind
	Severity   plan.Severity
	Acceptable bool          // an approver may accept it by Failover-Accept
	Title      string        // one line
	Cause      string        // what was seen
	Risk       string        // why it matters
	Remedy     string        // what to do next; the first paragraph stands for itself
	Example    string        // as a reader meets it, without its indentation
	Audience   plan.Audience // who must know first; of a denial the approver
	Guide      plan.Guide
}

// FirstRemedy returns the first paragraph of the remedy: the one thing to do
// when there is room for no more.
func (e Entry) FirstRemedy() string {
	first, _, _ := strings.Cut(e.Remedy, "\n\n")
	return first
}

// Lookup returns the entry of a code, in whatever case it was typed.
func Lookup(code string) (Entry, bool) {
	all, err := entries()
	e, ok := all[strings.ToUpper(strings.TrimSpace(code))]
	return e, ok && err == nil
}

// Codes returns every code, sorted.
func Codes() []string {
	all, _ := entries()
	codes := make([]string, 0, len(all))
	for code := range all {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

//go:embed text/*.md
var texts embed.FS

// entries parses the texts at the first question; a run that explains nothing
// does not pay for them.
var entries = sync.OnceValues(func() (map[string]Entry, error) {
	files, err := fs.Glob(texts, "text/*.md")
	if err != nil {
		return nil, fmt.Errorf("list the texts: %w", err)
	}
	all := make(map[string]Entry, len(files))
	for _, file := range files {
		raw, err := texts.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		code := strings.TrimSuffix(strings.TrimPrefix(file, "text/"), ".md")
		e, err := parse(code, string(raw))
		if err != nil {
			return nil, err
		}
		all[code] = e.classified()
	}
	return all, nil
})

// approvals is the guide of every denial.
var approvals = plan.Guide{Title: "Approvals", Page: "approvals.md"}

// classified adds what the table of codes says of a finding. A code that is not
// in the table is that of a denial.
func (e Entry) classified() Entry {
	spec, ok := plan.SpecOf(plan.Code(e.Code))
	if !ok {
		e.Kind, e.Severity, e.Audience, e.Guide = KindDenial, plan.SeverityBlocking, plan.AudienceApprover, approvals
		return e
	}
	e.Kind, e.Severity, e.Acceptable = KindFinding, spec.Severity, spec.Acceptable
	e.Audience, e.Guide = spec.Audience, spec.Guide
	return e
}
