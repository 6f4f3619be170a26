package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// prepared is what the second look, under the lock, allows.
type prepared struct {
	topology   plan.Topology
	plan       plan.TopologyPlan
	decision   approval.Decision
	remembered Remembered
	observed   plan.Observed
}

// mayHaveSent says whether an earlier process may have sent something for the
// intent that is carried on.
func (n prepared) mayHaveSent() bool {
	i, open := openIntent(n.remembered, n.plan.Name)
	return open && i.MayHaveSent
}

// prepare observes and plans this topology again under the lock. The digest must
// be the one first seen, the evidence must still hold.
func (r run) prepare(ctx context.Context) (prepared, Outcome, string) {
	p := r.apply.forTopology(r.name)
	remembered, err := p.readMemory(ctx)
	if err != nil {
		return prepared{}, OutcomeError, err.Error()
	}
	o := r.observeAndProbe(ctx, p, remembered, plan.Observed{Evidence: r.newestEvidence(p), Traffic: r.traffic}, func(d Depth) []plan.View {
		d.Fresh = hasJoin(r.first)
		return p.Observer.Observe(ctx, p.Desired.Topologies, d)
	})
	report := p.authorize(p.compute(o, remembered), remembered)
	t, _ := report.Plan.Topology(r.name)
	prep := prepared{topology: p.topology(r.name), plan: t, decision: report.Decisions[r.name], remembered: remembered, observed: o}
	if err := ctx.Err(); err != nil {
		return prep, OutcomeError, "look again under the lock: " + context.Cause(ctx).Error()
	}
	if t.Digest != r.first.Digest || r.differsFromPinned(t) {
		return prep, OutcomeBlocked, staleDetail(r.first, t)
	}
	if only := r.apply.only; only != plan.TransitionNone && t.Transition != only && t.Transition != plan.TransitionNone {
		return prep, OutcomeBlocked, "the " + t.Transition.String() + " of this topology comes first"
	}
	if t.Transition == plan.TransitionNone {
		outcome, detail := r.apply.spendIfLive(ctx, t, remembered)
		return prep, outcome, detail
	}
	if outcome, detail := refusal(t, report); outcome != OutcomeApplied {
		return prep, outcome, detail
	}
	if _, ok := p.grant(t, prep.decision, remembered); !ok && t.Changes() {
		return prep, OutcomeNotApproved, "no grant covers this plan"
	}
	if prep, outcome, detail := r.proveReady(ctx, prep); outcome != OutcomeApplied {
		return prep, outcome, detail
	}
	return r.rereadGit(ctx, prep)
}

func (r run) differsFromPinned(t plan.TopologyPlan) bool {
	if r.apply.Pinned == nil {
		return false
	}
	return r.apply.Pinned[t.Name] != t.Digest
}

// hasJoin says whether the plan rests on a cluster's being empty, or a copy: it
// must be the cluster to which the request goes that was seen to be.
func hasJoin(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(t.Steps, func(s plan.Step) bool { return s.Reason == plan.ReasonJoins })
}

func staleDetail(was, is plan.TopologyPlan) string {
	return fmt.Sprintf("the plan is stale: it was %s and is now %s; plan again", was.Digest, is.Digest)
}

// proveReady lets a fence begin only beside a cluster that takes writes, and a
// switchover only when replication is seen to flow. One that is resumed halfway
// has nothing left to prove it with.
func (r run) proveReady(ctx context.Context, prep prepared) (prepared, Outcome, string) {
	if prep.plan.Transition == plan.TransitionFence && prep.plan.Changes() {
		proven, err := r.proveWriter(ctx, prep)
		if err != nil {
			return prep, OutcomeBlocked, err.Error()
		}
		return proven, OutcomeApplied, ""
	}
	if prep.plan.Transition != plan.TransitionSwitchover || !prep.plan.Changes() || prep.plan.Resumed && !stillLinked(prep) {
		return prep, OutcomeApplied, ""
	}
	err := r.proveReplication(ctx, prep, prep.plan.OldPrimary, prep.plan.Primary)
	if err != nil {
		return prep, OutcomeBlocked, string(plan.CodeSwitchoverLag) + ": " + err.Error()
	}
	if err := r.checkExpiry(prep); err != nil {
		return prep, OutcomeNotApproved, approval.CodeExpired + ": " + err.Error()
	}
	return prep, OutcomeApplied, ""
}

// stillLinked says whether the old primary of a switchover still stores the edge to
// the new one, which still follows it.
func stillLinked(prep prepared) bool {
	from, to := prep.plan.OldPrimary, prep.plan.Primary
	return prep.observed.View(from).Belief.Configuration.HasEdge(from, to) &&
		prep.observed.View(to).Belief.Source == from
}

// proveReplication proves that what source writes reaches target.
func (r run) proveReplication(ctx context.Context, prep prepared, source, target string) error {
	within := prep.topology.Switchover.CatchUpWithin
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("proving that replication from %s reaches %s", source, target), within, func() {
		err = r.apply.Actor.ProveReplication(ctx, prep.topology, source, target, within)
	})
	return err
}

// writerProof bounds the proof that the promoted cluster takes writes: its
// answer counts only while it is fresh.
const writerProof = 15 * time.Second

// proveWriter demands, before a fence, that the promoted cluster has just
// accepted a throwaway DDL, and looks once more after it: what speaks for a
// fence must hold in one observation (contract.md §8).
func (r run) proveWriter(ctx context.Context, prep prepared) (prepared, error) {
	promoted := prep.plan.Primary
	bounded, cancel := context.WithTimeout(ctx, writerProof)
	defer cancel()
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("proving that %s takes writes, before %s is fenced", promoted, clusterToFence(prep.plan)), writerProof, func() {
		_, err = r.apply.Actor.Verify(bounded, prep.topology, promoted, plan.VerifyDDL, nil)
	})
	if err != nil {
		return prep, fmt.Errorf("%s: %s is not proven to take writes, so a fence could leave no cluster that does: %w", plan.CodeClusterNeeded, promoted, err)
	}
	prep.observed.Views = r.apply.Observer.Observe(ctx, []plan.Topology{prep.topology}, Depth{Progress: true, Contents: true})
	return prep, r.revalidate(ctx, prep, prep.observed)
}

func clusterToFence(t plan.TopologyPlan) string {
	for _, s := range t.Steps {
		if s.Action == plan.ActionFence {
			return s.Cluster
		}
	}
	return "nobody"
}

// writeIntent writes intent, spent approval and stale marks in one transaction.
func (r run) writeIntent(ctx context.Context, prep prepared) error {
	if prep.plan.Resumed {
		return nil
	}
	t := prep.plan
	at := r.apply.Clock()
	b := Beginning{
		Intent: plan.Intent{
			Topology: t.Name, Transition: t.Transition, Generation: t.Generation,
			Commit: prep.decision.Commit, Digest: t.Digest, Steps: t.Steps, At: at,
			FailedAt: t.FailedAt,
		},
		By: prep.decision.By, Payloads: prep.decision.Payloads, Document: t.Document,
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
		if c.Role == plan.RoleStandby && joinsBy(t, c.ID) && !c.Provisioned.At.IsZero() {
			b.Used = append(b.Used, plan.UsedProvision{Cluster: c.ID, At: c.Provisioned.At})
		}
	}
	if err := r.right.Begin(ctx, b); err != nil {
		return fmt.Errorf("write the intent: %w", err)
	}
	return nil
}

// checkpoints are how far each channel had replicated from a source.
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

// checkpointsBeforePromotion is what a channel kept of a source that it left: the standby was
// promoted by half before.
func checkpointsBeforePromotion(v plan.View, p plan.ChannelProgress, source string) []plan.Salvage {
	if !v.HalfPromoted() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Salvage), func(s plan.Salvage) bool { return s.SourceCluster != source })
}

func joinsBy(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Steps, func(s plan.Step) bool {
		return s.Cluster == cluster && s.Reason == plan.ReasonJoins
	})
}
