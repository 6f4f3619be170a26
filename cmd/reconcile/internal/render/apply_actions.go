package render

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile"
)

// ended reports whether a signal or the command's time ended an apply before it was done.
func (r Result) ended() bool {
	return r.Ended != "" && (r.Outcome == reconcile.OutcomeError || r.Outcome == reconcile.OutcomeUnverified)
}

// endedWords say in the headline that an apply was interrupted, and whether a request left.
func (r Result) endedWords() string {
	if len(r.SentTo) > 0 {
		return "INTERRUPTED: a request was sent to " + list(r.SentTo)
	}
	return "INTERRUPTED, nothing was sent"
}

// resultActions are what to type after an apply.
func (d Document) resultActions(t plan.TopologyPlan, r Result) []action {
	again := "reconcile apply " + r.Topology
	if t.Transition == plan.TransitionFence {
		again = executeCommand(t)
	}
	see := "reconcile status " + r.Topology
	carryOn := action{label: labelThen, words: "continue; no new approval is needed:", command: again}
	half, stuck := halfDoneResult(t, r)
	switch {
	case stuck:
		return append(remedyActions(t, half), carryOn)
	case r.ended():
		return endedActions(r, again)
	case r.Outcome == reconcile.OutcomeUnverified:
		return []action{{label: labelNow, words: "see how the clusters stand:", command: see}, carryOn}
	case r.Outcome == reconcile.OutcomeError:
		return []action{
			{label: labelNow, words: "see how the clusters stand, and clear the cause:", command: see},
			{label: labelThen, words: "apply again:", command: again},
		}
	case r.Outcome == reconcile.OutcomeBlocked && !d.blocked(t) && !d.waits(t) && t.UnderWay == nil:
		return d.metActions(t, r, again)
	case r.Outcome == reconcile.OutcomeApplied && t.Transition == plan.TransitionFence:
		return []action{
			{label: labelNow, words: "see what only " + list(fenced(t)) + " holds:", command: t.Salvage(list(fenced(t)))},
			{label: labelThen, words: "rebuild it, or take it out of service:", command: "reconcile explain " + string(plan.CodeStalePrimary)},
		}
	case r.Outcome == reconcile.OutcomeApplied:
		return []action{{label: labelNow, words: "check that it stays so:", command: see}}
	default:
		return d.actions(t)
	}
}

// metActions are what to type if an apply met what its plan could not know.
func (d Document) metActions(t plan.TopologyPlan, r Result, again string) []action {
	unblocked := action{label: labelNow, words: "when nothing blocks any more:", command: again}
	if r.Waits {
		return d.waitActions(t, r)
	}
	code, _, _ := strings.Cut(r.Detail, ":")
	e, ok := explain.Lookup(code)
	if !ok {
		return []action{unblocked}
	}
	now := actionOf(t, lowerFirst(filledIn(e.FirstRemedy(), t, d.approval(t).Repository)))
	if now.label = labelNow; now.command == "" {
		now.words, now.command = now.words+"; see how the clusters stand:", "reconcile status "+r.Topology
	}
	unblocked.label = labelThen
	return []action{now, unblocked}
}

// waitWords say for what a change waits that an apply did not carry out.
func waitWords(t plan.TopologyPlan, r Result) string {
	if t.Transition != plan.TransitionRebuild {
		return "WAITS for its wave"
	}
	_, words, _ := strings.Cut(r.Detail, " waits ")
	words, _, _ = strings.Cut(words, ": ")
	return "WAITS " + words
}

// waitDetail is why a change waits, and what ends that.
func (r Result) waitDetail() (why, hint string) {
	why, hint, _ = strings.Cut(r.Detail, " (hint: ")
	return why, strings.TrimSuffix(hint, ")")
}

// waitStyle is the style of a change that waits: nobody is needed, unless no cluster takes writes.
func waitStyle(t plan.TopologyPlan) style {
	if c, outage := writerCondition(t); outage && c == standsWithoutPrimary {
		return bad
	}
	return attention
}

// waitActions are what ends the wait of a change.
func (d Document) waitActions(t plan.TopologyPlan, r Result) []action {
	_, hint := r.waitDetail()
	var out []action
	if hint != "" {
		out = remedyActions(t, plan.Finding{Remedy: hint})
	}
	if t.Transition == plan.TransitionRebuild {
		return out
	}
	return append(out, action{label: labelThen, words: "once the wave before it has moved, go on with the site:", command: d.applySite()})
}

// applySite is the command that carries out what is left of a site.
func (d Document) applySite() string {
	if d.Site == nil {
		return "reconcile apply"
	}
	return "reconcile apply --site " + d.Site.Name
}

// endedActions are what to type after an apply that was interrupted.
func endedActions(r Result, again string) []action {
	if len(r.SentTo) > 0 {
		return []action{{label: labelNow, words: "read it back and carry it on; no new approval is needed:", command: again}}
	}
	return []action{{label: labelNow, words: "begin again:", command: again}}
}

// happenedRows say what an apply did or did not do and why, and what was or may be lost by it.
func (d Document) happenedRows(t plan.TopologyPlan, planned bool, r Result, level detail) []row {
	_, s := d.resultWords(t, planned, r)
	why := d.whyRows(t, r, s, level)
	change := lostRows(t, r)
	if unsent := planned && !r.touched() && r.Outcome != reconcile.OutcomeApplied; unsent || t.Transition == plan.TransitionNone {
		change = append(change, d.changeRows(t, level)...)
	}
	if r.Outcome != reconcile.OutcomeBlocked {
		return append(why, change...)
	}
	if len(why) > 0 && t.Transition != plan.TransitionFailover { // what it met is newer than the evidence of its plan
		change = slices.DeleteFunc(change, func(r row) bool { return r.label == "Evidence" })
	}
	return append(change, why...)
}

// whyRows say why an apply ended as it did, where the plan does not show it.
func (d Document) whyRows(t plan.TopologyPlan, r Result, s style, level detail) []row {
	most := 7 * one(level.lines > 0)
	half, stuck := halfDoneResult(t, r)
	switch {
	case stuck:
		return []row{stuckRow(d.pageWords(t, half), level)}
	case r.ended():
		text := r.Ended + " ended it before anything was sent"
		if len(r.SentTo) > 0 {
			text = r.Ended + " ended it; what was sent to " + list(r.SentTo) + " may take effect at any time"
		}
		out := []row{{label: "Result", text: text, style: s}}
		if r.Detail != "" && !ofContext().MatchString(r.Detail) { // something else went wrong before
			out = append(out, row{label: "Result", text: resultDetail(r), style: s, most: most})
		}
		return out
	case r.Detail == "" || d.planShowsWhy(t, r):
		return nil
	case r.Waits:
		why, _ := r.waitDetail()
		return []row{{label: "Waits", text: why, style: attention, most: most}}
	default:
		return []row{{label: resultLabel(r), text: resultDetail(r), style: s, most: most}}
	}
}

// ofContext matches the error of what a signal or --timeout ended.
var ofContext = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`context (canceled|deadline exceeded)|signal`) })

// halfDoneResult returns the finding that an apply ended while its force promote stood half
// done. The detail of a result says it in one sentence, with what ends it at its end.
func halfDoneResult(t plan.TopologyPlan, r Result) (plan.Finding, bool) {
	i := slices.IndexFunc(r.Steps, func(x StepResult) bool {
		return x.Action == plan.ActionForcePromote && strings.Contains(x.Detail, string(plan.CodePromotionHalfDone)+": ")
	})
	if i < 0 || r.Outcome == reconcile.OutcomeApplied {
		return plan.Finding{}, false
	}
	return plan.HalfPromotion(t.Name, r.Steps[i].Cluster, orElse(t.OldPrimary, "its source")), true
}

// fenceLoss says what of a stale cluster is missing on the primary after its fence.
func fenceLoss(t plan.TopologyPlan) row {
	for _, l := range t.Losses {
		if slices.Contains(fenced(t), l.Cluster) {
			return row{label: "Lost", text: l.Amount() + broughtBack(t, l.Cluster), style: attention}
		}
	}
	return row{label: "Lost", text: "not counted yet: what only " + list(fenced(t)) + " holds; 'salvage' counts it", style: attention}
}

// broughtBack says, to continue what was lost, what a replay brought back of it; empty: none has
// ended.
func broughtBack(t plan.TopologyPlan, cluster string) string {
	for _, r := range t.Replayed {
		if r.Cluster == cluster {
			return "; " + r.Text()
		}
	}
	return ""
}

// promoted reports whether the promotion of a failover took effect.
func (r Result) promoted(t plan.TopologyPlan) bool {
	return promotionDone(t) || slices.ContainsFunc(r.Steps, func(x StepResult) bool {
		return x.Action == plan.ActionForcePromote && (x.Status == plan.StepDone || x.Status == plan.StepAlready)
	})
}

// appliedFleet prints what an apply did to many topologies. Where it did nothing, a
// topology has the row of its plan. If something was to be done to one topology only, its
// page follows, since no other command shows it again.
func (p *page) appliedFleet(d Document, results []Result) {
	var acted []Result
	rows := make([]fleetRow, 0, len(results))
	for _, r := range results {
		rows = append(rows, d.appliedRow(r))
		if r.Outcome != reconcile.OutcomeUnchanged {
			acted = append(acted, r)
		}
	}
	switch len(acted) {
	case 0:
		p.fleetRows(d, "nothing was to be done · details: reconcile plan NAME", rows, "")
	case 1:
		p.fleetRows(d, "details: reconcile plan NAME", rows, acted[0].Topology)
		p.blank()
		p.result(d, acted[0])
	default:
		p.fleetRows(d, "details: reconcile history NAME", rows, "")
	}
}

func (d Document) appliedRow(r Result) fleetRow {
	t, planned := d.Plan.Topology(r.Topology)
	t = t.Accept(d.accepted(t))
	row := fleetRow{name: r.Topology}
	command := commandOf(r.Topology, d.resultActions(t, r))
	if planned {
		row = d.fleetRow(t)
	}
	switch r.Outcome {
	case reconcile.OutcomeApplied:
		row = fleetRow{name: r.Topology, condition: standsDone, words: d.outcomeLine(t, planned, r)}
		if t.Transition == plan.TransitionFailover {
			row.words += "; lost: " + windowBound(r.DataLoss)
		}
	case reconcile.OutcomeUnchanged:
		if !planned {
			row.condition, row.words, row.command = standsUnjudged, "nothing was done", command
		}
	case reconcile.OutcomeUnverified:
		row = fleetRow{name: r.Topology, condition: standsUnverified, words: d.outcomeLine(t, planned, r), command: command}
	case reconcile.OutcomeNotApproved, reconcile.OutcomeBlocked:
		if !planned || !d.planShowsWhy(t, r) {
			row = d.refusedRow(t, planned, r, row)
		}
	default: // an error, and what is not known
		failed := fleetRow{name: r.Topology, condition: standsFailed, words: d.outcomeLine(t, planned, r), command: command}
		row = failed.outranked(row)
	}
	_, row.style = d.resultWords(t, planned, r)
	return row
}

// refusedRow says what the plan does not show. A topology without a primary stays counted
// as one.
func (d Document) refusedRow(t plan.TopologyPlan, planned bool, r Result, row fleetRow) fleetRow {
	refused := fleetRow{name: r.Topology, condition: standsBlocked, words: d.outcomeLine(t, planned, r), command: commandOf(r.Topology, d.resultActions(t, r))}
	switch {
	case r.Outcome == reconcile.OutcomeNotApproved:
		refused.condition = standsUnapproved
	case r.Waits && t.Transition == plan.TransitionRebuild: // the headline says for what
		refused.condition = standsWaiting
		refused.words, _ = d.resultWords(t, planned, r)
	case r.Waits:
		refused.condition = standsWaiting
		refused.words, _, _ = strings.Cut(refused.words, " (hint: ")
	}
	return refused.outranked(row)
}

// outranked counts a topology as its plan does if that is worse, such as one without a
// primary.
func (r fleetRow) outranked(planned fleetRow) fleetRow {
	if planned.name != "" && planned.condition < r.condition && planned.words != "" {
		label, _, _ := strings.Cut(planned.words, ":")
		r.condition, r.words = planned.condition, label+": "+r.words
	}
	return r
}

// outcomeLine is the headline of a result with its reason: that of the first step that
// was not done, or that of the whole.
func (d Document) outcomeLine(t plan.TopologyPlan, planned bool, r Result) string {
	words, _ := d.resultWords(t, planned, r)
	half, stuck := halfDoneResult(t, r)
	switch {
	case stuck:
		remedy, _, _ := strings.Cut(half.Remedy, "; ")
		return words + ": " + string(half.Code) + ": " + remedy
	case r.Outcome == reconcile.OutcomeApplied, r.ended():
		return words
	}
	for _, s := range r.Steps {
		if _, style := statusWords(s.Status); style == bad {
			return words + ": " + actionText(s.Action) + " " + s.Cluster + ": " + orElse(s.Detail, s.Status.String())
		}
	}
	return words + withDetail(r.Detail)
}

// windowBound is the upper bound of what was lost.
func windowBound(w *plan.Window) string {
	if w == nil || w.Upper == nil {
		return "not known"
	}
	return "up to " + plan.UpperBoundText(*w.Upper) + " of writes"
}
