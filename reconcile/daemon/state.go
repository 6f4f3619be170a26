package daemon

import (
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// stateOf is the one word for a topology. Drift comes before what the change
// back would be called, a block before waiting.
func stateOf(t plan.TopologyPlan, s TopologyStatus, r reconcile.Result, a reconcile.Apply) State {
	drifted := slices.ContainsFunc(s.Drifts, reconcile.Drift.Matters)
	switch {
	case slices.Contains(a.Suspended, t.Name):
		return StateSuspended
	case r.Outcome == reconcile.OutcomeApplied && !t.InSync: // the next look, which is due at once, says what came of it
		return StateApplying
	case drifted:
		return StateDrifted
	case t.OnlyUnprobed(): // the rounds go on, and then it is carried on
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

func severityOf(s State) plan.Severity {
	switch s {
	case StateBlocked, StateDrifted, StateUnknown:
		return plan.SeverityWarning
	default:
		return plan.SeverityInfo
	}
}
