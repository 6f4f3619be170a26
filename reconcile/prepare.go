package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// ready is what the second look, under the lock, allows.
type ready struct {
	topology   plan.Topology
	plan       plan.TopologyPlan
	decision   approval.Decision
	remembered Remembered
	observed   plan.Observed
}

// mayHaveSent says whether an earlier process may have sent something for the
// intent that is carried on.
func (n ready) mayHaveSent() bool {
	i, open := openIntent(n.remembered, n.plan.Name)
	return open && i.MayHaveSent
}

// look observes and plans this topology again under the lock. The digest must
// be the one first seen, the evidence must still hold.
func (r run) look(ctx context.Context) (ready, Outcome, string) {
	p := r.apply.narrow(r.name)
	remembered, err := p.remember(ctx)
	if err != nil {
		return ready{}, OutcomeError, err.Error()
	}
	o := r.observed(ctx, p, remembered, plan.Observed{Evidence: r.newest(p), Traffic: r.traffic}, func(d Depth) []plan.View {
		d.Fresh = joinsAny(r.first)
		return p.Observer.Observe(ctx, p.Desired.Topologies, d)
	})
	report := p.judge(p.compute(o, remembered), remembered)
	t, _ := report.Plan.Topology(r.name)
	now := ready{topology: p.topology(r.name), plan: t, decision: report.Decisions[r.name], remembered: remembered, observed: o}
	if err := ctx.Err(); err != nil {
		return now, OutcomeError, "look again under the lock: " + context.Cause(ctx).Error()
	}
	if t.Digest != r.first.Digest || r.pinnedAway(t) {
		return now, OutcomeBlocked, staleDetail(r.first, t)
	}
	if only := r.apply.only; only != plan.TransitionNone && t.Transition != only && t.Transition != plan.TransitionNone {
		return now, OutcomeBlocked, "the " + t.Transition.String() + " of this topology comes first"
	}
	if t.Transition == plan.TransitionNone {
		outcome, detail := r.apply.settle(ctx, t, remembered)
		return now, outcome, detail
	}
	if outcome, detail := refusal(t, report); outcome != OutcomeApplied {
		return now, outcome, detail
	}
	if _, ok := p.grant(t, now.decision, remembered); !ok && t.Changes() {
		return now, OutcomeNotApproved, "no grant covers this plan"
	}
	if now, outcome, detail := r.prove(ctx, now); outcome != OutcomeApplied {
		return now, outcome, detail
	}
	return r.confirm(ctx, now)
}

func (r run) pinnedAway(t plan.TopologyPlan) bool {
	if r.apply.Pinned == nil {
		return false
	}
	return r.apply.Pinned[t.Name] != t.Digest
}

// joinsAny says whether the plan rests on a cluster's being empty, or a copy: it
// must be the cluster to which the request goes that was seen to be.
func joinsAny(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(t.Steps, func(s plan.Step) bool { return s.Reason == plan.ReasonJoins })
}

func staleDetail(was, is plan.TopologyPlan) string {
	return fmt.Sprintf("the plan is stale: it was %s and is now %s; plan again", was.Digest, is.Digest)
}

// prove lets a fence begin only beside a cluster that takes writes, and a
// switchover only when replication is seen to flow. One that is resumed halfway
// has nothing left to prove it with.
func (r run) prove(ctx context.Context, now ready) (ready, Outcome, string) {
	if now.plan.Transition == plan.TransitionFence && now.plan.Changes() {
		proven, err := r.proveWriter(ctx, now)
		if err != nil {
			return now, OutcomeBlocked, err.Error()
		}
		return proven, OutcomeApplied, ""
	}
	if now.plan.Transition != plan.TransitionSwitchover || !now.plan.Changes() || now.plan.Resumed && !linked(now) {
		return now, OutcomeApplied, ""
	}
	err := r.flows(ctx, now, now.plan.OldPrimary, now.plan.Primary)
	if err != nil {
		return now, OutcomeBlocked, string(plan.CodeSwitchoverLag) + ": " + err.Error()
	}
	if err := r.unexpired(now); err != nil {
		return now, OutcomeNotApproved, approval.CodeExpired + ": " + err.Error()
	}
	return now, OutcomeApplied, ""
}

// linked says whether the old primary of a switchover still stores the edge to
// the new one, which still follows it.
func linked(now ready) bool {
	from, to := now.plan.OldPrimary, now.plan.Primary
	return now.observed.View(from).Belief.Configuration.HasEdge(from, to) &&
		now.observed.View(to).Belief.Source == from
}

// flows proves that what source writes reaches target.
func (r run) flows(ctx context.Context, now ready, source, target string) error {
	within := now.topology.Switchover.CatchUpWithin
	var err error
	r.apply.waiting(ctx, r.name, fmt.Sprintf("proving that replication from %s reaches %s", source, target), within, func() {
		err = r.apply.Actor.ProveReplication(ctx, now.topology, source, target, within)
	})
	return err
}

// writerProof bounds the proof that the promoted cluster takes writes: its
// answer counts only while it is fresh.
const writerProof = 15 * time.Second

// proveWriter demands, before a fence, that the promoted cluster has just
// accepted a throwaway DDL, and looks once more after it: what speaks for a
// fence must hold in one observation (contract.md §8).
func (r run) proveWriter(ctx context.Context, now ready) (ready, error) {
	promoted := now.plan.Primary
	bounded, cancel := context.WithTimeout(ctx, writerProof)
	defer cancel()
	var err error
	r.apply.waiting(ctx, r.name, fmt.Sprintf("proving that %s takes writes, before %s is fenced", promoted, fencedBy(now.plan)), writerProof, func() {
		_, err = r.apply.Actor.Verify(bounded, now.topology, promoted, plan.VerifyDDL, nil)
	})
	if err != nil {
		return now, fmt.Errorf("%s: %s is not proven to take writes, so a fence could leave no cluster that does: %w", plan.CodeClusterNeeded, promoted, err)
	}
	now.observed.Views = r.apply.Observer.Observe(ctx, []plan.Topology{now.topology}, Depth{Progress: true, Contents: true})
	return now, r.stands(ctx, now, now.observed)
}

func fencedBy(t plan.TopologyPlan) string {
	for _, s := range t.Steps {
		if s.Action == plan.ActionFence {
			return s.Cluster
		}
	}
	return "nobody"
}

// begin writes intent, spent approval and stale marks in one transaction.
func (r run) begin(ctx context.Context, now ready) error {
	if now.plan.Resumed {
		return nil
	}
	t := now.plan
	at := r.apply.Clock()
	b := Beginning{
		Intent: plan.Intent{
			Topology: t.Name, Transition: t.Transition, Generation: t.Generation,
			Commit: now.decision.Commit, Digest: t.Digest, Steps: t.Steps, At: at,
			FailedAt: t.FailedAt,
		},
		By: now.decision.By, Payloads: now.decision.Payloads, Document: t.Document,
	}
	for _, s := range t.Steps {
		if s.Action == plan.ActionRecordStale {
			b.Stale = append(b.Stale, plan.StaleMark{
				Cluster: s.Cluster, Topology: t.Name, Since: at, Promoted: t.Primary, Commit: now.decision.Commit,
				SeenBy: r.apply.Identity, Checkpoints: checkpoints(now.observed.View(t.Primary), s.Cluster),
			})
		}
	}
	for _, c := range now.topology.Clusters {
		if c.Role == plan.RoleStandby && joins(t, c.ID) && !c.Provisioned.At.IsZero() {
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
		out = append(out, salvaged(v, p, source)...)
		if p.Known && p.SourceCluster == source {
			out = append(out, plan.Salvage{SourceCluster: source, SourceChannel: p.SourceChannel, MessageID: p.MessageID, TimeTick: p.TimeTick})
		}
	}
	return out
}

// salvaged is what a channel kept of a source that it left: the standby was
// promoted by half before.
func salvaged(v plan.View, p plan.ChannelProgress, source string) []plan.Salvage {
	if !v.HalfPromoted() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Salvage), func(s plan.Salvage) bool { return s.SourceCluster != source })
}

func joins(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Steps, func(s plan.Step) bool {
		return s.Cluster == cluster && s.Reason == plan.ReasonJoins
	})
}
