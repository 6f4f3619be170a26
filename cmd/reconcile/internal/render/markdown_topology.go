package render

import (
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

// markdownTopology is one topology as a section; the tables are folded away.
func (d Document) markdownTopology(t plan.TopologyPlan) string {
	var b strings.Builder
	headline, s := d.headline(t)
	fmt.Fprintf(&b, "\n### %s %s: %s\n", s.mark(), inert(t.Name), inert(headline))
	b.WriteString(d.markdownHappening(t))
	for _, part := range []struct {
		label, mark string
		findings    []plan.Finding
	}{
		{"Blocked by", "✗", t.Blocking(d.accepted(t))},
		{"Accepted by the approver", "✓", acceptedFindings(t)},
		{"Beware", "!", aside(t, plan.SeverityCritical)},
		{"Note", "!", aside(t, plan.SeverityWarning, plan.SeverityInfo)},
	} {
		if len(part.findings) > 0 {
			fmt.Fprintf(&b, "\n**%s**\n\n%s", part.label, markdownFindings(part.findings, part.mark, ""))
		}
	}
	b.WriteString(d.markdownApproval(t))
	b.WriteString(folded("Clusters", clusterRows(t)))
	if len(t.Steps) > 0 {
		b.WriteString(folded("Steps", stepRows(t)))
	}
	return b.String()
}

func (d Document) markdownHappening(t plan.TopologyPlan) string {
	if d.kind() == KindStatus {
		return ""
	}
	label, text := d.happeningWords(t)
	out := fmt.Sprintf("\n**%s** %s\n", label, inertProse(text)) + d.markdownRemedy(t, plan.CodeForcePromote)
	if t.Transition != plan.TransitionNone {
		loss, s := d.lossText(t)
		out += fmt.Sprintf("\n**May be lost** %s %s\n", s.mark(), inertProse(loss)) + d.markdownRemedy(t, plan.CodeDataLossRisk)
		if text, s := d.replicationWords(t); text != "" {
			out += fmt.Sprintf("\n**Replication** %s %s\n", s.mark(), inertProse(text))
		}
	}
	return out
}

// markdownRemedy is what to do about a finding that has a place of its own.
func (d Document) markdownRemedy(t plan.TopologyPlan, code plan.Code) string {
	if remedy := d.yetToApprove(t, ownRemedy(t, code)); remedy != "" {
		return "\n→ " + inertProse(remedy) + "\n"
	}
	return ""
}

func markdownFindings(findings []plan.Finding, mark, indent string) string {
	var b strings.Builder
	for _, f := range urgentFirst(findings) {
		symbol := mark
		if f.Severity == plan.SeverityInfo {
			symbol = plain.mark()
		}
		fmt.Fprintf(&b, "%s- %s %s %s", indent, symbol, codeName(string(f.Code)), inertProse(f.Message))
		if at := place(f.At.File, f.At.Line, f.At.Column); at != "" {
			fmt.Fprintf(&b, " (%s)", inert(at))
		}
		if remedy := findingRemedy(f); remedy != "" && !f.Accepted {
			fmt.Fprintf(&b, "\n%s  → %s", indent, inertProse(remedy))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (d Document) markdownApproval(t plan.TopologyPlan) string {
	steps := d.nextSteps(t)
	if len(steps) == 0 || d.kind() == KindStatus {
		return ""
	}
	var b strings.Builder
	if t.Transition != plan.TransitionNone {
		words, s := d.approvalWords(t)
		fmt.Fprintf(&b, "\n**Approval** %s\n", strings.TrimPrefix(s.mark()+" ", "· ")+inertProse(words))
	}
	b.WriteString("\n**Next**\n\n")
	for _, step := range steps {
		fmt.Fprintf(&b, "- %s\n", inertProse(step.words))
		if len(step.lines) > 0 {
			b.WriteString("\n" + codeBlock(step.lines))
		}
	}
	return b.String()
}

// codeBlock is a block of code; its lines are safe and hold no fence, since no
// name may hold a backtick, and if one does it is written out.
func codeBlock(lines []string) string {
	var b strings.Builder
	b.WriteString("```text\n")
	for _, l := range lines {
		b.WriteString(strings.ReplaceAll(Safe(l), "`", `\x60`) + "\n")
	}
	b.WriteString("```\n")
	return b.String()
}

func folded(title string, g grid) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", title)
	b.WriteString(markdownRow(g.head...) + strings.Repeat("|---", len(g.head)) + "|\n")
	for _, row := range g.rows {
		b.WriteString(markdownRow(mapList(row, func(c cell) string { return inert(c.text) })...))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}
