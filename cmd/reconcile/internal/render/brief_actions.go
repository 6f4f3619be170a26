package render

import (
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

const (
	labelNow  = "NOW"
	labelOr   = "OR"
	labelAnd  = "AND"
	labelThen = "THEN"
)

// actions are what to type, in order. A blocked transition gets no command that acts. If
// no approval helps, there is no command that approves.
func (d Document) actions(t plan.TopologyPlan) []action {
	half, stuck := d.halfDone(t)
	switch {
	case stuck:
		return d.halfDoneActions(t, half)
	case t.UnderWay != nil:
		return []action{{label: labelNow, words: "wait until it ends, and do nothing else meanwhile:", command: watchCommand(t.Name)}}
	case d.judgedBy(t) != "":
		return []action{{label: labelNow, words: "wait until that ends; 'apply' could not begin before:", command: watchCommand(t.Name)}}
	case t.Transition == plan.TransitionNone:
		if out := d.urgentActions(t); len(out) > 0 {
			return out
		}
		return d.driftAgain(t)
	case d.observed() != ObservedLive:
		return []action{{label: labelNow, words: "once it is merged, plan it against the clusters:", command: "reconcile plan " + t.Name}}
	}
	found := urgentFirst(t.Blocking(d.accepted(t)))
	if needsCommit(found) {
		return commitActions(t, found)
	}
	if d.frozen(t) {
		return d.frozenActions(t)
	}
	switch d.approval(t).Verdict {
	case approval.VerdictApproved, approval.VerdictNotRequired:
		return d.approvedActions(t, found)
	default:
		return d.deniedActions(t, found)
	}
}

// commitActions are what ends findings, if at least one of them needs another commit.
func commitActions(t plan.TopologyPlan, found []plan.Finding) []action {
	i, again := slices.IndexFunc(found, func(f plan.Finding) bool { return plan.NeedsCommit(f.Code) }), "no approval helps this commit; plan again:"
	switch {
	case found[0].Code == plan.CodeSplitBrain:
		i, again = splitEnds(found), "plan again:"
	case found[0].Code == plan.CodePromotionInDoubt: // nothing else is done before it ends
		i, again = 0, "plan again:"
	case found[i].Code == plan.CodeSuperseded: // the next one is there
		return remedyActions(t, found[i])
	}
	return planAgain(t, remedyActions(t, found[i]), again)
}

// judgedBy names the process that holds the lock of a change and has recorded nothing that
// it sends yet, with since when; empty: none does.
func (d Document) judgedBy(t plan.TopologyPlan) string {
	var holder plan.LockHolder
	if i := slices.IndexFunc(d.Holders, func(h plan.LockHolder) bool { return h.Topology == t.Name }); i >= 0 {
		holder = d.Holders[i]
	} else if t.Outage != nil {
		holder.By, holder.Since = t.Outage.HeldBy, t.Outage.HeldFrom
	}
	switch {
	case holder.By == "" || t.UnderWay != nil || t.Transition == plan.TransitionNone:
		return ""
	case holder.Since.IsZero():
		return holder.By
	default:
		return holder.By + " since " + clockTime(holder.Since)
	}
}

// watchCommand is what somebody types who waits.
func watchCommand(topology string) string { return "reconcile status " + topology + " --watch" }

// editsFiles are the commands that write the files of a clone, or check what a person wrote
// there. What they leave counts once it is committed and pushed.
var editsFiles = []string{"reconcile propose ", "reconcile adopt ", "reconcile validate", "reconcile plan --offline ", "git log "}

func (a action) edits() bool {
	return slices.ContainsFunc(editsFiles, func(prefix string) bool { return strings.HasPrefix(a.command, prefix) })
}

// planAgain adds that the change is planned again, and that it is pushed before if the
// actions write files.
func planAgain(t plan.TopologyPlan, out []action, words string) []action {
	switch {
	case len(out) > 0 && out[0].edits():
		words = "commit and push the change, then plan again:"
	case slices.ContainsFunc(out, action.edits):
		words = "commit and push what you edit, then plan again:"
	}
	return and(out, action{label: labelThen, words: words, command: "reconcile plan " + t.Name})
}

// and adds an action whose command is not there yet.
func and(out []action, next action) []action {
	if slices.ContainsFunc(out, func(a action) bool { return a.command == next.command }) {
		return out
	}
	return append(out, next)
}

// approvedActions are what is left to do once the transition is approved.
func (d Document) approvedActions(t plan.TopologyPlan, found []plan.Finding) []action {
	execute := action{label: labelNow, words: "a running daemon does it by itself; by hand:", command: executeCommand(t)}
	switch {
	case t.Transition == plan.TransitionFence && len(found) == 0:
		execute.words = "make it refuse writes:"
		return []action{execute}
	case len(found) > 0 && found[0].Code == plan.CodePrimaryNotProbed:
		execute.words = "wait, or make the missing probes with:"
		return []action{execute}
	case len(found) > 0 && found[0].Acceptable:
		return d.acceptActions(t, found)
	case len(found) > 0:
		return planAgain(t, remedyActions(t, found[0]), "the approval still counts; plan again:")
	case t.Resumed:
		execute.words = "continue it; no new approval is needed:"
		return []action{execute}
	case t.Replication == plan.ReplicationBehind:
		execute.label = labelThen
		return []action{{label: labelNow, words: "wait until replication has caught up:", command: "reconcile status " + t.Name + " --watch"}, execute}
	default:
		return []action{execute}
	}
}

// acceptActions are what ends a risk that the approvals do not accept: what avoids it, or
// approvals that do.
func (d Document) acceptActions(t plan.TopologyPlan, found []plan.Finding) []action {
	out := remedyActions(t, found[0])
	// the newest approval of a person counts alone, so it accepts again what they accepted
	approve := action{label: labelNow, words: "to take that risk, the same people approve again:", command: approveCommand(t, d.approval(t).Repository, acceptOptions(t))}
	if len(out) > 0 {
		approve.label = labelOr
	}
	return append(out, approve, action{label: labelThen, words: "unless a running daemon does it by itself:", command: executeCommand(t)})
}

// deniedActions are what ends a denial: first what unblocks, then what approves.
func (d Document) deniedActions(t plan.TopologyPlan, found []plan.Finding) []action {
	a := d.approval(t)
	execute := action{label: labelThen, words: "unless a running daemon does it by itself:", command: executeCommand(t)}
	if len(found) > 0 && !found[0].Acceptable && found[0].Code != plan.CodePrimaryNotProbed {
		return planAgain(t, remedyActions(t, found[0]), "an approval does not change that; plan again:")
	}
	if strings.Contains(a.Detail, approveAgain) && len(found) == 0 {
		return []action{{label: labelNow, words: approversWords(a)[:len(approversWords(a))-1] + " again:", command: approveCommand(t, a.Repository, acceptOptions(t))}, execute}
	}
	if _, howTo := splitDetail(a); !howTo && len(found) == 0 {
		out := denialActions(t, a)
		if out[len(out)-1].command == execute.command {
			return out
		}
		return append(out, execute)
	}
	approve := action{label: labelNow, words: approversWords(a), command: approveCommand(t, a.Repository, acceptOptions(t))}
	if len(found) == 0 {
		return []action{approve, execute}
	}
	if found[0].Code == plan.CodePrimaryNotProbed {
		execute.words = "make the missing probes, unless a running daemon does:"
		return []action{approve, execute}
	}
	out := remedyActions(t, found[0])
	approve.words = "to take that risk, " + approve.words
	if len(out) > 0 {
		approve.label = labelOr
	}
	return append(out, approve, execute)
}

// approversWords say who types the command that approves.
func approversWords(a Approval) string {
	left := a.Needed - a.Given
	switch {
	case left == 2:
		return "two people who did not write the change approve it, each:"
	case left > 2:
		return number(left) + " people who did not write the change approve it, each:"
	case a.Given > 0:
		return "one more person, who did not write the change, approves it:"
	default:
		return "somebody who did not write the change approves it:"
	}
}

// acceptOptions name what an approval must accept.
func acceptOptions(t plan.TopologyPlan) string {
	var out strings.Builder
	for _, code := range t.ToAccept() {
		out.WriteString(" --accept " + string(code))
	}
	return out.String()
}

// denialActions are what ends a denial that no first approval ends.
func denialActions(t plan.TopologyPlan, a Approval) []action {
	e, ok := explain.Lookup(a.Code)
	if !ok {
		return []action{{label: labelNow, words: "find out why the approval does not count:", command: "reconcile explain APPROVAL_MISSING"}}
	}
	var out []action
	ways := leadingWays(e.Remedy)
	for i, way := range ways {
		next := action{label: labelThen}
		if other, found := strings.CutPrefix(way, "Or "); found || i > 0 && strings.HasPrefix(ways[0], "If ") {
			next.label, way = labelOr, other
		}
		if i == 0 {
			next.label = labelNow
		}
		did := actionOf(t, lowerFirst(filledIn(strings.TrimPrefix(way, "Then "), t, a.Repository)))
		next.words, next.command = did.words, did.command
		out = append(out, next)
	}
	if last := &out[len(out)-1]; last.command == "" {
		last.command = "reconcile explain " + a.Code
		last.words = firstSentences(strings.TrimRight(last.words, ".:"), "; more about it:")
	}
	return out
}

// leadingWays are the first paragraph of a remedy, and those behind it that go on with a
// command of their own.
func leadingWays(remedy string) []string {
	all := strings.Split(remedy, "\n\n")
	out := all[:1]
	for _, paragraph := range all[1:] {
		goesOn := strings.HasPrefix(paragraph, "If ") || strings.HasPrefix(paragraph, "Then ") || strings.HasPrefix(paragraph, "Or ")
		if !goesOn || !strings.HasSuffix(paragraph, "`") {
			break
		}
		out = append(out, paragraph)
	}
	return out
}

// firstSentences are as many sentences of a text as have room together with its end.
func firstSentences(text, end string) string {
	for len(wrap(text+end, defaultWidth-actionLabel)) > actionLines {
		i := strings.LastIndex(text, ". ")
		if i < 0 {
			break
		}
		text = text[:i]
	}
	return text + end
}

// lowerFirst begins a text as part of a sentence.
func lowerFirst(text string) string {
	if len(text) > 1 && 'A' <= text[0] && text[0] <= 'Z' && 'a' <= text[1] && text[1] <= 'z' {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}

// urgentActions are what to type about the gravest findings although there is no
// transition.
func (d Document) urgentActions(t plan.TopologyPlan) []action {
	if d.observed() != ObservedLive {
		return nil
	}
	blocking, critical := urgentFirst(t.Blocking(d.accepted(t))), atSeverity(t, plan.SeverityCritical)
	for _, found := range [][]plan.Finding{blocking, append(silentPrimary(t), critical...), atSeverity(t, plan.SeverityWarning)} {
		if len(found) == 0 {
			continue
		}
		first := max(slices.IndexFunc(found, func(f plan.Finding) bool { return firstCommand(t, f) != "" }), 0)
		out := remedyActions(t, found[first])
		then := slices.IndexFunc(out, func(a action) bool { return a.label == labelThen })
		if then < 0 {
			then = len(out)
		}
		out = slices.Insert(out, then, otherActions(t, out, found)...)
		if len(blocking) > 0 || slices.ContainsFunc(out, action.edits) {
			out = planAgain(t, out, "plan again:")
		}
		return out
	}
	return nil
}

// silentPrimary returns the finding that the primary does not answer, where no cluster takes
// writes and nothing graver says so: it comes before all other findings.
func silentPrimary(t plan.TopologyPlan) []plan.Finding {
	if !Outage(t) || t.Has(plan.CodeNoPrimary) {
		return nil
	}
	i := slices.IndexFunc(t.Findings, func(f plan.Finding) bool { return f.Code == plan.CodeClusterUnreachable && f.Cluster == t.Primary })
	if i < 0 {
		return nil
	}
	return t.Findings[i : i+1 : i+1]
}

// otherActions are the commands for the other findings of the same severity, one for each.
func otherActions(t plan.TopologyPlan, told []action, found []plan.Finding) []action {
	var out []action
	for _, f := range found {
		if firstCommand(t, f) == "" || ownPlace(t, f) || f.Severity == plan.SeverityWarning || len(out) == mostOthers {
			continue
		}
		next := remedyActions(t, f)[0]
		if next.label = labelAnd; !slices.ContainsFunc(slices.Concat(told, out), func(a action) bool { return a.command == next.command }) {
			out = append(out, next)
		}
	}
	return out
}

// mostOthers is for how many further findings a page says what to type.
const mostOthers = 2

func atSeverity(t plan.TopologyPlan, severity plan.Severity) []plan.Finding {
	return slices.DeleteFunc(urgentFirst(t.Findings), func(f plan.Finding) bool { return f.Severity != severity || f.Accepted })
}

// executeCommand returns the command that carries out a plan. It names no commit: what
// is merged by a squash is another commit than the one that was planned.
func executeCommand(t plan.TopologyPlan) string {
	if t.Transition == plan.TransitionFence {
		return "reconcile fence " + t.Name + "/" + list(fenced(t))
	}
	return "reconcile apply " + t.Name
}

func approveCommand(t plan.TopologyPlan, repository, accept string) string {
	return "reconcile approve " + t.Name + "/" + t.Primary + accept + ` --reason "WHY"` + forRepository(repository) + " --push"
}

func forRepository(name string) string {
	if name == "" {
		return ""
	}
	return " --repository " + name
}

// approvalRows say how an approval stands, unless the headline says all.
func (d Document) approvalRows(t plan.TopologyPlan, level detail) []row {
	a := d.approval(t)
	if t.Transition == plan.TransitionNone || d.observed() != ObservedLive || d.kind() == KindStatus && (a.Verdict != approval.VerdictDenied || a.Code == approval.CodeMissing) {
		return nil
	}
	switch {
	case a.Verdict == approval.VerdictDenied && d.splitBlocks(t):
		return nil // what ends the denial would be a second way, and does not end the split brain
	case a.Verdict == approval.VerdictApproved:
		if ends := endsFrozenWords(t, a); ends != "" {
			return []row{{label: "Approval", text: approvedWords(a) + ends, style: attention}}
		}
		return []row{{label: "Approval", text: approvedWords(a), style: good}}
	case a.Verdict == approval.VerdictNotRequired:
		return []row{{label: "Approval", text: "not needed" + withDetail(a.Detail)}}
	default:
		prose, _ := splitDetail(a)
		if words, _ := d.headline(t); a.Code == approval.CodeMissing && (d.blocked(t) || d.waits(t) || level.waits && strings.Contains(words, "WAITS FOR") && strings.Contains(prose, "carries no approval")) {
			return nil // the headline says so
		}
		if a.Code == approval.CodeMissing && strings.Contains(prose, "carries no approval") {
			prose = "none counts for commit " + short(a.Commit)
		}
		if prose == "" && a.Code == "" {
			return nil
		}
		if level.codes {
			prose, _, _ = strings.Cut(strings.ReplaceAll(prose, ". ", "; "), "; ")
		}
		return []row{{label: "Approval", text: strings.TrimPrefix(a.Code+withDetail(prose), ": "), style: bad}}
	}
}
