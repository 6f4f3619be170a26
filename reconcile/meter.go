package reconcile

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Meter counts and measures what the daemon does. Its methods must not block.
type Meter interface {
	Swept(took time.Duration) // one pass over one topology
	Planned(t plan.Transition)
	Applied(t plan.Transition, o Outcome)
	Stepped(a plan.Action, took time.Duration)
}

// measure tells the meter of a pass that could judge the topology.
func (w *worker) measure(s TopologyStatus, r Result, j judged) {
	m := w.loop.meter
	if m == nil {
		return
	}
	m.Swept(s.Took)
	m.Planned(s.Plan.Transition)
	if !j.acted || !tells(r) || j.apply.holds(w.name) {
		return
	}
	m.Applied(s.Plan.Transition, r.Outcome)
	for _, x := range r.Steps {
		if x.Status != StepNotAttempted && x.Status != StepSkipped {
			m.Stepped(x.Step.Action, x.Took)
		}
	}
}

// openIntent says whether an intent of the topology is open after an apply
// that ended so.
func (r Remembered) openIntent(topology string, o Outcome) bool {
	switch o {
	case OutcomeApplied:
		return false
	case OutcomeUnverified:
		return true
	default:
		return slices.ContainsFunc(r.Memory.Intents, func(i plan.Intent) bool { return i.Topology == topology })
	}
}

// staleOf are the clusters of a topology that are marked as stale, sorted.
func (r Remembered) staleOf(topology string) []string {
	var out []string
	for _, m := range r.Memory.Stale {
		if m.Topology == topology && !slices.Contains(out, m.Cluster) {
			out = append(out, m.Cluster)
		}
	}
	slices.Sort(out)
	return out
}
