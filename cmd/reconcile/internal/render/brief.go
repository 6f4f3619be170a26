package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// brief is what the page of one topology says, in this order: what happens and what it
// waits for, what it does, may lose and rests on, what blocks it, what to do first, what
// to type, and what becomes of each cluster. Table and Markdown show the same brief.
type brief struct {
	name     string
	headline string
	style    style
	rows     []row
	actions  []action
	members  grid
	steps    grid // what an apply did; empty for a plan
	notes    []string
	noteMost int

	remarkLines int // of a remark beside a transition; 0: all
}

// row is one labelled paragraph. Several in a row may share a label.
type row struct {
	label string
	text  string
	style style
	most  int // lines that it may take; 0: as many as it needs
}

// action is one thing to do, with the command that does it.
type action struct {
	label   string // NOW, OR or THEN
	words   string
	command string
	remedy  string // of the finding that asks for it, which then is not told again
	most    int
}

// detail is how much a brief says. What it leaves out, it counts.
type detail struct {
	remedies bool // below what to beware of
	notes    bool // warnings and remarks
	lines    int  // of one finding or instruction; 0: all
	findings int  // of one kind; 0: all
	members  int  // 0: all
	short    bool // one line for what is left out
	tight    bool // one line for everything
}

// details are tried in order until the page fits.
var details = []detail{
	{remedies: true, notes: true},
	{notes: true, lines: 3},
	{notes: true, lines: 2},
	{lines: 3, short: true},
	{lines: 2, short: true, members: 8},
	{lines: 2, short: true, findings: 2, members: 6},
	{lines: 2, short: true, findings: 1, members: 4},
	{lines: 1, short: true, findings: 1, members: 3},
	{lines: 1, short: true, findings: 1, members: 2, tight: true},
}

// pageLines is what fits a terminal of 24 lines together with the prompt below.
const pageLines = 23

// brief assembles what is to be said of a topology.
func (d Document) brief(t plan.TopologyPlan, level detail) brief {
	headline, s := d.headline(t)
	b := brief{name: t.Name, headline: headline, style: s, remarkLines: one(t.Transition != plan.TransitionNone)}
	if d.oneLineOnly(t) {
		b.headline, b.style = inSyncWords(t), restStyle(t)
	}
	shown := shownFindings{}
	b.actions = d.actions(t)
	if t.UnderWay != nil {
		b.rows = append(b.rows, row{label: "Running", text: underWayWords(*t.UnderWay), style: attention})
	}
	if d.kind() != KindStatus {
		b.rows = append(b.rows, d.changeRows(t, level, shown)...)
	}
	b.rows = append(b.rows, d.blockedRows(t, level, shown)...)
	if t.UnderWay == nil {
		b.rows = append(b.rows, d.approvalRows(t)...)
	}
	b.rows = append(b.rows, b.findingRows("Beware", otherFindings(t, plan.SeverityCritical), level, shown)...)
	if level.notes {
		b.rows = append(b.rows, b.findingRows("Note", otherFindings(t, plan.SeverityWarning, plan.SeverityInfo), level, shown)...)
	}
	b.rows = append(b.rows, b.firstRows(d, t)...)
	b.clip(level)
	if d.observed() != ObservedNone && !d.oneLineOnly(t) || d.kind() == KindStatus {
		var left int
		b.members, left = memberRows(t, level)
		b.notes = append(b.notes, clusterNotes(left)...)
	}
	if len(t.Steps) > 0 {
		b.notes = append(b.notes, optionSteps+" "+plural(len(t.Steps), "step", "steps"))
	}
	b.notes = append(b.notes, findingNotes(t, shown)...)
	return b
}

func clusterNotes(left int) []string {
	if left == 0 {
		return nil
	}
	return []string{optionAll + " " + plural(left, "more cluster", "more clusters")}
}

// findingNotes count what the page leaves out, and name what it tells in other words.
func findingNotes(t plan.TopologyPlan, shown shownFindings) []string {
	var hidden, reworded []plan.Finding
	for _, f := range t.Findings {
		switch {
		case !shown.has(f):
			hidden = append(hidden, f)
		case ownPlace(t, f):
			reworded = append(reworded, f)
		}
	}
	var parts []string
	if len(hidden) > 0 {
		parts = append(parts, fmt.Sprintf("%d NOT SHOWN (%s)", len(hidden), strings.Join(codesOf(hidden), ", ")))
	}
	if len(reworded) > 0 {
		parts = append(parts, strings.Join(codesOf(reworded), ", "))
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

// changeRows say what a transition does, may lose and rests on.
func (d Document) changeRows(t plan.TopologyPlan, level detail, shown shownFindings) []row {
	if t.Transition == plan.TransitionNone {
		return nil
	}
	for _, f := range t.Findings {
		if ownPlace(t, f) {
			shown.mark(f)
		}
	}
	s := plain
	if t.Has(plan.CodeForcePromote) {
		s = bad
	}
	var out []row
	for _, text := range d.doesWords(t) {
		out = append(out, row{label: "Does", text: text, style: s})
	}
	loss, s := d.mayLose(t)
	out = append(out, row{label: "May lose", text: loss, style: s})
	if text := d.evidenceWords(t); text != "" {
		out = append(out, row{label: "Evidence", text: text})
	}
	if text := seenNote(t.DataLoss); text != "" && !level.short && t.Transition == plan.TransitionFailover {
		out = append(out, row{label: "Evidence", text: text})
	}
	return out
}

// ownPlace reports whether a finding of a transition is told by another row than those
// of the findings.
func ownPlace(t plan.TopologyPlan, f plan.Finding) bool {
	switch f.Code {
	case plan.CodeForcePromote, plan.CodeDataLossRisk:
		return t.Transition == plan.TransitionFailover
	case plan.CodeStalePrimary:
		return t.Transition == plan.TransitionFailover && f.Cluster == t.OldPrimary
	case plan.CodeNoStandbyLeft:
		return t.Transition != plan.TransitionNone
	default:
		return false
	}
}

func (d Document) blockedRows(t plan.TopologyPlan, level detail, shown shownFindings) []row {
	var out []row
	found := t.Blocking(d.accepted(t))
	if len(found) == 0 && t.Transition != plan.TransitionNone && d.observed() == ObservedLive && d.kind() != KindStatus {
		out = append(out, row{label: "Blocked", text: "by nothing", style: plain})
	}
	for _, f := range limited(urgentFirst(found), level.findings) {
		shown.mark(f)
		out = append(out, row{label: "Blocked", text: "by " + findingWords(f), style: bad, most: level.lines})
	}
	if n := len(found) - level.findings; level.findings > 0 && n > 0 {
		out = append(out, row{label: "Blocked", text: fmt.Sprintf("and by %d more: %s", n, codeWords(urgentFirst(found)[level.findings:])), style: bad, most: 2})
	}
	return append(out, acceptedRows(t, level, shown)...)
}

func acceptedRows(t plan.TopologyPlan, level detail, shown shownFindings) []row {
	var out []row
	for _, f := range limited(acceptedFindings(t), level.findings) {
		shown.mark(f)
		out = append(out, row{label: "Accepted", text: findingWords(f), style: attention, most: level.lines})
	}
	return out
}

// clip limits what has no limit yet.
func (b *brief) clip(level detail) {
	b.noteMost = 2 - one(level.short)
	if level.lines == 0 {
		return
	}
	for i := range b.rows {
		if b.rows[i].most == 0 {
			b.rows[i].most = max(level.lines, 2-one(level.tight))
		}
	}
	for i := range b.actions {
		b.actions[i].most = level.lines
	}
}

// does reports whether an action is the remedy of a finding.
func (b brief) does(f plan.Finding) bool {
	return slices.ContainsFunc(b.actions, func(a action) bool {
		return a.remedy == f.Remedy || a.command != "" && strings.Contains(f.Remedy, a.command)
	})
}

func (b brief) findingRows(label string, findings []plan.Finding, level detail, shown shownFindings) []row {
	var out []row
	findings = urgentFirst(findings)
	for i, f := range findings {
		if level.findings > 0 && i >= level.findings {
			break
		}
		shown.mark(f)
		if f.Severity == plan.SeverityInfo {
			remark := level.lines
			if b.remarkLines > 0 {
				remark = b.remarkLines
			}
			out = append(out, row{label: label, text: findingWords(f), most: remark})
			continue
		}
		out = append(out, row{label: label, text: findingWords(f), style: attention, most: level.lines})
		if remedy := withoutAcceptance(f.Remedy); level.remedies && remedy != "" && !b.does(f) && (i+1 == len(findings) || findings[i+1].Remedy != f.Remedy) {
			out = append(out, row{label: label, text: "→ " + remedy})
		}
	}
	return out
}

func limited(findings []plan.Finding, most int) []plan.Finding {
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

// firstRows say what a person does before anything is approved or sent.
func (b brief) firstRows(d Document, t plan.TopologyPlan) []row {
	for _, f := range t.Findings {
		if f.Code == plan.CodeSplitBrain && !slices.ContainsFunc(b.actions, func(a action) bool { return a.remedy == f.Remedy }) {
			first, _, _ := strings.Cut(f.Remedy, "; ")
			first, _, _ = strings.Cut(first, ", and make")
			return []row{{label: "First", text: first, style: bad}}
		}
	}
	if d.kind() == KindStatus || t.Transition != plan.TransitionFailover || t.OldPrimary == "" || refusesWrites(t, t.OldPrimary) {
		return nil
	}
	return []row{{label: "First", text: "cut applications off " + t.OldPrimary, style: attention}}
}

// refusesWrites reports whether a cluster was seen to be a standby of another one.
func refusesWrites(t plan.TopologyPlan, cluster string) bool {
	for _, c := range t.Clusters {
		if c.ID == cluster {
			return c.View.Belief.Kind == plan.BeliefStandby && !c.View.Belief.Inferred
		}
	}
	return false
}

// evidenceWords say on which probes a failover rests, or how replication looks before a
// switchover.
func (d Document) evidenceWords(t plan.TopologyPlan) string {
	if text, _ := d.replicationWords(t); t.Transition != plan.TransitionFailover && text != "" {
		return "replication is " + text
	}
	for _, f := range t.Findings {
		if f.Evidence == nil || len(f.Evidence.Rounds) == 0 {
			continue
		}
		rounds := f.Evidence.Rounds
		failed, cause := 0, ""
		for _, r := range rounds {
			if r.Reach != plan.ReachUp {
				failed, cause = failed+1, classText(r.Class)
			}
		}
		return fmt.Sprintf("%s: %d of %s failed in %s%s", orElse(t.OldPrimary, "the old primary"), failed,
			plural(len(rounds), "probe", "probes"), plan.DurationText(rounds[len(rounds)-1].At.Sub(rounds[0].At)), inBrackets(cause))
	}
	return ""
}

// seenNote says when the old primary was first seen down, and last seen up.
func seenNote(w *plan.Window) string {
	switch {
	case w == nil || w.SeenDown.IsZero():
		return ""
	case w.SeenUp.IsZero():
		return "it was down already when first looked at, " + timeOfDay(w.SeenDown)
	default:
		return "it was last seen up " + timeOfDay(w.SeenUp) + ", first seen down " + timeOfDay(w.SeenDown)
	}
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// timeOfDay is cut to the second, as clockTime is.
func timeOfDay(t time.Time) string { return t.UTC().Format("15:04:05Z") }
