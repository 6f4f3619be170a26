package drift_test

import (
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/drift"
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
		want    []drift.Kind
		drifted bool
	}{
		{"all is as Git wants it", func(*plan.TopologyPlan) {}, false, nil, false},
		{"another order of the lists", found(plan.CodeConfigOrder, "b"), false, []drift.Kind{drift.Order}, false},
		{"other channels", found(plan.CodePChannelMismatch, "b"), false, []drift.Kind{drift.Channels}, true},
		{"stalled replication", found(plan.CodeReplicationStalled, "b"), false, []drift.Kind{drift.Stalled}, true},
		{"traffic goes elsewhere", found(plan.CodeTrafficNotRedirected, ""), false, []drift.Kind{drift.Traffic}, true},
		{"another uri, the same edges", found(plan.CodeUnmanagedDrift, "b"), false, []drift.Kind{drift.Unmanaged}, true},
		{"another edge", func(t *plan.TopologyPlan) {
			found(plan.CodeUnmanagedDrift, "a")(t)
			t.Clusters[0].View.Belief.Configuration.Edges = append(t.Clusters[0].View.Belief.Configuration.Edges, plan.Edge{From: "a", To: "x"})
		}, false, []drift.Kind{drift.Edge}, true},
		{"an edge that lacks", func(t *plan.TopologyPlan) {
			found(plan.CodeUnmanagedDrift, "a")(t)
			t.Clusters[0].View.Belief.Configuration.Edges = nil
		}, false, []drift.Kind{drift.Edge}, true},
		{"a standby that was promoted by hand", func(t *plan.TopologyPlan) {
			t.InSync, t.Clusters[1].View.Belief = false, standalone
		}, false, []drift.Kind{drift.Role}, false},
		{"a role that a new document asks for", func(t *plan.TopologyPlan) {
			t.InSync, t.Transition, t.Clusters[1].DesiredRole = false, plan.TransitionSwitchover, plan.RolePrimary
		}, true, nil, true},
		{"a standby that does not answer", func(t *plan.TopologyPlan) {
			t.InSync, t.Clusters[1].View = false, plan.View{Cluster: "b", Reach: plan.ReachUnreachable}
		}, false, []drift.Kind{drift.Unknown}, false},
		{"a stale primary that is back", func(t *plan.TopologyPlan) {
			found(plan.CodeStalePrimary, "a")(t)
			t.Clusters[0].DesiredRole = plan.RoleStale
		}, false, []drift.Kind{drift.StalePrimary}, true},
		{"a stale primary that is gone", func(t *plan.TopologyPlan) {
			found(plan.CodeStalePrimary, "a")(t)
			t.Clusters[0].DesiredRole, t.Clusters[0].View = plan.RoleStale, plan.View{Cluster: "a", Reach: plan.ReachUnreachable}
		}, false, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := pair(test.change)
			var got []drift.Kind
			for _, d := range drift.List(p, test.asked) {
				got = append(got, d.Kind)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("drifts are %q, want %q", got, test.want)
			}
			if (drift.Judge(p) == drift.Drifted) != test.drifted {
				t.Errorf("the verdict is %q, want drifted %t", drift.Judge(p), test.drifted)
			}
		})
	}
}
