package reconcile

import (
	"context"
	"fmt"
	"slices"

	"milvus-reconcile/plan"
)

// openIntent returns the intent of a topology that has no result yet.
func openIntent(r Remembered, topology string) (plan.Intent, bool) {
	for _, i := range r.Memory.Intents {
		if i.Topology == topology {
			return i, true
		}
	}
	return plan.Intent{}, false
}

// ending is how an open intent ends that the plan does not resume, since a
// later document governs or the clusters moved on. The zero value leaves it
// open.
type ending string

const (
	endOpen       ending = ""
	endUnsent     ending = "unsent"     // nothing was ever sent: taken back
	endEffected   ending = "effected"   // the clusters store what it wanted
	endSuperseded ending = "superseded" // it took effect, and its verification is nobody's affair any more
	endAccepted   ending = "in_doubt"   // approvers accept that its outcome is not known
)

// endingOf decides from the records, and from what the clusters store.
func endingOf(i plan.Intent, t plan.TopologyPlan) ending {
	switch {
	case i.Generation > t.Generation:
		return endOpen
	case !i.MayHaveSent && !i.Effected:
		return endUnsent
	case t.Resumed:
		return endOpen
	case i.Effected && i.Generation < t.Generation:
		return endSuperseded
	case i.Generation < t.Generation && storesWanted(i, t):
		return endEffected
	case doubtAccepted(t):
		return endAccepted
	default:
		return endOpen
	}
}

// storesWanted says whether every cluster that the intent sends to stores what
// it wanted.
func storesWanted(i plan.Intent, t plan.TopologyPlan) bool {
	sends := 0
	for _, s := range i.Steps {
		if !s.Action.Sends() || s.After == nil {
			continue
		}
		sends++
		at := slices.IndexFunc(t.Clusters, func(c plan.ClusterPlan) bool { return c.ID == s.Cluster })
		if at < 0 || !stores(t.Clusters[at].View, s) {
			return false
		}
	}
	return sends > 0
}

func stores(v plan.View, s plan.Step) bool {
	_, named := v.Belief.Configuration.Member(s.Cluster)
	switch {
	case v.Reach != plan.ReachUp || !named:
		return false
	case s.ForcePromote():
		return v.Belief.Kind == plan.BeliefStandalone
	default:
		return v.Belief.Configuration.SameSet(*s.After)
	}
}

func doubtAccepted(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(t.Findings, func(f plan.Finding) bool {
		return f.Code == plan.CodePromotionInDoubt && f.Accepted
	})
}

// closesIntent says whether a lock is worth taking to close an open intent.
func (a Apply) closesIntent(t plan.TopologyPlan, r Remembered) bool {
	i, open := openIntent(r, t.Name)
	if _, old := a.Superseded[t.Name]; !open || old {
		return false
	}
	e := endingOf(i, t)
	return e != endOpen && e != endAccepted
}

// closeIntent closes an open intent that nobody will resume, under the lock. One
// whose outcome is not known is closed only when the plan that its approvers
// accept instead is about to be carried out.
func (r run) closeIntent(ctx context.Context, prep prepared, looked Outcome) (bool, error) {
	i, open := openIntent(prep.remembered, r.name)
	if _, old := r.apply.Superseded[r.name]; !open || old || looked == OutcomeError {
		return false, nil
	}
	e := endingOf(i, prep.plan)
	if e == endOpen || e == endAccepted && looked != OutcomeApplied {
		return false, nil
	}
	if err := r.recordEnding(ctx, e, prep.plan.Generation); err != nil {
		return false, fmt.Errorf("close the intent of generation %d: %w", i.Generation, err)
	}
	r.apply.tell(r.name, fmt.Sprintf("the %s of generation %d is closed (%s)", i.Transition, i.Generation, e))
	return true, nil
}

func (r run) recordEnding(ctx context.Context, e ending, generation int64) error {
	detail := fmt.Sprintf("generation %d governs", generation)
	switch e {
	case endUnsent:
		return r.right.Reverse(ctx, "nothing was sent; "+detail)
	case endEffected:
		if err := r.right.Effected(ctx); err != nil {
			return err
		}
		return r.right.Finish(ctx, string(endSuperseded), detail)
	default:
		return r.right.Finish(ctx, string(e), detail)
	}
}
