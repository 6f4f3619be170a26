package render

import (
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// halfDone returns the finding that a promotion which was begun is half done, and does not
// end by itself. While a process carries it out, each promotion is in that state for a
// moment. What blocks the failover comes first: a restart could make a second writer.
func (d Document) halfDone(t plan.TopologyPlan) (plan.Finding, bool) {
	const moment = 3 * time.Second
	i := slices.IndexFunc(t.Findings, func(f plan.Finding) bool { return f.Code == plan.CodePromotionHalfDone })
	switch {
	case i < 0:
		return plan.Finding{}, false
	case t.UnderWay != nil:
		return t.Findings[i], d.generatedAt().Sub(t.UnderWay.Since) >= moment
	case d.observed() != ObservedLive || !t.Resumed || t.Transition != plan.TransitionFailover || t.Findings[i].Cluster != t.Primary:
		return plan.Finding{}, false
	}
	stops := func(f plan.Finding) bool { return f.Code != plan.CodePrimaryNotProbed }
	return t.Findings[i], !slices.ContainsFunc(t.Blocking(d.accepted(t)), stops)
}

// halfDoneActions are what ends a promotion that is half done, and, where no process carries
// it out, what finishes the failover then.
func (d Document) halfDoneActions(t plan.TopologyPlan, half plan.Finding) []action {
	out := remedyActions(t, half)
	if t.UnderWay != nil {
		return out
	}
	next := d.deniedActions
	if v := d.approval(t).Verdict; v == approval.VerdictApproved || v == approval.VerdictNotRequired {
		next = d.approvedActions
	}
	for _, a := range next(t, nil) {
		if a.label == labelNow {
			a.label = labelThen
		}
		out = and(out, a)
	}
	return out
}

// halfDoneWords are what a headline says of a promotion that is half done; empty: none is.
func (d Document) halfDoneWords(t plan.TopologyPlan) string {
	_, half := d.halfDone(t)
	switch {
	case !half:
		return ""
	case t.UnderWay != nil:
		return "HALF DONE, UNDER WAY"
	default:
		return "HALF DONE, not carried on"
	}
}

// halfDoneInShort says in a row what is half done, and what ends it.
func halfDoneInShort(half plan.Finding) string {
	way, _, _ := strings.Cut(half.Remedy, " (")
	return string(half.Code) + "; " + way
}

// promotionDone reports whether a failover is carried on whose promotion took effect: nothing
// is sent any more. A status has no steps, so the loss and the cluster decide as well.
func promotionDone(t plan.TopologyPlan) bool {
	c, _ := member(t, t.Primary)
	return t.Transition == plan.TransitionFailover && t.Resumed && !t.Changes() && t.DataLoss == nil &&
		c.View.Belief.Kind != plan.BeliefStandby && !t.Has(plan.CodePromotionHalfDone)
}

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
