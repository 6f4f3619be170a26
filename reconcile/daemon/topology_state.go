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
	case s.Waits != "", t.AwaitsOnlyProbes(), t.WaitsForFreeze(s.Decision.Accepted): // it goes on by itself
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

// severityOf returns the severity of the event for a state.
func severityOf(s State) plan.Severity {
	switch s {
	case StateBlocked, StateDrifted, StateUnknown:
		return plan.SeverityWarning
	default:
		return plan.SeverityInfo
	}
}
