package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// maxComment is what a pull-request comment may hold, in bytes; forges count
// characters. There are never more of them.
const maxComment = 65536 - 1

// workflowReserve is what a workflow may put around the document, such as the
// marker by which it finds its comment again.
const workflowReserve = 1024

// maxMarkdown is what the document may take of a comment, with its notice that
// something was cut.
const maxMarkdown = maxComment - workflowReserve

// cutReserve is kept free for the notice that something was cut.
const cutReserve = 512

// Markdown writes the document as a pull-request comment of at most 64,511
// bytes, so that a workflow can add a little and stay below 65,536. The summary comes first and survives every cut; what does not fit is
// left out by whole topologies, those in sync first. Its first line is a
// marker by which a workflow finds the comment again.
func Markdown(w io.Writer, d Document) error {
	m := markdown{room: maxMarkdown - cutReserve}
	m.add(d.markdownHead())
	var loud []plan.TopologyPlan
	for _, t := range d.worstFirst() {
		if !d.oneLineOnly(t) || d.kind() == KindStatus {
			loud = append(loud, t)
		}
	}
	m.addAll(problemLines(d.Problems))
	if len(loud) > 0 {
		m.add("\n" + markdownRow("topology", "what", "may be lost", "blocked by", "approval") + "|---|---|---|---|---|\n")
	}
	rows := mapList(loud, d.markdownSummaryRow)
	m.addAll(rows)
	for _, t := range loud {
		m.add(d.markdownTopology(t))
	}
	m.addAll(d.markdownQuiet())
	return writeText(w, m.String())
}

// markdown collects parts as long as they fit. A part is added whole or not
// at all, so that no fence and no tag is left open.
type markdown struct {
	b    strings.Builder
	room int
	cut  int
}

func (m *markdown) add(part string) {
	if len(part) > m.room {
		m.cut++
		return
	}
	m.room -= len(part)
	m.b.WriteString(part)
}

func (m *markdown) addAll(parts []string) {
	for _, part := range parts {
		m.add(part)
	}
}

func (m *markdown) String() string {
	if m.cut > 0 {
		fmt.Fprintf(&m.b, "\n> **Cut:** %s did not fit into a comment. `reconcile plan` shows all of it.\n", plural(m.cut, "part", "parts"))
	}
	return m.b.String()
}

func (d Document) markdownHead() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- reconcile:%s -->\n", d.kind())
	words, changes := d.summaryWords(), ""
	if len(d.Plan.Topologies) > 1 { // each counts once, as on the page of several
		words, changes = d.fleetWords(mapList(d.topologies(), d.condition)), strings.Join(d.changeCounts(), ", ")
	}
	fmt.Fprintf(&b, "## reconcile %s\n\n**%s**\n", d.kind(), safetext.Markdown(words))
	if changes != "" {
		fmt.Fprintf(&b, "\n%s\n", safetext.Markdown(changes))
	}
	if basis := d.basisWords(); basis != "" {
		fmt.Fprintf(&b, "\n%s\n", safetext.Markdown(basis))
	}
	return b.String()
}

func problemLines(problems []Problem) []string {
	if len(problems) == 0 {
		return nil
	}
	out := []string{"\n**✗ Problems in topology files.** These documents are left out until they are corrected.\n\n"}
	for _, p := range problems {
		line := fmt.Sprintf("- %s: %s", safetext.Markdown(p.where()), safetext.MarkdownProse(p.what()))
		if p.Hint != "" {
			line += "\n  → " + safetext.MarkdownProse(p.Hint)
		}
		out = append(out, line+"\n")
	}
	return out
}

func (d Document) markdownSummaryRow(t plan.TopologyPlan) string {
	return markdownRow("**"+safetext.Markdown(t.Name)+"**", safetext.Markdown(d.changeWords(t)), d.lossCell(t), d.blockedCell(t), d.approvalCell(t))
}

// blockedCell names what blocks a change. Where Git asks for none, it names the gravest finding.
func (d Document) blockedCell(t plan.TopologyPlan) string {
	var codes []string
	for _, f := range d.blocking(t) {
		if name := safetext.CodeName(string(f.Code)); !slices.Contains(codes, name) {
			codes = append(codes, name)
		}
	}
	f, found := worstFinding(t)
	switch {
	case len(codes) > 0:
		return "✗ " + strings.Join(codes, ", ")
	case t.Has(plan.CodePromotionHalfDone):
		return "! " + safetext.CodeName(string(plan.CodePromotionHalfDone))
	case d.frozen(t):
		return "! " + safetext.CodeName(string(plan.CodeChangeFrozen)) + " until " + safetext.Markdown(t.Frozen.UntilText())
	case d.rebuildWaits(t) != "":
		return "! " + safetext.CodeName(string(plan.CodeRebuildWaits)) + ": " + safetext.Markdown(strings.TrimPrefix(d.rebuildWaits(t), "WAITS "))
	case t.Transition == plan.TransitionNone && found:
		return "no change; found: " + d.symbol(t).mark() + " " + safetext.CodeName(string(f.Code))
	case t.Transition == plan.TransitionNone:
		return "–"
	default:
		return "nothing"
	}
}

// worstFirst are the topologies in the order of the page of several.
func (d Document) worstFirst() []plan.TopologyPlan {
	out := d.topologies()
	slices.SortStableFunc(out, func(a, b plan.TopologyPlan) int { return cmp.Compare(d.condition(a), d.condition(b)) })
	return out
}

func (d Document) lossCell(t plan.TopologyPlan) string {
	switch {
	case t.Transition == plan.TransitionNone:
		return "–"
	case d.rebuildWaits(t) != "":
		return "nothing, while it waits"
	case t.Transition != plan.TransitionFailover && d.blocked(t):
		return "nothing, while it is blocked"
	case t.Transition == plan.TransitionFence:
		return "! see below"
	case t.Transition != plan.TransitionFailover:
		return "nothing"
	case unobserved(t):
		return "✗ not observed"
	case t.DataLoss == nil || t.DataLoss.Upper == nil:
		return "✗ **unknown**"
	default:
		return "✗ up to " + plan.UpperBoundText(*t.DataLoss.Upper)
	}
}

func (d Document) approvalCell(t plan.TopologyPlan) string {
	a := d.approval(t)
	switch {
	case t.Transition == plan.TransitionNone:
		return "–"
	case d.observed() != ObservedLive:
		return "not checked"
	case a.Verdict == approval.VerdictApproved:
		return "✓ approved"
	case a.Verdict == approval.VerdictNotRequired:
		return "✓ not needed"
	default:
		return "✗ " + safetext.CodeName(orElse(a.Code, "not approved"))
	}
}

// markdownQuiet lists what is in sync, at the end, in pieces that can be cut.
func (d Document) markdownQuiet() []string {
	var out []string
	for _, t := range d.worstFirst() {
		if d.oneLineOnly(t) && d.kind() != KindStatus {
			out = append(out, "- "+d.symbol(t).mark()+" **"+safetext.Markdown(t.Name)+"** "+safetext.Markdown(d.inSyncWords(t))+"\n"+d.markdownFindings(t, "  "))
		}
	}
	if len(out) > 0 {
		title := "In sync"
		if slices.ContainsFunc(d.topologies(), d.lagNotRead) {
			title = "In sync by role"
		}
		if d.observed() == ObservedNone {
			title = "No change"
		}
		out[0] = "\n**" + title + "**\n\n" + out[0]
	}
	return out
}

// cutMarkdown cuts plain rows at a line's end.
func cutMarkdown(text string) string {
	if len(text) <= maxMarkdown {
		return text
	}
	text = text[:maxMarkdown-cutReserve]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text[:strings.LastIndexByte(text, '\n')+1] + "\n> **Cut:** the rest did not fit.\n"
}

// markdownTopology is one topology as a section, with the rows and commands of its page;
// what the page shows on request is folded away.
func (d Document) markdownTopology(t plan.TopologyPlan) string {
	b := d.brief(t, detail{notes: true})
	var out strings.Builder
	fmt.Fprintf(&out, "\n### %s %s: %s\n", b.style.mark(), safetext.Markdown(t.Name), safetext.Markdown(b.headline))
	if len(b.rows) > 0 {
		out.WriteString("\n")
	}
	for i, r := range b.rows {
		switch again := i > 0 && b.rows[i-1].label == r.label; {
		case !again:
			fmt.Fprintf(&out, "- **%s** %s\n", r.label, safetext.MarkdownProse(r.text))
		default:
			fmt.Fprintf(&out, "  <br>%s\n", safetext.MarkdownProse(r.text))
		}
	}
	for _, a := range b.actions {
		fmt.Fprintf(&out, "\n**%s** %s\n", a.label, safetext.MarkdownProse(a.words))
		if a.command != "" {
			out.WriteString("\n" + codeBlock([]string{a.command}))
		}
	}
	out.WriteString(folded("Clusters", clusterRows(t)))
	if len(t.Findings) > 0 {
		fmt.Fprintf(&out, "\n<details><summary>Findings in full: %d</summary>\n\n%s\n</details>\n", len(t.Findings), d.markdownFindings(t, ""))
	}
	if len(t.Steps) > 0 {
		out.WriteString(folded(plural(len(allSteps(t)), "step", "steps"), stepRows(t)))
	}
	if t.Transition != plan.TransitionNone && d.kind() != KindStatus {
		out.WriteString("\n<details><summary>Approve by a commit instead of a tag</summary>\n\nEnd the message of the signed commit (or merge) that changes this file with these lines, as a paragraph of their own:\n\n" +
			codeBlock(Trailers(t, d.approval(t).Repository)) + "\n</details>\n")
	}
	return out.String()
}

func (d Document) markdownFindings(t plan.TopologyPlan, indent string) string {
	var b strings.Builder
	for _, f := range urgentFirst(t.Findings) {
		symbol := severityStyle(f.Severity).mark()
		fmt.Fprintf(&b, "%s- %s %s %s", indent, symbol, safetext.CodeName(string(f.Code)), safetext.MarkdownProse(f.Message))
		if at := place(f.At.File, f.At.Line, f.At.Column); at != "" {
			fmt.Fprintf(&b, " (%s)", safetext.Markdown(at))
		}
		if remedy := d.remedyOf(t, f); remedy != "" && !f.Accepted {
			fmt.Fprintf(&b, "\n%s  → %s", indent, safetext.MarkdownProse(remedy))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// codeBlock is a block of code; its lines are safe and hold no fence, since no
// name may hold a backtick, and if one does it is written out.
func codeBlock(lines []string) string {
	var b strings.Builder
	b.WriteString("```text\n")
	for _, l := range lines {
		b.WriteString(strings.ReplaceAll(safetext.Safe(l), "`", `\x60`) + "\n")
	}
	b.WriteString("```\n")
	return b.String()
}

func folded(title string, g grid) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", title)
	b.WriteString(markdownRow(g.head...) + strings.Repeat("|---", len(g.head)) + "|\n")
	for _, row := range g.rows {
		b.WriteString(markdownRow(mapList(row, func(c cell) string { return safetext.Markdown(c.text) })...))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

func markdownRow(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }
