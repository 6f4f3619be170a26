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

// writeIntent records what is about to be sent, together with the approval that is spent
// and the clusters that become stale, in one transaction. A resumed intent is there
// already.
func (r run) writeIntent(ctx context.Context, prep prepared) error {
	if prep.plan.Resumed {
		return nil
	}
	t := prep.plan
	at := r.apply.Clock()
	b := Beginning{
		Intent: plan.Intent{
			Topology: t.Name, Transition: t.Transition, Generation: t.Generation,
			Commit: prep.decision.Commit, Digest: t.Digest, Steps: t.Steps, Return: t.Return, At: at,
			FailedAt: t.FailedAt,
		},
		By: prep.decision.By, Reasons: prep.decision.Reasons, Payloads: prep.decision.Payloads, Document: t.Document,
	}
	for _, author := range prep.authors {
		b.ProposedBy = append(b.ProposedBy, author.String())
	}
	for _, s := range t.Steps {
		if s.Action == plan.ActionRecordStale {
			b.Stale = append(b.Stale, plan.StaleMark{
				Cluster: s.Cluster, Topology: t.Name, Since: at, Promoted: t.Primary, Commit: prep.decision.Commit,
				SeenBy: r.apply.Identity, Checkpoints: checkpoints(prep.observed.View(t.Primary), s.Cluster),
			})
		}
	}
	for _, c := range prep.topology.Clusters {
		if c.Role == plan.RoleStandby && t.Transition != plan.TransitionRebuild && joinsBy(t, c.ID) && !c.Provisioned.At.IsZero() {
			b.Used = append(b.Used, plan.UsedProvision{Cluster: c.ID, At: c.Provisioned.At})
		}
	}
	if err := r.right.Begin(ctx, b); err != nil {
		return fmt.Errorf("write the intent: %w", err)
	}
	return nil
}

// checkpoints returns how far each channel of a cluster had replicated from source.
func checkpoints(v plan.View, source string) []plan.Salvage {
	var out []plan.Salvage
	for _, p := range v.Progress {
		out = append(out, checkpointsBeforePromotion(v, p, source)...)
		if p.Known && p.SourceCluster == source {
			out = append(out, plan.Salvage{SourceCluster: source, SourceChannel: p.SourceChannel, MessageID: p.MessageID, TimeTick: p.TimeTick})
		}
	}
	return out
}

// checkpointsBeforePromotion returns the salvage checkpoints of a channel that already left
// source: an earlier promotion of this standby stopped halfway.
func checkpointsBeforePromotion(v plan.View, p plan.ChannelProgress, source string) []plan.Salvage {
	if !v.HalfPromoted() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Salvage), func(s plan.Salvage) bool { return s.SourceCluster != source })
}

// joinsBy says whether a cluster joins by the plan.
func joinsBy(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Steps, func(s plan.Step) bool {
		return s.Cluster == cluster && s.Reason == plan.ReasonJoins
	})
}

// ending is how an open intent ends that the plan does not resume, because a later
// document governs or the clusters changed. The zero value leaves it open.
type ending string

const (
	endOpen       ending = ""
	endUnsent     ending = "unsent"     // nothing was ever sent: it is reversed
	endEffected   ending = "effected"   // the clusters store what it wanted
	endSuperseded ending = "superseded" // it took effect, and a later document makes its verification pointless
	endAccepted   ending = "in_doubt"   // approvers accept that its outcome is not known
)

// closesIntent says whether a lock is worth taking to close an open intent.
func (a Apply) closesIntent(t plan.TopologyPlan, r Remembered) bool {
	i, open := openIntent(r, t.Name)
	if _, old := a.Superseded[t.Name]; !open || old {
		return false
	}
	e := endingOf(i, t)
	return e != endOpen && e != endAccepted
}

// closeIntent closes, under the lock, an open intent that no plan resumes, and says
// whether it did. An intent whose outcome is not known is closed only when its approvers
// accepted that, and nothing stops the plan that comes instead.
func (r run) closeIntent(ctx context.Context, prep prepared, stop *stopped) (bool, error) {
	i, open := openIntent(prep.remembered, r.name)
	if _, old := r.apply.Superseded[r.name]; !open || old || stop != nil && stop.outcome == OutcomeError {
		return false, nil
	}
	e := endingOf(i, prep.plan)
	if e == endOpen || e == endAccepted && stop != nil {
		return false, nil
	}
	if err := r.recordEnding(ctx, e, prep.plan.Generation); err != nil {
		return false, fmt.Errorf("close the intent of generation %d: %w", i.Generation, err)
	}
	r.apply.tell(r.name, fmt.Sprintf("the %s of generation %d is closed (%s)", i.Transition, i.Generation, e))
	return true, nil
}

// endingOf decides from the records, and from what the clusters store.
func endingOf(i plan.Intent, t plan.TopologyPlan) ending {
	switch {
	case i.Generation > t.Generation:
		return endOpen
	case i.Transition == plan.TransitionRebuild && i.Generation == t.Generation && !i.Effected:
		return endOpen // it goes on once its clusters answer
	case !i.MayHaveSent && !i.Effected && !i.Turned:
		return endUnsent
	case t.Resumed:
		return endOpen
	case i.Turned && !i.MayHaveSent && i.Generation < t.Generation: // nothing of the way back was sent
		return endSuperseded
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

// recordEnding writes to the ledger how an intent ended.
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
