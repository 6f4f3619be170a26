package render

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
)

// AuditReport is what an audit found.
type AuditReport struct {
	At         time.Time
	Seed       uint64
	Topologies []AuditedTopology
	Problems   []Problem // documents that could not be read
}

// AuditedTopology is what an audit found of the standbys of one topology.
type AuditedTopology struct {
	Name     string
	Standbys []audit.Result
}

// Verdict is the worst of its standbys; one without standbys proves nothing.
func (t AuditedTopology) Verdict() plan.ContentVerdict {
	out := plan.ContentEqual
	if len(t.Standbys) == 0 {
		out = plan.ContentUnproven
	}
	for _, s := range t.Standbys {
		if s.Verdict == plan.ContentDiverged || s.Verdict == plan.ContentUnproven && out != plan.ContentDiverged {
			out = s.Verdict
		}
	}
	return out
}

// Audit writes the report as "table", "json", "yaml" or "markdown".
func Audit(w io.Writer, form string, r AuditReport, o TableOptions) error {
	return answer{
		name: "audit", page: func(p *page) { p.audit(r) }, value: func() any { return encodeAudit(r) },
		markdown: func() string { return auditMarkdown(r) },
	}.write(w, form, o)
}

type wireAudit struct {
	FormatVersion string              `json:"formatVersion"`
	GeneratedAt   *string             `json:"generatedAt"`
	Seed          string              `json:"seed"`
	Topologies    []wireAuditTopology `json:"topologies"`
	Problems      []wireProblem       `json:"problems"`
}

type wireAuditTopology struct {
	Name     string             `json:"name"`
	Verdict  string             `json:"verdict"`
	Standbys []wireAuditStandby `json:"standbys"`
}

type wireAuditStandby struct {
	Cluster     string                `json:"cluster"`
	Primary     string                `json:"primary"`
	Verdict     string                `json:"verdict"`
	Collections int                   `json:"collections"`
	Counted     int                   `json:"counted"`
	Rows        int64                 `json:"rows"`
	Sampled     int                   `json:"sampled"`
	Differences []wireAuditDifference `json:"differences"`
	NotCompared []wireAuditGap        `json:"notCompared"`
}

type wireAuditDifference struct {
	Weight     string  `json:"weight"`
	Kind       string  `json:"kind"`
	Collection *string `json:"collection"`
	Name       *string `json:"name"`
	Fact       *string `json:"fact"`
	Primary    *string `json:"primary"`
	Standby    *string `json:"standby"`
	By         *int64  `json:"by"`
	Message    string  `json:"message"`
	Remedy     *string `json:"remedy"`
}

type wireAuditGap struct {
	Kind       *string `json:"kind"`
	Collection *string `json:"collection"`
	Why        string  `json:"why"`
	Idle       bool    `json:"idle"`
}

func encodeAudit(r AuditReport) wireAudit {
	return wireAudit{
		FormatVersion: answerFormat, GeneratedAt: timeOrNil(r.At), Seed: strconv.FormatUint(r.Seed, 10),
		Problems: mapList(r.Problems, encodeProblem),
		Topologies: mapList(r.Topologies, func(t AuditedTopology) wireAuditTopology {
			return wireAuditTopology{Name: t.Name, Verdict: t.Verdict().String(), Standbys: mapList(t.Standbys, encodeAudited)}
		}),
	}
}

func encodeAudited(s audit.Result) wireAuditStandby {
	return wireAuditStandby{
		Cluster: s.Standby, Primary: s.Primary, Verdict: s.Verdict.String(), Collections: s.Collections, Counted: s.Counted, Rows: s.Rows, Sampled: s.Sampled,
		Differences: mapList(s.Differences, func(d audit.Difference) wireAuditDifference {
			out := wireAuditDifference{
				Weight: d.Weight.String(), Kind: string(d.Kind), Collection: textOrNil(d.Collection), Name: textOrNil(d.Name), Fact: textOrNil(d.Fact),
				Primary: textOrNil(d.Primary), Standby: textOrNil(d.Standby),
				Message: d.Text(s.Primary, s.Standby), Remedy: textOrNil(d.Remedy(s.Primary, s.Standby)),
			}
			if d.By > 0 {
				out.By = &d.By
			}
			return out
		}),
		NotCompared: mapList(s.Gaps, func(g audit.Gap) wireAuditGap {
			return wireAuditGap{Kind: textOrNil(string(g.Kind)), Collection: textOrNil(g.Collection), Why: g.Why, Idle: g.Idle}
		}),
	}
}

// How many differences, gaps and remedies of one standby a page shows, so that the page of
// one standby fits a terminal of 24 lines.
const (
	mostDifferences = 4
	mostGaps        = 2
	mostRemedies    = 2
)

func (p *page) audit(r AuditReport) {
	for _, problem := range r.Problems {
		p.line(p.paint(bad, safetext.Safe("✗ "+problem.where()+": "+problem.what())))
	}
	ordered := slices.Clone(r.Topologies)
	slices.SortStableFunc(ordered, func(a, b AuditedTopology) int { return auditRank(a.Verdict()) - auditRank(b.Verdict()) })
	for i, t := range ordered {
		if i > 0 {
			p.blank()
		}
		if len(t.Standbys) == 0 {
			p.title(t.Name, attention, "it has no standby: there is nothing to audit")
		}
		for j, s := range t.Standbys {
			if j > 0 {
				p.blank()
			}
			p.audited(t.Name, s)
		}
	}
}

// auditRank puts first what differs.
func auditRank(v plan.ContentVerdict) int {
	return map[plan.ContentVerdict]int{plan.ContentDiverged: 0, plan.ContentUnproven: 1, plan.ContentEqual: 2}[v]
}

func (p *page) audited(name string, s audit.Result) {
	p.title(name, auditStyle(s.Verdict), auditHeadline(s))
	p.auditDifferences(s)
	p.auditGaps(s)
	p.auditRemedies(name, s)
}

func auditStyle(v plan.ContentVerdict) style {
	return map[plan.ContentVerdict]style{plan.ContentDiverged: bad, plan.ContentUnproven: attention, plan.ContentEqual: good}[v]
}

// auditHeadline says whether the standby is equal, and on what that rests.
func auditHeadline(s audit.Result) string {
	rests := fmt.Sprintf("%d of %s counted, %d rows, %d compared bit by bit", s.Counted, plural(s.Collections, "collection", "collections"), s.Rows, s.Sampled)
	switch s.Verdict {
	case plan.ContentDiverged:
		n := len(slices.DeleteFunc(slices.Clone(s.Differences), func(d audit.Difference) bool { return d.Weight != audit.Diverged }))
		return fmt.Sprintf("%s differs from %s in %s", s.Standby, s.Primary, plural(n, "way", "ways"))
	case plan.ContentEqual:
		scope := ""
		if s.Counted < s.Collections {
			scope = " in what is loaded"
		}
		return fmt.Sprintf("%s equals %s%s: %s", s.Standby, s.Primary, scope, rests)
	default:
		text := fmt.Sprintf("it is not proven that %s equals %s", s.Standby, s.Primary)
		if s.Collections > 0 {
			text += ": " + rests
		}
		return text
	}
}

func (p *page) auditDifferences(s audit.Result) {
	for i, d := range s.Differences {
		if i == mostDifferences {
			p.field("", attention, "!", fmt.Sprintf("and %s: see '-o json'", plural(len(s.Differences)-i, "more difference", "more differences")))
			return
		}
		label, mark := [...]string{audit.Diverged: "Differs", audit.Unready: "Not ready", audit.Local: "Its own"}[d.Weight], [...]style{audit.Diverged: bad, audit.Unready: attention, audit.Local: plain}[d.Weight]
		if i > 0 && s.Differences[i-1].Weight == d.Weight {
			label = ""
		}
		p.field(label, mark, mark.mark(), d.Where()+": "+d.Text(s.Primary, s.Standby))
	}
}

// auditGaps prints each reason once, with what it is of.
func (p *page) auditGaps(s audit.Result) {
	for i, g := range groupGaps(s.Gaps) {
		label := ""
		if i == 0 {
			label = "Not known"
		}
		if i == mostGaps {
			p.field("", attention, "!", "and more: see '-o json'")
			return
		}
		mark := attention
		if g.idle {
			mark = plain
		}
		p.field(label, mark, mark.mark(), g.text())
	}
}

// gapGroup is one reason, and all that was not compared for it.
type gapGroup struct {
	why  string
	idle bool
	of   []string
}

func groupGaps(gaps []audit.Gap) []gapGroup {
	var out []gapGroup
	for _, g := range gaps {
		i := slices.IndexFunc(out, func(o gapGroup) bool { return o.why == g.Why })
		if i < 0 {
			out = append(out, gapGroup{why: g.Why, idle: g.Idle})
			i = len(out) - 1
		}
		out[i].of = append(out[i].of, g.Where())
	}
	return out
}

func (g gapGroup) text() string {
	switch {
	case len(g.of) == 1 && g.of[0] == "cluster":
		return g.why
	case len(g.of) == 1:
		return g.of[0] + ": " + g.why
	default:
		return fmt.Sprintf("%s and %s: %s", g.of[0], plural(len(g.of)-1, "other", "others"), g.why)
	}
}

func (p *page) auditRemedies(name string, s audit.Result) {
	var said []string
	for _, d := range s.Differences {
		remedy := d.Remedy(s.Primary, s.Standby)
		if remedy == "" || slices.Contains(said, remedy) || len(said) == mostRemedies {
			continue
		}
		said = append(said, remedy)
		label := ""
		if len(said) == 1 {
			label = "Do"
		}
		p.field(label, plain, "→", remedy)
	}
	if s.Verdict != plan.ContentEqual {
		p.field("Again", plain, "→", "when this is done: 'reconcile audit "+name+"'")
	}
}

func auditMarkdown(r AuditReport) string {
	var b strings.Builder
	b.WriteString("| topology | standby | verdict | rests on |\n|---|---|---|---|\n")
	for _, t := range r.Topologies {
		for _, s := range t.Standbys {
			rests := fmt.Sprintf("%d of %d collections counted, %d rows, %d compared bit by bit", s.Counted, s.Collections, s.Rows, s.Sampled)
			b.WriteString(markdownRow(safetext.Markdown(t.Name), safetext.Markdown(s.Standby), s.Verdict.String(), rests))
		}
	}
	for _, t := range r.Topologies {
		for _, s := range t.Standbys {
			if len(s.Differences)+len(s.Gaps) > 0 {
				b.WriteString(auditMarkdownDetails(t.Name, s))
			}
		}
	}
	return cutMarkdown(b.String())
}

func auditMarkdownDetails(name string, s audit.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s: %s\n\n", safetext.Markdown(name), safetext.Markdown(s.Standby))
	b.WriteString("| where | what | what to do |\n|---|---|---|\n")
	for _, d := range s.Differences {
		b.WriteString(markdownRow(safetext.Markdown(d.Where()), safetext.Markdown(d.Weight.String()+": "+d.Text(s.Primary, s.Standby)), safetext.MarkdownProse(orElse(d.Remedy(s.Primary, s.Standby), "-"))))
	}
	for _, g := range groupGaps(s.Gaps) {
		b.WriteString(markdownRow(safetext.Markdown(g.of[0]), safetext.Markdown("not compared: "+g.text()), "-"))
	}
	return b.String()
}

func encodeEqual(p plan.EqualProof) wireEqual {
	return wireEqual{Standby: p.Standby, Primary: p.Primary, At: timeOrNil(p.At), Rows: p.Rows, Sampled: p.Sampled}
}

func (r *decodeReader) provenEqual(all []wireEqual) []plan.EqualProof {
	var out []plan.EqualProof
	for _, w := range all {
		out = append(out, plan.EqualProof{Standby: w.Standby, Primary: w.Primary, At: r.time(w.At), Rows: w.Rows, Sampled: w.Sampled})
	}
	return out
}

// equalRows say when the cluster to promote, or each standby at rest, was last proven equal.
func equalRows(t plan.TopologyPlan) []row {
	var out []row
	for _, p := range t.ProvenEqual {
		out = append(out, row{label: "Equal", text: p.Text()})
	}
	return out
}
