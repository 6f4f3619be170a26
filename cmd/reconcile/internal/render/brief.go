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
	short    bool // one line for what is left out, and no second line of evidence
	codes    bool // of what to beware of only the codes, of a denial only the first clause
	findings int  // of one kind; 0: all. Below that, no evidence
	members  int  // 0: all
	lines    int  // of one finding or instruction; 0: all. Only here a text is cut

	noteCodes bool // of warnings only the codes
}

// details are tried in order until the page fits.
var details = []detail{
	{remedies: true, notes: true},
	{notes: true},
	{notes: true, short: true},
	{notes: true, short: true, noteCodes: true, members: 12},
	{notes: true, short: true, noteCodes: true, members: 8, codes: true},
	{notes: true, short: true, noteCodes: true, members: 4, codes: true},
	{short: true, members: 2, codes: true, findings: 2},
	{short: true, members: 2, codes: true, findings: 1},
	{short: true, members: 2, codes: true, findings: 1, lines: 2},
	{short: true, members: 2, codes: true, findings: 1, lines: 1},
}

// pageLines is what fits a terminal of 24 lines together with the prompt below.
const pageLines = 23

// brief assembles what is to be said of a topology.
func (d Document) brief(t plan.TopologyPlan, level detail) brief {
	headline, s := d.headline(t)
	b := brief{name: t.Name, headline: headline, style: s}
	if d.oneLineOnly(t) {
		b.headline, b.style = d.inSyncWords(t), d.symbol(t)
	}
	shown := toldElsewhere(t)
	b.actions = d.actions(t)
	switch {
	case d.kind() != KindStatus || t.UnderWay != nil || t.Transition == plan.TransitionNone:
		b.rows = append(b.rows, d.changeRows(t, level)...)
	case t.Transition == plan.TransitionFailover:
		b.rows = append(b.rows, d.lossRows(t)...)
	}
	if t.UnderWay == nil {
		b.rows = append(b.rows, d.blockedRows(t, level, shown)...)
		b.rows = append(b.rows, d.approvalRows(t, level)...)
		b.rows = append(b.rows, b.noticeRows(t, level, shown)...)
		b.rows = append(b.rows, b.firstRows(d, t)...)
	}
	b.clip(level)
	if d.observed() != ObservedNone && !d.oneLineOnly(t) || d.kind() == KindStatus {
		var left int
		b.members, left = memberRows(t, level)
		b.notes = append(b.notes, clusterNotes(left)...)
	}
	if len(t.Steps) > 0 {
		b.notes = append(b.notes, optionSteps+" "+plural(len(t.Steps), "step", "steps"))
	}
	b.notes = append(b.notes, findingNotes(t, shown, level)...)
	return b
}

func clusterNotes(left int) []string {
	if left == 0 {
		return nil
	}
	return []string{optionAll + " " + plural(left, "more cluster", "more clusters")}
}

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
	case len(all) > 0 && level.short:
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

// changeRows say what a transition does, may lose and rests on, and of one that another
// process carries out, how far it is.
func (d Document) changeRows(t plan.TopologyPlan, level detail) []row {
	var out []row
	if t.UnderWay != nil {
		out = append(out, row{label: "Running", text: underWayWords(*t.UnderWay), style: attention})
	}
	switch {
	case t.UnderWay != nil && t.UnderWay.Transition != t.Transition:
		return append(out, row{label: "Does", text: "nothing before that has ended; then what Git wants is planned again"})
	case t.Transition == plan.TransitionNone:
		return d.restRows(t)
	}
	s := plain
	if t.Has(plan.CodeForcePromote) {
		s = bad
	}
	for _, text := range d.doesWords(t) {
		out = append(out, row{label: "Does", text: text, style: s})
	}
	loss, s := d.mayLose(t)
	out = append(out, row{label: "May lose", text: loss, style: s})
	if text := d.evidenceWords(t); text != "" && level.findings == 0 && (t.UnderWay == nil || t.Transition == plan.TransitionFailover) {
		out = append(out, row{label: "Evidence", text: text})
	}
	if text := seenNote(t); text != "" && !level.short && t.Transition == plan.TransitionFailover {
		out = append(out, row{label: "Evidence", text: text})
	}
	return out
}

// restRows say that nothing changes, and what may be lost nevertheless.
func (d Document) restRows(t plan.TopologyPlan) []row {
	if !hasTrouble(t) || unobserved(t) && !d.blocked(t) {
		return nil
	}
	does := row{label: "Does", text: "nothing: no change is planned"}
	if d.blocked(t) {
		does.text = "nothing while it is blocked"
	}
	lost := row{label: "May lose", style: attention}
	c := d.condition(t)
	switch {
	case c == standsSplit:
		lost.text, lost.style = splitLoses, bad
	case outageLabels[c] != "" && !d.blocked(t):
		lost.text = "nothing by waiting; " + failoverWouldLose(t)
		return append([]row{does, lost}, silenceRows(t, d.generatedAt())...)
	case c == standsBehind:
		lost.text = "nothing now; a failover would lose what the standby lacks"
	default:
		return []row{does}
	}
	return []row{does, lost}
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
	case plan.CodeNoPrimary, plan.CodeClusterUnreachable: // the headline of an outage says so
		_, outage := writerCondition(t)
		told := f.Code == plan.CodeNoPrimary && t.Transition != plan.TransitionFailover ||
			f.Cluster == t.Primary && t.Transition == plan.TransitionNone
		return f.Severity != plan.SeverityBlocking && outage && told
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
		r := row{label: "Blocked", text: "by " + findingWords(f), style: bad, most: level.lines}
		switch {
		case d.blocksNothing(t, f) && f.Code == plan.CodePrimaryNotProbed:
			r.label, r.text, r.style = "Evidence", d.notProbedWords(f), plain
		case d.blocksNothing(t, f):
			r.label, r.text = "Beware", findingWords(f)
		}
		out = append(out, r)
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
	for i := range b.rows {
		if b.rows[i].most == 0 {
			b.rows[i].most = level.lines
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

// noticeRows are what else a person has to know. Remarks have a row where nothing else is
// to be said.
func (b brief) noticeRows(t plan.TopologyPlan, level detail, shown shownFindings) []row {
	out := b.findingRows("Beware", otherFindings(t, plan.SeverityCritical), level, shown)
	if !level.notes {
		return out
	}
	out = append(out, b.findingRows("Note", otherFindings(t, plan.SeverityWarning), level, shown)...)
	if t.Transition == plan.TransitionNone && !hasTrouble(t) {
		out = append(out, b.findingRows("Note", otherFindings(t, plan.SeverityInfo), level, shown)...)
	}
	return out
}

func (b brief) findingRows(label string, findings []plan.Finding, level detail, shown shownFindings) []row {
	if len(findings) > 0 && (level.codes || level.noteCodes && findings[0].Severity != plan.SeverityCritical) {
		for _, f := range findings {
			shown.mark(f)
		}
		return []row{{label: label, text: codeWords(findings) + " (" + optionFindings + " tells more)", style: attention, most: level.lines}}
	}
	var out []row
	findings = urgentFirst(findings)
	for i, f := range findings {
		if level.findings > 0 && i >= level.findings {
			break
		}
		shown.mark(f)
		if f.Severity == plan.SeverityInfo {
			out = append(out, row{label: label, text: findingWords(f), most: level.lines})
			continue
		}
		out = append(out, row{label: label, text: findingWords(f), style: attention, most: level.lines})
		if remedy := strings.Join(remedyClauses(f), "; "); level.remedies && remedy != "" && !b.does(f) && (i+1 == len(findings) || findings[i+1].Remedy != f.Remedy) {
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
	if t.UnderWay != nil {
		return nil
	}
	for _, f := range t.Findings {
		if f.Code == plan.CodeSplitBrain && !slices.ContainsFunc(b.actions, func(a action) bool { return a.remedy == f.Remedy }) {
			first, _, _ := strings.Cut(f.Remedy, "; ")
			first, _, _ = strings.Cut(first, ", and make")
			return []row{{label: "First", text: first, style: bad}}
		}
	}
	found := t.Blocking(d.accepted(t))
	switch {
	case d.kind() == KindStatus || !mayGoOn(found):
		return nil
	case len(found) > 0 && beforeAcceptance(found[0]) != "":
		return []row{{label: "First", text: beforeAcceptance(found[0]), style: attention}}
	case t.Transition != plan.TransitionFailover || t.OldPrimary != "" && refusesWrites(t, t.OldPrimary):
		return nil
	case t.OldPrimary == "" && d.observed() != ObservedLive:
		return []row{{label: "First", text: "cut applications off the primary in force: 'reconcile status " + t.Name + "' names it", style: attention}}
	case t.OldPrimary == "":
		return nil
	}
	return []row{{label: "First", text: "cut applications off " + t.OldPrimary, style: attention}}
}

// mayGoOn reports whether approvals and probes are all that a blocked change waits for.
func mayGoOn(found []plan.Finding) bool {
	return !slices.ContainsFunc(found, func(f plan.Finding) bool { return !f.Acceptable && f.Code != plan.CodePrimaryNotProbed })
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
		if slices.ContainsFunc(t.Blocking(d.accepted(t)), func(f plan.Finding) bool { return f.Evidence != nil && len(f.Evidence.Rounds) > 0 }) {
			return "" // what blocks says so
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

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// timeOfDay is cut to the second, as clockTime is.
func timeOfDay(t time.Time) string { return t.UTC().Format("15:04:05Z") }
