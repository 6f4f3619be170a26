package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// findingNotes count what the page leaves out, and name what it tells in other words.
func findingNotes(t plan.TopologyPlan, shown shownFindings, level detail) []string {
	var hidden, reworded []plan.Finding
	for _, f := range t.Findings {
		switch {
		case !shown.has(f) && f.Severity != plan.SeverityInfo:
			hidden = append(hidden, f)
		case !shown.has(f), ownPlace(t, f):
			reworded = append(reworded, f)
		}
	}
	var parts []string
	if len(hidden) > 0 {
		parts = append(parts, fmt.Sprintf("%d NOT SHOWN", len(hidden)))
	}
	switch all := codesOf(append(hidden, reworded...)); {
	case len(all) > 0 && level.shortNotes:
		parts = append(parts, plural(len(all), "more code", "more codes"))
	case len(all) > 0:
		parts = append(parts, strings.Join(all, ", "))
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{optionFindings + " " + strings.Join(parts, "; ")}
}

// The options that show what a page leaves out.
const (
	optionFindings = "--findings"
	optionSteps    = "--steps"
	optionAll      = "-v"
)

// shownFindings are the findings that the page tells.
type shownFindings map[string]bool

func (s shownFindings) mark(f plan.Finding) {
	s[string(f.Code)+"\x00"+f.Cluster+"\x00"+f.Message] = true
}

func (s shownFindings) has(f plan.Finding) bool {
	return s[string(f.Code)+"\x00"+f.Cluster+"\x00"+f.Message]
}

// toldElsewhere are the findings that other rows than those of the findings tell.
func toldElsewhere(t plan.TopologyPlan) shownFindings {
	shown := shownFindings{}
	for _, f := range t.Findings {
		if ownPlace(t, f) {
			shown.mark(f)
		}
	}
	return shown
}

// ownPlace reports whether a finding of a transition is told by another row than those
// of the findings.
func ownPlace(t plan.TopologyPlan, f plan.Finding) bool {
	switch f.Code {
	case plan.CodeForcePromote, plan.CodeDataLossRisk:
		return t.Transition == plan.TransitionFailover
	case plan.CodeStalePrimary:
		return t.Transition == plan.TransitionFailover && f.Cluster == t.OldPrimary ||
			t.Transition == plan.TransitionFence && slices.Contains(fenced(t), f.Cluster)
	case plan.CodeNoStandbyLeft:
		return t.Transition != plan.TransitionNone
	case plan.CodePromotionInDoubt: // what is under way is not in doubt
		return t.UnderWay != nil
	case plan.CodeStandbyBecomesWritable:
		return t.Transition == plan.TransitionDetach
	case plan.CodeSplitBrain: // the headline names both
		return t.Transition == plan.TransitionNone
	case plan.CodeJoinNotEmpty:
		return hasOf(t, plan.CodeWouldDemoteWriter, f.Cluster)
	case plan.CodeServerWouldReject:
		return t.Has(plan.CodePChannelMismatch) && strings.Contains(f.Message, "channels only grow")
	case plan.CodeClusterUnreachable: // the list of clusters says so
		return (t.Transition == plan.TransitionNone || t.Transition == plan.TransitionFence) && !strings.Contains(f.Message, ";") && !unobserved(t)
	case plan.CodeNoPrimary: // the headline of an outage says so
		_, outage := writerCondition(t)
		return f.Severity != plan.SeverityBlocking && outage && t.Transition != plan.TransitionFailover
	default:
		return false
	}
}

func (d Document) blockedRows(t plan.TopologyPlan, level detail, shown shownFindings) []row {
	var out []row
	found := onceEach(t, t.Blocking(d.accepted(t)))
	if len(found) == 0 && !t.Has(plan.CodePromotionHalfDone) && t.Transition != plan.TransitionNone && d.observed() == ObservedLive && d.kind() != KindStatus {
		out = append(out, row{label: "Blocked", text: "by nothing", style: plain})
	}
	for _, f := range limited(found, level.findings) {
		shown.mark(f.Finding)
		r := row{label: "Blocked", text: "by " + d.pageWords(t, f.Finding) + f.alike(shown), style: bad, most: level.lines}
		switch {
		case d.blocksNothing(t, f.Finding) && f.Code == plan.CodePrimaryNotProbed:
			r.label, r.text, r.style = "Evidence", d.notProbedWords(t, f.Finding), plain
		case d.inOrder(t, f.Finding):
			r.label, r.text, r.style = "Waits", strings.TrimPrefix(r.text, "by "), attention
		case d.blocksNothing(t, f.Finding):
			r.label, r.text = "Beware", strings.TrimPrefix(r.text, "by ")
		}
		out = append(out, r)
	}
	if n := len(found) - level.findings; level.findings > 0 && n > 0 {
		var rest []plan.Finding
		for _, f := range found[level.findings:] {
			rest = append(rest, f.Finding)
		}
		out = append(out, row{label: "Blocked", text: fmt.Sprintf("and by %d more: %s", n, codeWords(rest)), style: bad, most: 2})
	}
	return append(out, d.acceptedRows(t, level, shown)...)
}

// repeated is a finding with others that say the same of other clusters.
type repeated struct {
	plan.Finding
	others []plan.Finding
}

// alike says for which other clusters a finding holds too.
func (r repeated) alike(shown shownFindings) string {
	var ids []string
	for _, f := range r.others {
		shown.mark(f)
		ids = append(ids, f.Cluster)
	}
	if len(ids) == 0 {
		return ""
	}
	return "; the same is true for " + list(ids)
}

// onceEach leaves out what another place of the page tells, and puts together what differs
// by the name of the cluster alone. The most urgent come first.
func onceEach(t plan.TopologyPlan, findings []plan.Finding) []repeated {
	var out []repeated
	for _, f := range urgentFirst(findings) {
		if ownPlace(t, f) {
			continue
		}
		i := slices.IndexFunc(out, func(r repeated) bool { return sameOfAnother(r.Finding, f) })
		if i < 0 {
			out = append(out, repeated{Finding: f})
			continue
		}
		out[i].others = append(out[i].others, f)
	}
	return out
}

func sameOfAnother(a, b plan.Finding) bool {
	if a.Code != b.Code || a.Cluster == "" || b.Cluster == "" || a.Cluster == b.Cluster {
		return false
	}
	if len(a.Cluster) == len(b.Cluster) && len(a.Message) != len(b.Message) {
		return false
	}
	return withName(a.Message, a.Cluster, b.Cluster) == b.Message
}

// withName replaces the name of a cluster, where it is a word of its own.
func withName(text, from, to string) string {
	var out strings.Builder
	for rest, before := text, byte(' '); ; {
		i := strings.Index(rest, from)
		if i < 0 {
			return out.String() + rest
		}
		if i > 0 {
			before = rest[i-1]
		}
		after := rest[i+len(from):]
		name := from
		if strings.IndexByte(" ,(", before) >= 0 && (after == "" || strings.IndexByte(" ,;:)", after[0]) >= 0) {
			name = to
		}
		out.WriteString(rest[:i] + name)
		rest, before = after, from[len(from)-1]
	}
}

func acceptedFindings(t plan.TopologyPlan) []plan.Finding {
	var out []plan.Finding
	for _, f := range t.Findings {
		if f.Accepted {
			out = append(out, f)
		}
	}
	return out
}

func (d Document) acceptedRows(t plan.TopologyPlan, level detail, shown shownFindings) []row {
	var out []row
	for _, f := range limited(acceptedFindings(t), level.findings) {
		shown.mark(f)
		out = append(out, row{label: "Accepted", text: d.pageWords(t, f), style: attention, most: level.lines})
	}
	return out
}

func hasOf(t plan.TopologyPlan, code plan.Code, cluster string) bool {
	return slices.ContainsFunc(t.Findings, func(f plan.Finding) bool { return f.Code == code && f.Cluster == cluster })
}

// does reports whether an action is the remedy of a finding.
func (b brief) does(f plan.Finding) bool {
	return slices.ContainsFunc(b.actions, func(a action) bool {
		return a.remedy == f.Remedy || a.command != "" && strings.Contains(f.Remedy, a.command)
	})
}

// noticeRows are what else a person has to know. Remarks have a row where nothing else is
// to be said.
func (b brief) noticeRows(d Document, t plan.TopologyPlan, level detail, shown shownFindings) []row {
	critical := slices.DeleteFunc(otherFindings(t, plan.SeverityCritical), func(f plan.Finding) bool {
		return f.Code == plan.CodePromotionHalfDone && shown.has(f) // it stands first
	})
	out := b.findingRows(d, t, "Beware", critical, level, shown)
	if !level.notes {
		return out
	}
	out = append(out, b.findingRows(d, t, "Note", otherFindings(t, plan.SeverityWarning), level, shown)...)
	if t.Transition == plan.TransitionNone && !hasTrouble(t) {
		out = append(out, b.findingRows(d, t, "Note", otherFindings(t, plan.SeverityInfo), level, shown)...)
	}
	return out
}

func (b brief) findingRows(d Document, t plan.TopologyPlan, label string, findings []plan.Finding, level detail, shown shownFindings) []row {
	if len(findings) > 0 && (level.codes || level.noteCodes && findings[0].Severity != plan.SeverityCritical) {
		for _, f := range findings {
			shown.mark(f)
		}
		return []row{{label: label, text: codeWords(findings) + " (" + optionFindings + " tells more)", style: attention, most: level.lines}}
	}
	var out []row
	found := onceEach(t, findings)
	for i, f := range found {
		if level.findings > 0 && i >= level.findings {
			break
		}
		shown.mark(f.Finding)
		r := row{label: label, text: d.pageWords(t, f.Finding) + f.alike(shown), style: attention, most: level.lines}
		if f.Severity == plan.SeverityInfo {
			r.style = plain
			out = append(out, r)
			continue
		}
		out = append(out, r)
		if remedy := withoutCommands(remedyClauses(f.Finding)); level.remedies && remedy != "" && !b.does(f.Finding) && (i+1 == len(found) || found[i+1].Remedy != f.Remedy) {
			out = append(out, row{label: label, text: "→ " + remedy})
		}
	}
	return out
}

// seeFor is the end of a clause that says what a command is good for.
var seeFor = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(, and [^:,]+)?: ['`](reconcile|git) [^'`]+['`].*$") })

// withoutCommands are the clauses of a remedy that need no command: a command stands alone
// on its line, below NOW, or in the list of all findings.
func withoutCommands(clauses []string) string {
	var kept []string
	for _, clause := range clauses {
		m := seeFor().FindStringSubmatchIndex(clause)
		switch {
		case m == nil:
			kept = append(kept, clause)
		case m[2] >= 0:
			kept = append(kept, clause[:m[0]])
		}
	}
	return strings.Join(kept, "; ")
}

// pageWords are the code and what was seen, without what the clusters below say too.
func (d Document) pageWords(t plan.TopologyPlan, f plan.Finding) string {
	words := findingWords(f)
	if d.observed() == ObservedNone {
		return words
	}
	kept, rest := "", words
	for {
		before, behind, found := strings.Cut(rest, " (")
		inner, after, closed := strings.Cut(behind, ")")
		if !found || !closed {
			return kept + rest
		}
		if kept += before; !saysHowClustersAnswer(t, inner) {
			kept += " (" + inner + ")"
		}
		rest = after
	}
}

// saysHowClustersAnswer reports whether a text in brackets says only what the list of clusters
// says too.
func saysHowClustersAnswer(t plan.TopologyPlan, text string) bool {
	for part := range strings.SplitSeq(text, "; ") {
		id, says, _ := strings.Cut(part, " ")
		if _, listed := member(t, id); !listed || says != "stores no configuration" && !strings.HasPrefix(says, "stores that it is ") && !strings.HasPrefix(says, "is ") || strings.ContainsAny(says, "(;") {
			return false
		}
	}
	return true
}

func limited[T any](findings []T, most int) []T {
	if most > 0 && len(findings) > most {
		return findings[:most]
	}
	return findings
}

// findingWords are the code and what was seen.
func findingWords(f plan.Finding) string {
	text := string(f.Code)
	if f.Cluster != "" && !strings.Contains(f.Message, f.Cluster) {
		text += " " + f.Cluster
	}
	return text + ": " + f.Message
}
