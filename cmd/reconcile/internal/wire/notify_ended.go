package wire

import (
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

// confirmed are the findings that people are told of now: those that two passes saw, and
// those that were told before and have not ended. When the approval of a change is asked
// for the first time (fresh), one pass is enough: these findings follow from Git.
func confirmed(before, stood []plan.Finding, s daemon.TopologyStatus, fresh bool) []plan.Finding {
	out := slices.Clone(s.Plan.Findings)
	if !fresh {
		out = seenTwice(before, s.Plan.Findings)
	}
	out = slices.DeleteFunc(out, func(f plan.Finding) bool { return foretold(f, s.Plan) && !holds(stood, f) })
	for _, f := range stood {
		if !holds(out, f) && (holds(s.Plan.Findings, f) || !ended(f, s)) {
			out = append(out, f)
		}
	}
	return out
}

// withOutage adds to a pass that nobody takes writes, where its plan leaves that out since the
// failover that it holds would end it. People are told of an outage whatever is merged.
func withOutage(s daemon.TopologyStatus) daemon.TopologyStatus {
	t := s.Plan
	if t.Transition != plan.TransitionFailover || t.Resumed || s.State == daemon.StateApplying ||
		t.Has(plan.CodeNoPrimary) || t.Has(plan.CodeSplitBrain) || slices.ContainsFunc(t.Clusters, mayTakeWrites) {
		return s
	}
	s.Plan.Findings = append(slices.Clone(t.Findings), plan.NewFinding(plan.CodeNoPrimary, "",
		"no cluster that answers can take writes, until the failover to "+t.Primary+" is done",
		"see what the failover waits for: 'reconcile plan "+t.Name+"'"))
	return s
}

// words are what is said of the findings of a topology, and whether people are told of one in
// the message of another: NO_PRIMARY says that the primary does not answer, and what to type.
func (p *passNotifier) words(s daemon.TopologyStatus, stand []plan.Finding) func(plan.Code, string) (string, bool) {
	ofToken := p.tokens.words(s)
	return func(code plan.Code, cluster string) (string, bool) {
		title, elsewhere := ofToken(code, cluster)
		return title, elsewhere || code == plan.CodeClusterUnreachable && saidLost(cluster, s.Plan, stand)
	}
}

// saidLost reports whether another finding tells that a cluster does not answer. That of a
// stale one is left over from before its failover was merged.
func saidLost(cluster string, t plan.TopologyPlan, stand []plan.Finding) bool {
	noPrimary := t.Transition == plan.TransitionNone && slices.ContainsFunc(stand, func(f plan.Finding) bool { return f.Code == plan.CodeNoPrimary })
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.ID == cluster && (c.DesiredRole == plan.RoleStale || c.DesiredRole == plan.RolePrimary && noPrimary)
	})
}

// mayTakeWrites reports whether a member may take writes, by all that was seen of it.
func mayTakeWrites(c plan.ClusterPlan) bool {
	switch v := c.View; {
	case c.DesiredRole == plan.RoleDetached, v.Reach == plan.ReachUnreachable, v.Reach == plan.ReachDegraded:
		return false
	case v.Reach == plan.ReachUp && v.Belief.Kind == plan.BeliefUnconfigured:
		return c.DesiredRole != plan.RoleStandby
	case v.Reach == plan.ReachUp && v.Belief.Kind != plan.BeliefUnknown:
		return v.Belief.Kind != plan.BeliefStandby
	default: // nobody knows
		return true
	}
}

// foretold reports whether a finding says what a failover will leave behind. It is told only
// after the failover.
func foretold(f plan.Finding, t plan.TopologyPlan) bool {
	return f.Code == plan.CodeStalePrimary && t.Transition == plan.TransitionFailover && f.Cluster == t.OldPrimary
}

func holds(in []plan.Finding, f plan.Finding) bool {
	return slices.ContainsFunc(in, func(g plan.Finding) bool { return g.Code == f.Code && g.Cluster == f.Cluster })
}

func seenTwice(before, now []plan.Finding) []plan.Finding {
	return slices.DeleteFunc(slices.Clone(now), func(f plan.Finding) bool { return !holds(before, f) })
}

// ended reports whether a finding has ended. That a pass no longer finds it is no proof in two
// cases: while a change is under way, since the planner then leaves out what the change will
// end; and where the pass did not see the clusters that the finding is about.
func ended(f plan.Finding, s daemon.TopologyStatus) bool {
	if s.Plan.Resumed || s.State == daemon.StateApplying {
		return false
	}
	spec, _ := plan.SpecOf(f.Code)
	switch spec.End {
	case plan.EndPrimaryWrites:
		return slices.ContainsFunc(s.Plan.Clusters, writes)
	case plan.EndAllSeen:
		return !slices.ContainsFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return !seen(c) && c.DesiredRole != plan.RoleDetached })
	case plan.EndClusterSeen:
		return !slices.ContainsFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.ID == f.Cluster && !seen(c) })
	case plan.EndClusterUp:
		return !slices.ContainsFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.ID == f.Cluster && c.View.Reach != plan.ReachUp })
	case plan.EndStandbySeen:
		return slices.ContainsFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.DesiredRole == plan.RoleStandby && seen(c) })
	case plan.EndPairSeen:
		return replicates(f.Cluster, s.Plan)
	case plan.EndNotFound:
		return true
	default: // the table lacks the code
		return false
	}
}

// seen reports whether a cluster answers and its stored role could be read.
func seen(c plan.ClusterPlan) bool {
	return c.View.Reach == plan.ReachUp && c.View.Belief.Kind != plan.BeliefUnknown
}

// writes reports whether a cluster is the primary that Git wants, answers, and can take writes.
func writes(c plan.ClusterPlan) bool {
	kind := c.View.Belief.Kind
	return c.DesiredRole == plan.RolePrimary && c.View.Reach == plan.ReachUp &&
		(kind == plan.BeliefPrimary || kind == plan.BeliefStandalone || kind == plan.BeliefUnconfigured)
}

// replicates reports whether a finding about the replication to a standby can have ended: the
// standby and the primary answer, or it is no standby any more.
func replicates(cluster string, t plan.TopologyPlan) bool {
	i := slices.IndexFunc(t.Clusters, func(c plan.ClusterPlan) bool { return c.ID == cluster })
	if i < 0 || t.Clusters[i].DesiredRole != plan.RoleStandby {
		return true
	}
	return seen(t.Clusters[i]) && slices.ContainsFunc(t.Clusters, writes)
}
