package render

import (
	"time"

	"milvus-reconcile/plan"
)

func inSync(name string) plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	t := topology(name, plan.TransitionNone,
		up("cluster-a", plan.RolePrimary, stored), lagging(up("cluster-b", plan.RoleStandby, stored), 800*time.Millisecond))
	t.InSync = true
	return t
}

func failover() plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	t := topology("orders", plan.TransitionFailover,
		down("cluster-a", plan.RoleStale), lagging(up("cluster-b", plan.RolePrimary, stored), 4200*time.Millisecond))
	t.OldPrimary = "cluster-a"
	t.DataLoss = window(4200 * time.Millisecond)
	alone := star("cluster-b")
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionRecordStale, Cluster: "cluster-a", Reason: plan.ReasonRemember},
		{ID: 2, Wave: 2, Action: plan.ActionForcePromote, Cluster: "cluster-b", Reason: plan.ReasonPrimaryLost, Before: &stored, After: &alone},
		{ID: 3, Wave: 3, Action: plan.ActionVerify, Cluster: "cluster-b", Reason: plan.ReasonProveRole, Verify: plan.VerifyDDL},
		{ID: 4, Wave: 4, Action: plan.ActionRedirect, Cluster: "cluster-b", Reason: plan.ReasonMoveTraffic},
	}
	t.Findings = []plan.Finding{
		finding("FORCE_PROMOTE", plan.SeverityCritical, "cluster-b", "cluster-b will be promoted by force; this cannot be undone",
			"be sure that nothing else can make cluster-a answer again"),
		finding("DATA_LOSS_RISK", plan.SeverityCritical, "cluster-a", "writes that cluster-a took and did not replicate to cluster-b may be lost: at most the last 4.2s before the failure",
			"an approver bounds it with 'Failover-Max-Data-Loss: 120s'; after the promotion let applications retry uncertain writes"),
		finding("STALE_PRIMARY", plan.SeverityCritical, "cluster-a",
			"cluster-a is stale beside cluster-b: it does not answer (unreachable); it is never put back by itself",
			"keep it away from applications; when it returns, run 'reconcile fence orders/cluster-a'"),
	}
	return t
}

func notProbed() plan.Finding {
	f := finding("PRIMARY_NOT_PROBED", plan.SeverityBlocking, "cluster-a",
		"2 probes of cluster-a failed over 12s (connection refused); the rules ask for 3 over 30s, so 18s and 1 probes are missing",
		"wait: plan and apply make the probes by themselves")
	f.Evidence = &plan.FindingEvidence{Counted: 2, Rounds: []plan.Round{{
		At: night, Took: 12 * time.Millisecond, Limit: 6 * time.Second, Reach: plan.ReachUnreachable,
		Class: plan.ClassRefused, Error: "connection refused", CandidateAnswered: true,
	}}, Moved: []plan.ChannelMotion{{Channel: "cluster-b-rootcoord-dml_0", From: 462839175283179521, To: 462839175283179521}}}
	return f
}

func notMostCaughtUp() plan.Finding {
	return acceptable(finding("NOT_MOST_CAUGHT_UP", plan.SeverityBlocking, "cluster-b",
		"cluster-c has replicated further than cluster-b on 2 channels", "promote cluster-c instead"))
}

func switchover() plan.TopologyPlan {
	stored, after := star("cluster-a", "cluster-b"), star("cluster-b", "cluster-a")
	t := topology("orders", plan.TransitionSwitchover,
		up("cluster-a", plan.RoleStandby, stored), lagging(up("cluster-b", plan.RolePrimary, stored), 300*time.Millisecond))
	t.OldPrimary, t.Replication = "cluster-a", plan.ReplicationMoving
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-a", Reason: plan.ReasonBecomesStandby, Before: &stored, After: &after},
		{ID: 2, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-b", Reason: plan.ReasonBecomesPrimary, Before: &stored, After: &after},
		{ID: 3, Wave: 2, Action: plan.ActionWait, Cluster: "cluster-b", Reason: plan.ReasonProveReplication},
		{ID: 4, Wave: 3, Action: plan.ActionVerify, Cluster: "cluster-b", Reason: plan.ReasonProveRole, Verify: plan.VerifyDDL},
	}
	return t
}

func replicating(state plan.ReplicationState) plan.TopologyPlan {
	t := switchover()
	t.Replication = state
	return t
}

func bootstrap() plan.TopologyPlan {
	after := star("cluster-a", "cluster-b")
	t := topology("orders", plan.TransitionBootstrap,
		up("cluster-a", plan.RolePrimary, plan.Configuration{}), up("cluster-b", plan.RoleStandby, plan.Configuration{}))
	t.Clusters[1].View.Belief.Inferred = true
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-a", Reason: plan.ReasonNewTopology, After: &after},
		{ID: 2, Wave: 2, Action: plan.ActionUpdate, Cluster: "cluster-b", Reason: plan.ReasonNewTopology, After: &after},
		{ID: 3, Wave: 3, Action: plan.ActionWait, Cluster: "cluster-b", Reason: plan.ReasonProveReplication},
	}
	return t
}

func addStandby() plan.TopologyPlan {
	stored, after := star("cluster-a", "cluster-b"), star("cluster-a", "cluster-b", "cluster-c")
	t := topology("orders", plan.TransitionAddStandby,
		up("cluster-a", plan.RolePrimary, stored), up("cluster-b", plan.RoleStandby, stored), up("cluster-c", plan.RoleStandby, plan.Configuration{}))
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-a", Reason: plan.ReasonKeepsStandby, Before: &stored, After: &after},
		{ID: 2, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-b", Reason: plan.ReasonKeepsStandby, Before: &stored, After: &after},
		{ID: 3, Wave: 2, Action: plan.ActionUpdate, Cluster: "cluster-c", Reason: plan.ReasonJoins, After: &after},
	}
	return t
}

func detach() plan.TopologyPlan {
	stored, keeps, alone := star("cluster-a", "cluster-b"), star("cluster-a"), star("cluster-b")
	t := topology("orders", plan.TransitionDetach,
		up("cluster-a", plan.RolePrimary, stored), up("cluster-b", plan.RoleDetached, stored))
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-a", Reason: plan.ReasonLeaves, Before: &stored, After: &keeps},
		{ID: 2, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-b", Reason: plan.ReasonLeaves, Before: &stored, After: &alone},
	}
	t.Findings = []plan.Finding{finding("STANDBY_BECOMES_WRITABLE", plan.SeverityWarning, "cluster-b",
		"cluster-b takes writes of its own once it is detached", "see that no application of orders still writes to it")}
	return t
}

func growChannels() plan.TopologyPlan {
	stored, after := star("cluster-a", "cluster-b"), star("cluster-a", "cluster-b")
	after.Clusters = members(4, "cluster-a", "cluster-b")
	t := topology("orders", plan.TransitionGrowChannels,
		up("cluster-a", plan.RolePrimary, stored), up("cluster-b", plan.RoleStandby, stored))
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-a", Reason: plan.ReasonChannelsGrow, Before: &stored, After: &after},
		{ID: 2, Wave: 1, Action: plan.ActionUpdate, Cluster: "cluster-b", Reason: plan.ReasonChannelsGrow, Before: &stored, After: &after},
	}
	return t
}

func fence() plan.TopologyPlan {
	stored, after := star("cluster-a", "cluster-b"), star("cluster-b", "cluster-a")
	t := topology("orders", plan.TransitionFence,
		up("cluster-a", plan.RoleStale, stored), up("cluster-b", plan.RolePrimary, star("cluster-b")))
	t.OldPrimary = "cluster-a"
	t.Steps = []plan.Step{
		{ID: 1, Wave: 1, Action: plan.ActionFence, Cluster: "cluster-a", Reason: plan.ReasonStaleReturned, Before: &stored, After: &after},
		{ID: 2, Wave: 2, Action: plan.ActionVerify, Cluster: "cluster-a", Reason: plan.ReasonProveRole, Verify: plan.VerifyRole},
	}
	t.Findings = []plan.Finding{finding("STALE_PRIMARY", plan.SeverityCritical, "cluster-a",
		"cluster-a is stale beside cluster-b: it is up and takes writes; it is never put back by itself",
		"stop its writers now and isolate it by network, then run 'reconcile fence orders/cluster-a'")}
	return t
}

func splitBrain() plan.TopologyPlan {
	t := topology("orders", plan.TransitionNone,
		up("cluster-a", plan.RolePrimary, star("cluster-a", "cluster-b")), up("cluster-b", plan.RoleStandby, star("cluster-b")))
	t.Findings = []plan.Finding{
		finding("SPLIT_BRAIN", plan.SeverityBlocking, "", "cluster-a and cluster-b can both take writes",
			"stop writes to all but one by network or load balancer now; a stale one is fenced with 'reconcile fence'"),
		finding("OUT_OF_BAND_FAILOVER", plan.SeverityBlocking, "cluster-b",
			"cluster-b was promoted by force outside Git; it is never undone", "take it over into Git: 'reconcile adopt orders'"),
	}
	return t
}

func unseen() plan.TopologyPlan {
	t := topology("orders", plan.TransitionNone,
		up("cluster-a", plan.RolePrimary, star("cluster-a", "cluster-b")), down("cluster-b", plan.RoleStandby))
	t.Clusters[1].Lag = &plan.Window{Method: plan.MethodUnknown}
	t.Findings = []plan.Finding{finding("CLUSTER_UNREACHABLE", plan.SeverityWarning, "cluster-b",
		"cluster-b is unreachable (refused)", "check the cluster and the network between; nothing is planned because of it")}
	return t
}
