package render

import (
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

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
	if r.Outcome == reconcile.OutcomeNotApproved {
		refused.condition = standsUnapproved
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
	if r.Outcome == reconcile.OutcomeApplied {
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
