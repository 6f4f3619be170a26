package render

import (
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// splitFirst begins a headline with the split brain, whatever is planned, under way or done:
// until it ends, each write reaches only one of the clusters.
func splitFirst(t plan.TopologyPlan, words string, s style) (string, style) {
	const split = "SPLIT BRAIN · "
	if !t.Has(plan.CodeSplitBrain) || strings.HasPrefix(words, split) {
		return words, s
	}
	return split + words, bad
}

// splitBlocks reports whether a split brain blocks what Git asks for.
func (d Document) splitBlocks(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(d.blocking(t), func(f plan.Finding) bool { return f.Code == plan.CodeSplitBrain })
}

// splitEnds is the index of the finding whose remedy ends a split brain, which is the first: a
// failover by hand that Git adopts, or else the split brain itself.
func splitEnds(found []plan.Finding) int {
	return max(0, slices.IndexFunc(found, func(f plan.Finding) bool { return f.Code == plan.CodeOutOfBandFailover }))
}
