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
	out := fmt.Sprintf("\n**%s** %s\n", label, inertProse(text))
	if t.Transition != plan.TransitionNone {
		loss, s := lossText(t)
		out += fmt.Sprintf("\n**May be lost** %s %s\n", s.mark(), inertProse(loss))
		if text, s := replicationWords(t); text != "" {
			out += fmt.Sprintf("\n**Replication** %s %s\n", s.mark(), inertProse(text))
		}
	}
	return out
}

func markdownFindings(findings []plan.Finding, mark, indent string) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s- %s %s %s", indent, mark, codeName(string(f.Code)), inertProse(f.Message))
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
	if t.Transition == plan.TransitionNone || d.kind() == KindStatus {
		return ""
	}
	if d.observed() != ObservedLive {
		return "\n**Approval** " + notCheckedWords + ".\n\n**Next** " + inertProse("`"+planCommand(d, t)+"`") + "\n"
	}
	a := d.approval(t)
	switch a.Verdict {
	case VerdictApproved:
		return "\n**Approval** ✓ " + inertProse(approvedWords(a)) + "\n\n**Next** " + inertProse(nextWords(d, t)) + "\n"
	case VerdictNotRequired:
		return "\n**Approval** ✓ not needed" + inertProse(because(a.Detail)) + "\n\n**Next** " + inertProse(nextWords(d, t)) + "\n"
	default: // whatever else is a denial
	}
	prose, howTo := splitDetail(a)
	text := "\n**Approval** ✗ " + inertProse(deniedWords(a.Code, prose)) + "\n"
	if !howTo {
		if words := denialWords(t, a); len(words) > 0 {
			text += "\n**Next** " + inertProse(strings.Join(words, " ")) + "\n"
		}
		return text
	}
	for _, words := range blockedApproval(d, t) {
		text += "\n" + inertProse(words) + "\n"
	}
	return text + "\nTo approve, end the message of the signed commit (or merge) that changes the file with this paragraph:\n\n" +
		codeBlock(Trailers(t)) + "\nOr let another person sign a tag, before or after the merge: " + inertProse("`"+approveCommand(t)+"`") + "\n"
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
