package propose

import (
	"context"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
)

// askWithin is how long propose asks the clusters at most if the cluster to promote is named.
const askWithin = 2 * time.Second

// Caution is what the clusters show that stands against a change which a person named.
type Caution struct {
	Words   string
	Fits    string // what fits instead; empty: nothing is known
	Instead string // the command that proposes that
}

// cautions asks the clusters what stands against a failover, or a switchover, to a named
// cluster. Without a configuration nobody is asked. What is not answered at once is not
// said: the change can be proposed in any case.
func cautions(ctx context.Context, o wire.Options, w desired.WorkFile, to string, failover bool) []Caution {
	e, err := o.OpenForWorkTree(w.Top)
	if err != nil {
		return nil
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	old, _ := w.Topology.Primary()
	seen := plan.Observed{Views: e.Observer().Observe(ctx, []plan.Topology{w.Topology}, plan.Depth{})}
	return cautionsOf(w.Topology.Name, seen.View(old.ID), seen.View(to), failover)
}

// rebuildCautions says what the ledger knows against a rebuild.
func rebuildCautions(ctx context.Context, o wire.Options, w desired.WorkFile, cluster string) []Caution {
	memory, err := o.KnownMemory(ctx, w.Top)
	if err != nil || memory.Ledger == plan.LedgerNone {
		return nil
	}
	if fenced, stale := memory.Fenced(cluster); stale && !fenced {
		return []Caution{{
			"no fence of " + cluster + " is recorded: no rebuild begins while it takes writes",
			"if it answers, fence it first",
			"reconcile fence " + w.Topology.Name + "/" + cluster,
		}}
	}
	return nil
}

// cautionsOf says what two clusters, the primary and the one to promote, show against a
// change.
func cautionsOf(topology string, old, to plan.View, failover bool) []Caution {
	var out []Caution
	serves := old.Reach == plan.ReachUp && (old.Belief.Kind == plan.BeliefPrimary || old.Belief.Kind == plan.BeliefStandalone)
	switch {
	case failover && serves:
		out = append(out, Caution{
			old.Cluster + " serves: a failover of it is refused (" + string(plan.CodePrimaryReachable) + ")",
			"a switchover loses nothing",
			"reconcile propose " + topology + "/" + to.Cluster + " --switchover",
		})
	case !failover && old.Reach == plan.ReachUnreachable && old.Class != plan.ClassNotCalled:
		out = append(out, Caution{
			old.Cluster + " does not answer: a switchover needs both (" + string(plan.CodeSwitchoverNeedsBoth) + ")",
			"if it is lost, fail over",
			"reconcile propose " + topology + " --failover",
		})
	}
	for _, v := range []plan.View{old, to} {
		if v.Reach == plan.ReachUp && v.Credential == plan.CredentialRefused {
			out = append(out, Caution{Words: v.Cluster + " refuses our token: what it is now is not known"})
		}
	}
	if to.Reach == plan.ReachUnreachable && to.Class != plan.ClassNotCalled {
		out = append(out, Caution{Words: to.Cluster + " does not answer: nothing can be promoted that does not"})
	}
	return out
}
