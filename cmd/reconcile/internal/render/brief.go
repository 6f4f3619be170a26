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
	remedies    bool // below what to beware of
	notes       bool // warnings and remarks
	oneEvidence bool // no second line of evidence
	shortNotes  bool // one line for what is left out
	codes       bool // of what to beware of only the codes, of a denial only the first clause
	findings    int  // of one kind; 0: all. Below that, no evidence
	members     int  // 0: all
	lines       int  // of one finding or instruction; 0: all. Only here a text is cut

	noteCodes bool // of warnings only the codes
	waits     bool // the headline says that an approval is wanted
}

// details are tried in order until the page fits.
var details = []detail{
	{remedies: true, notes: true},
	{notes: true},
	{notes: true, oneEvidence: true, shortNotes: true},
	{notes: true, oneEvidence: true, shortNotes: true, noteCodes: true, members: 12},
	{notes: true, oneEvidence: true, shortNotes: true, noteCodes: true, members: 8, codes: true},
	{notes: true, oneEvidence: true, shortNotes: true, noteCodes: true, members: 4, codes: true},
	{oneEvidence: true, shortNotes: true, members: 2, codes: true, findings: 2},
	{oneEvidence: true, shortNotes: true, members: 2, codes: true, findings: 1},
	{oneEvidence: true, shortNotes: true, members: 2, codes: true, findings: 1, lines: 2},
	{oneEvidence: true, shortNotes: true, members: 2, codes: true, findings: 1, lines: 1},
}

// refills bring back, the most urgent first, what a level leaves out and the page still has
// room for.
var refills = []func(*detail){
	func(d *detail) { d.lines = 0 },
	func(d *detail) { d.lines = one(d.lines > 0) * 3 },
	func(d *detail) { d.lines = one(d.lines > 0) * max(d.lines, 2) },
	func(d *detail) { d.findings = 0 },
	func(d *detail) { d.findings = one(d.findings > 0) * max(d.findings, 2) },
	func(d *detail) { d.codes = false },
	func(d *detail) { d.oneEvidence = false },
	func(d *detail) { d.notes = true },
	func(d *detail) { d.noteCodes = false },
	func(d *detail) { d.members = 0 },
	func(d *detail) { d.members = one(d.members > 0) * max(d.members, 12) },
	func(d *detail) { d.members = one(d.members > 0) * max(d.members, 8) },
	func(d *detail) { d.members = one(d.members > 0) * max(d.members, 4) },
	func(d *detail) { d.shortNotes = false },
	func(d *detail) { d.remedies = true },
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
	if !level.remedies {
		b.actions = slices.DeleteFunc(b.actions, func(a action) bool { return a.label == labelAnd })
	}
	switch {
	case d.kind() != KindStatus || t.UnderWay != nil || t.Transition == plan.TransitionNone:
		b.rows = append(b.rows, d.changeRows(t, level)...)
	case t.Transition == plan.TransitionFailover:
		b.rows = append(b.rows, d.lossRows(t)...)
	}
	if by := d.judgedBy(t); by != "" {
		b.rows = append([]row{{label: "Running", text: by + " judges it under the lock, and has sent nothing", style: attention}}, b.rows...)
	}
	if half, stuck := d.halfDone(t); stuck {
		shown.mark(half)
		b.rows = append([]row{stuckRow(d.pageWords(t, half), level)}, b.rows...)
	}
	if t.UnderWay == nil {
		b.rows = append(b.rows, d.blockedRows(t, level, shown)...)
		level.waits = true
		b.rows = append(b.rows, d.approvalRows(t, level)...)
		b.rows = append(b.rows, b.noticeRows(d, t, level, shown)...)
		b.rows = append(b.rows, b.firstRows(d, t)...)
	}
	if level.notes && !level.noteCodes {
		b.rows = append(b.rows, d.rememberedRows(t)...)
	}
	b.clip(level)
	if d.observed() != ObservedNone && !d.oneLineOnly(t) || d.kind() == KindStatus {
		var left int
		b.members, left = memberRows(t, level, b.said())
		b.notes = append(b.notes, clusterNotes(left)...)
	}
	if n := len(allSteps(t)); n > 0 {
		b.notes = append(b.notes, optionSteps+" "+plural(n, "step", "steps"))
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

// changeRows say what a transition does, may lose and rests on, and of one that another
// process carries out, how far it is.
func (d Document) changeRows(t plan.TopologyPlan, level detail) []row {
	var out []row
	if t.UnderWay != nil {
		out = append(out, row{label: "Running", text: d.runningWords(t), style: attention})
	}
	switch {
	case t.UnderWay != nil && t.UnderWay.Transition != t.Transition:
		return append(out, row{label: "Does", text: "nothing until that has ended; then the change in Git is planned again"}, underWayLoss(*t.UnderWay))
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
	out = append(append(out, d.lossRow(t)), equalRows(t)...)
	if slices.ContainsFunc(t.Stays, func(s plan.ClientStay) bool { return s.New > 0 || !s.Closes }) {
		out = append(out, row{label: "Clients", text: plan.StaysText(t.Stays, t.OldPrimary)})
	}
	if text := d.evidenceWords(t); text != "" && level.findings == 0 && (t.UnderWay == nil || t.Transition == plan.TransitionFailover) {
		out = append(out, row{label: "Evidence", text: text})
	}
	if text := seenNote(t); text != "" && !level.oneEvidence && t.Transition == plan.TransitionFailover {
		out = append(out, row{label: "Evidence", text: text})
	}
	return out
}

// lossRow says what a transition may lose, or of a promotion that is done how it will be known
// what it lost.
func (d Document) lossRow(t plan.TopologyPlan) row {
	if promotionDone(t) {
		return row{label: "Lost", text: lostNotMeasured(t), style: bad}
	}
	loss, s := d.mayLose(t)
	return row{label: "May lose", text: loss, style: s}
}

// stuckRow says first what does not end by itself.
func stuckRow(words string, level detail) row {
	return row{label: "Stuck", text: words, style: bad, most: level.lines}
}

// runningWords say which change another process carries out. Of one that is stuck they say
// what it waits for.
func (d Document) runningWords(t plan.TopologyPlan) string {
	u := *t.UnderWay
	if _, stuck := d.halfDone(t); stuck {
		u.Step, u.StepSince = "waits for that to end, and sends nothing again meanwhile", time.Time{}
	}
	return underWayWords(u)
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
		lost.text = "nothing while you wait; " + failoverWouldLose(t)
		return append([]row{does, lost}, silenceRows(t, d.generatedAt())...)
	case c == standsFailing:
		lost.text = "nothing while you wait; writes to " + t.Primary + " may fail until it works"
	case c == standsBehind:
		lost.text = "nothing now; a failover would lose " + behindWords(t)
	default:
		lost.text, lost.style = d.restLoses(t)
	}
	return []row{does, lost}
}

// said is all that stands above the clusters.
func (b brief) said() string {
	said := b.headline
	for _, r := range b.rows {
		said += "\n" + r.text
	}
	return said
}

// clip limits what has no limit yet.
func (b *brief) clip(level detail) {
	b.noteMost = 2 - one(level.shortNotes)
	for i := range b.rows {
		if b.rows[i].most == 0 {
			b.rows[i].most = level.lines
		}
	}
	for i := range b.actions {
		b.actions[i].most = level.lines
	}
}

// behindWords say how much the standby that is furthest behind lacks.
func behindWords(t plan.TopologyPlan) string {
	worst := time.Duration(0)
	if t.Has(plan.CodeLagObjective) { // it says how much
		return "what the standby lacks"
	}
	for _, c := range t.Clusters {
		if c.Lag == nil || c.Lag.Upper == nil {
			continue
		}
		worst = max(worst, *c.Lag.Upper)
	}
	if worst == 0 {
		return "what the standby lacks"
	}
	return "up to " + plan.UpperBoundText(worst) + " of writes"
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
	case t.Has(plan.CodeRejoinedWithoutRebuild):
		return []row{{label: "First", text: "make sure that " + t.Primary + " was wiped, its log and metadata too", style: attention}}
	case t.Transition != plan.TransitionFailover || t.OldPrimary != "" && refusesWrites(t, t.OldPrimary):
		return nil
	case t.OldPrimary == "" && d.observed() != ObservedLive:
		return []row{{label: "First", text: "cut applications off the cluster that is the primary now", style: attention}}
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
