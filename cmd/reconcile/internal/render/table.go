package render

import (
	"fmt"
	"io"

	"milvus-reconcile/plan"
)

// Table writes the document for a person: what will happen, what may be lost,
// what blocks, what to type next, and only then the details. Topologies that
// are in sync come first, one line each, so that what needs somebody stands
// together at the end, next to the prompt.
func Table(w io.Writer, d Document, o TableOptions) error {
	p := newPage(o)
	p.document(d)
	return p.flush(w)
}

func (p *page) document(d Document) {
	p.hanging(0, strong, d.summaryWords())
	if basis := d.basisWords(); basis != "" {
		p.hanging(0, faint, basis)
	}
	p.problems(d.Problems)
	if len(d.Problems) > 0 && len(d.Plan.Topologies) > 0 {
		p.blank()
	}
	loud := 0
	for _, t := range d.topologies() {
		if !d.quiet(t) || d.kind() == KindStatus {
			loud++
			continue
		}
		p.inSync(t)
	}
	if loud == 0 {
		return
	}
	for _, t := range d.topologies() {
		switch {
		case d.kind() == KindStatus:
			p.status(d, t)
		case !d.quiet(t):
			p.topology(d, t)
		}
	}
}

func (p *page) inSync(t plan.TopologyPlan) {
	p.title(t.Name, good, inSyncWords(t))
	p.findings("Note", t, plan.SeverityCritical, plan.SeverityWarning, plan.SeverityInfo)
}

func (p *page) problems(problems []Problem) {
	if len(problems) == 0 {
		return
	}
	p.blank()
	p.title("topology files", bad, "the documents below are left out until they are corrected")
	for _, problem := range problems {
		p.hanging(2, strong, problem.where())
		p.field("", bad, "✗", problem.what())
		if problem.Hint != "" {
			p.field("", plain, "→", problem.Hint)
		}
	}
}

// where is file:line:column as far as it is known, as editors understand it.
func (p Problem) where() string { return place(p.File, p.Line, p.Column) }

func place(file string, line, column int) string {
	switch {
	case line <= 0:
		return file
	case column <= 0:
		return fmt.Sprintf("%s:%d", file, line)
	default:
		return fmt.Sprintf("%s:%d:%d", file, line, column)
	}
}

func (p Problem) what() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// topology prints one topology that is not simply in sync.
func (p *page) topology(d Document, t plan.TopologyPlan) {
	headline, s := d.headline(t)
	p.blank()
	p.title(t.Name, s, headline)
	p.blank()
	p.happening(d, t)
	p.loss(d, t)
	p.replication(d, t)
	p.blocking(d, t)
	p.accepted(d, t)
	p.findings("Beware", t, plan.SeverityCritical)
	p.findings("Note", t, plan.SeverityWarning, plan.SeverityInfo)
	p.next(d, t)
	p.blank()
	p.clusters(t)
	if len(t.Steps) > 0 {
		p.blank()
		p.grid(stepRows(t))
	}
}

// status prints what is believed, with a word on what a plan would do.
func (p *page) status(d Document, t plan.TopologyPlan) {
	headline, s := d.headline(t)
	if d.quiet(t) {
		headline = inSyncWords(t)
	}
	p.blank()
	p.title(t.Name, s, headline)
	if len(t.Findings) > 0 || t.Transition != plan.TransitionNone {
		p.blank()
	}
	p.blocking(d, t)
	p.accepted(d, t)
	p.findings("Beware", t, plan.SeverityCritical)
	p.findings("Note", t, plan.SeverityWarning, plan.SeverityInfo)
	switch {
	case t.Transition == plan.TransitionNone:
	case t.Resumed && !d.blocked(t):
		p.field("Next", plain, "→", goOnWords(d, t))
	default:
		p.field("Next", plain, "→", "See what would happen: `reconcile plan "+t.Name+"`")
	}
	p.blank()
	p.clusters(t)
}
