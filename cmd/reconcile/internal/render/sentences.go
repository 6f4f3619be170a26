package render

import "milvus-reconcile/plan"

// Happening is the one sentence that says what a plan does.
func Happening(t plan.TopologyPlan) string { return happening(t) }

// Transition is the headline of what a plan does, such as "failover to b".
func Transition(t plan.TopologyPlan) string { return transitionWords(t) }

// Loss says what a plan may lose, how sure that is and how bad.
func Loss(t plan.TopologyPlan) string {
	text, _ := lossText(t)
	return text
}

// Lag says how far a standby is behind, or that nobody knows.
func Lag(c plan.ClusterPlan) string { return lagWords(c) }

// Steps are the steps of a plan in order, a sentence each.
func Steps(t plan.TopologyPlan) []string {
	out := make([]string, len(t.Steps))
	for i, s := range t.Steps {
		out[i] = actionText(s.Action) + " " + s.Cluster + ": " + stepWords(t, s)
	}
	return out
}
