package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// writerProof bounds the proof that the promoted cluster takes writes: its
// answer counts only while it is fresh.
const writerProof = 15 * time.Second

// Fence demotes one stale cluster that is back (contract.md §4, §8): it
// carries out nothing else, whatever the document asks for. The report holds
// that topology alone.
func (a Apply) Fence(ctx context.Context, topology, cluster string) (Report, error) {
	a.Pass = a.narrow(topology)
	a.Desired.Fence = []plan.FenceRequest{{Topology: topology, Cluster: cluster}}
	a.only = plan.TransitionFence
	report, err := a.Run(ctx)
	for i, r := range report.Results {
		if t, _ := report.Plan.Topology(r.Topology); r.Outcome == OutcomeUnchanged && !fenced(t, cluster) {
			report.Results[i].Outcome = OutcomeBlocked
			report.Results[i].Detail = cluster + " does not answer as a cluster that refuses writes, and nothing was sent to it: keep it isolated by network, and fence it when it answers"
		}
	}
	return report, err
}

// fenced says whether a cluster was seen to refuse writes.
func fenced(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.ID == cluster && c.View.Reach == plan.ReachUp && c.View.Belief.Kind == plan.BeliefStandby
	})
}

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
