package reconcile_test

import (
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// pair is a topology of primary a and standby b that stores what Git wants,
// changed by what a test tells of it.
func pair(change func(*plan.TopologyPlan)) plan.TopologyPlan {
	star := plan.Configuration{
		Clusters: []plan.Member{{ID: "a", PChannels: []string{"a-0"}}, {ID: "b", PChannels: []string{"b-0"}}},
		Edges:    []plan.Edge{{From: "a", To: "b"}},
	}
	member := func(id string, role plan.Role) plan.ClusterPlan {
		return plan.ClusterPlan{ID: id, DesiredRole: role, View: plan.View{Cluster: id, Reach: plan.ReachUp, Belief: plan.ClassifyBelief(id, star.Clone())}}
	}
	t := plan.TopologyPlan{
		Name: "orders", Primary: "a", InSync: true,
		Clusters: []plan.ClusterPlan{member("a", plan.RolePrimary), member("b", plan.RoleStandby)},
	}
	change(&t)
	return t
}

func found(code plan.Code, cluster string) func(*plan.TopologyPlan) {
	return func(t *plan.TopologyPlan) {
		t.InSync = false
		t.Findings = append(t.Findings, plan.NewFinding(code, cluster, "as the test says", ""))
	}
}

// TestDriftKinds tells the kinds of drift apart.
func TestDriftKinds(t *testing.T) {
	standalone := plan.ClassifyBelief("b", plan.Configuration{Clusters: []plan.Member{{ID: "b"}}})
	for _, test := range []struct {
		name    string
		change  func(*plan.TopologyPlan)
		asked   bool
		want    []reconcile.DriftKind
		drifted bool
	}{
		{"all is as Git wants it", func(*plan.TopologyPlan) {}, false, nil, false},
		{"another order of the lists", found(plan.CodeConfigOrder, "b"), false, []reconcile.DriftKind{reconcile.DriftOrder}, false},
		{"other channels", found(plan.CodePChannelMismatch, "b"), false, []reconcile.DriftKind{reconcile.DriftChannels}, true},
		{"stalled replication", found(plan.CodeReplicationStalled, "b"), false, []reconcile.DriftKind{reconcile.DriftStalled}, true},
		{"traffic goes elsewhere", found(plan.CodeTrafficNotRedirected, ""), false, []reconcile.DriftKind{reconcile.DriftTraffic}, true},
		{"another uri, the same edges", found(plan.CodeUnmanagedDrift, "b"), false, []reconcile.DriftKind{reconcile.DriftUnmanaged}, true},
		{"another edge", func(t *plan.TopologyPlan) {
			found(plan.CodeUnmanagedDrift, "a")(t)
			t.Clusters[0].View.Belief.Configuration.Edges = append(t.Clusters[0].View.Belief.Configuration.Edges, plan.Edge{From: "a", To: "x"})
		}, false, []reconcile.DriftKind{reconcile.DriftEdge}, true},
		{"an edge that lacks", func(t *plan.TopologyPlan) {
			found(plan.CodeUnmanagedDrift, "a")(t)
			t.Clusters[0].View.Belief.Configuration.Edges = nil
		}, false, []reconcile.DriftKind{reconcile.DriftEdge}, true},
		{"a standby that was promoted by hand", func(t *plan.TopologyPlan) {
			t.InSync, t.Clusters[1].View.Belief = false, standalone
		}, false, []reconcile.DriftKind{reconcile.DriftRole}, false},
		{"a role that a new document asks for", func(t *plan.TopologyPlan) {
			t.InSync, t.Transition, t.Clusters[1].DesiredRole = false, plan.TransitionSwitchover, plan.RolePrimary
		}, true, nil, true},
		{"a standby that does not answer", func(t *plan.TopologyPlan) {
			t.InSync, t.Clusters[1].View = false, plan.View{Cluster: "b", Reach: plan.ReachUnreachable}
		}, false, []reconcile.DriftKind{reconcile.DriftUnknown}, false},
		{"a stale primary that is back", func(t *plan.TopologyPlan) {
			found(plan.CodeStalePrimary, "a")(t)
			t.Clusters[0].DesiredRole = plan.RoleStale
		}, false, []reconcile.DriftKind{reconcile.DriftStalePrimary}, true},
		{"a stale primary that is gone", func(t *plan.TopologyPlan) {
			found(plan.CodeStalePrimary, "a")(t)
			t.Clusters[0].DesiredRole, t.Clusters[0].View = plan.RoleStale, plan.View{Cluster: "a", Reach: plan.ReachUnreachable}
		}, false, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := pair(test.change)
			var got []reconcile.DriftKind
			for _, d := range reconcile.Drifts(p, test.asked) {
				got = append(got, d.Kind)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("drifts are %q, want %q", got, test.want)
			}
			if reconcile.Drifted(p) != test.drifted {
				t.Errorf("Drifted is %t, want %t", !test.drifted, test.drifted)
			}
		})
	}
}
