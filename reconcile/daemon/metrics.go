package daemon

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// Metrics counts and measures what the daemon does. Its methods must not block.
type Metrics interface {
	Swept(took time.Duration) // one pass of one topology
	Planned(t plan.Transition)
	Applied(t plan.Transition, o reconcile.Outcome)
	Stepped(a plan.Action, took time.Duration)
}

// reportMetrics reports a pass that could judge the topology.
func (w *worker) reportMetrics(s TopologyStatus, r reconcile.Result, j passResult) {
	m := w.loop.metrics
	if m == nil {
		return
	}
	m.Swept(s.Took)
	m.Planned(s.Plan.Transition)
	if !j.acted || !worthReporting(r) || mayNotApply(j.apply, w.name) {
		return
	}
	m.Applied(s.Plan.Transition, r.Outcome)
	for _, x := range r.Steps {
		if x.Status != plan.StepNotAttempted && x.Status != plan.StepSkipped {
			m.Stepped(x.Step.Action, x.Took)
		}
	}
}

// intentOpenAfter says whether an intent of the topology is open after an apply with this
// outcome.
func intentOpenAfter(r reconcile.Remembered, topology string, o reconcile.Outcome) bool {
	switch o {
	case reconcile.OutcomeApplied:
		return false
	case reconcile.OutcomeUnverified:
		return true
	default:
		return slices.ContainsFunc(r.Memory.Intents, func(i plan.Intent) bool { return i.Topology == topology })
	}
}

// staleClusters returns the clusters of a topology that the ledger marks as stale, sorted.
func staleClusters(r reconcile.Remembered, topology string) []string {
	var out []string
	for _, m := range r.Memory.Stale {
		if m.Topology == topology && !slices.Contains(out, m.Cluster) {
			out = append(out, m.Cluster)
		}
	}
	slices.Sort(out)
	return out
}
