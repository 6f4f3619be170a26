package daemon

import (
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/drift"
)

// stateOf returns the one state of a topology. Drift comes before the change that would
// undo it, and blocked before pending.
func stateOf(t plan.TopologyPlan, s TopologyStatus, r reconcile.Result, a reconcile.Apply) State {
	drifted := slices.ContainsFunc(s.Drifts, drift.Drift.Matters)
	switch {
	case slices.Contains(a.Suspended, t.Name):
		return StateSuspended
	case t.UnderWay != nil: // another process acts
		return StateApplying
	case r.Outcome == reconcile.OutcomeApplied && !t.InSync: // the next pass, which is due at once, says what came of it
		return StateApplying
	case drifted:
		return StateDrifted
	case s.Waits != "", r.Waits, t.AwaitsOnlyProbes(), t.Waits(s.Decision.Accepted): // nothing is wrong with it
		return StatePending
	case t.Blocked(s.Decision.Accepted), r.Outcome == reconcile.OutcomeBlocked && t.Transition != plan.TransitionNone && !a.Observing:
		return StateBlocked
	case t.Transition != plan.TransitionNone:
		return StatePending
	case t.InSync:
		return StateInSync
	default:
		return StateUnknown
	}
}

// frozenWords say until when a freeze holds the change back; empty: none does.
func (s TopologyStatus) frozenWords() string {
	if s.Plan.Frozen == nil {
		return ""
	}
	return ", waits until " + s.Plan.Frozen.UntilText()
}

// severityOf returns the severity of the event for a state.
func severityOf(s State) plan.Severity {
	switch s {
	case StateBlocked, StateDrifted, StateUnknown:
		return plan.SeverityWarning
	default:
		return plan.SeverityInfo
	}
}
