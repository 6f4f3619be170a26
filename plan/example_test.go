package plan_test

import (
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// The primary of a pair is lost, and a commit says so: cluster-a is to be stale,
// cluster-b the primary. The plan promotes cluster-b by force, and says what that
// costs and what it still lacks.
func ExampleCompute() {
	desired := topology(8, plan.RoleStale, plan.RolePrimary)
	before := topology(7, plan.RolePrimary, plan.RoleStandby)
	desired.Previous = &before

	p := plan.Compute(
		plan.Desired{Topologies: []plan.Topology{desired}},
		plan.Observed{Views: []plan.View{
			{Cluster: "cluster-a", Reach: plan.ReachUnreachable, Credential: plan.CredentialBound},
			answers("cluster-b", stored()),
		}},
		plan.Memory{Now: time.Date(2026, 11, 22, 20, 41, 0, 0, time.UTC)},
	)

	t := p.Topologies[0]
	fmt.Println(t.Transition, "of", t.Name+", blocked:", t.Blocked(nil))
	for _, s := range t.Steps {
		fmt.Println(s.ID, s.Action, s.Cluster)
	}
	for _, f := range t.Findings {
		fmt.Println(f.Severity, f.Code)
	}
	w := p.Wants[0]
	fmt.Printf("wanted: %d probes of %s over %s, to promote %s\n", w.Probes, w.Primary, w.Span, w.Candidate)

	// Output:
	// failover of orders, blocked: true
	// 1 record_stale cluster-a
	// 2 force_promote cluster-b
	// 3 verify cluster-b
	// 4 redirect_traffic cluster-b
	// blocking PRIMARY_NOT_PROBED
	// critical DATA_LOSS_RISK
	// critical FORCE_PROMOTE
	// critical PRIMARY_LIVENESS_UNPROVEN
	// critical STALE_PRIMARY
	// warning NO_STANDBY_LEFT
	// wanted: 3 probes of cluster-a over 30s, to promote cluster-b
}

// A healthy pair, and a commit that swaps the roles: both clusters are sent the new
// configuration at the same time, since the standby waits for it to arrive.
func ExampleCompute_switchover() {
	desired := topology(8, plan.RoleStandby, plan.RolePrimary)
	before := topology(7, plan.RolePrimary, plan.RoleStandby)
	desired.Previous = &before

	p := plan.Compute(
		plan.Desired{Topologies: []plan.Topology{desired}},
		plan.Observed{Views: []plan.View{answers("cluster-a", stored()), answers("cluster-b", stored())}},
		plan.Memory{Now: time.Date(2026, 11, 22, 20, 41, 0, 0, time.UTC)},
	)

	t := p.Topologies[0]
	fmt.Println(t.Transition, "of", t.Name+", blocked:", t.Blocked(nil))
	for _, s := range t.Steps {
		fmt.Println(s.Wave, s.Action, s.Cluster)
	}

	// Output:
	// switchover of orders, blocked: false
	// 1 update_replicate_configuration cluster-a
	// 1 update_replicate_configuration cluster-b
	// 2 wait_converged cluster-b
	// 3 verify cluster-b
	// 4 redirect_traffic cluster-b
}

func topology(generation int64, a, b plan.Role) plan.Topology {
	return plan.Topology{Name: "orders", Generation: generation, Failover: plan.Failover{UnavailableFor: 30 * time.Second, Probes: 3}, Clusters: []plan.Cluster{
		{ID: "cluster-a", Role: a, URI: "http://cluster-a:19530", PChannels: []string{"cluster-a-rootcoord-dml_0"}, Promotable: true},
		{ID: "cluster-b", Role: b, URI: "http://cluster-b:19530", PChannels: []string{"cluster-b-rootcoord-dml_0"}, Promotable: true},
	}}
}

// stored is what both clusters store before: cluster-a replicates to cluster-b.
func stored() plan.Configuration {
	c := plan.Configuration{Edges: []plan.Edge{{From: "cluster-a", To: "cluster-b"}}}
	for _, m := range topology(7, plan.RolePrimary, plan.RoleStandby).Clusters {
		c.Clusters = append(c.Clusters, plan.Member{ID: m.ID, URI: m.URI, PChannels: m.PChannels})
	}
	return c
}

func answers(id string, c plan.Configuration) plan.View {
	return plan.View{
		Cluster: id, Reach: plan.ReachUp, Version: "v2.6.22", Credential: plan.CredentialBound,
		Belief: plan.ClassifyBelief(id, c), IdentityProven: true,
		ReadsConfiguration: plan.SupportYes, ForcePromotes: plan.SupportYes,
	}
}
