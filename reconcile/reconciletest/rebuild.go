package reconciletest

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// NewRebuild makes the topology orders, whose cluster-a is stale, fenced and saved, and is to be
// rebuilt from cluster-b. An approved commit asks for it.
func NewRebuild(t *testing.T) *Fixture {
	t.Helper()
	s := NewFixture(t, plan.RoleStandby, plan.RolePrimary)
	top := s.Topology("orders")
	top.Clusters[0].Rebuild = plan.RebuildRequest{Generation: top.Generation, Data: plan.ProvisionedRestored}
	top.Previous.Clusters[0].Role, top.Previous.Clusters[1].Role = plan.RoleStale, plan.RolePrimary
	since := Start.Add(-2 * time.Hour)
	s.Ledger.Memory.Stale = []plan.StaleMark{{Cluster: "cluster-a", Topology: "orders", Since: since, Promoted: "cluster-b", Effected: true, Fenced: true}}
	s.Ledger.Memory.Losses = []plan.CountedLoss{{Topology: "orders", Cluster: "cluster-a", Promoted: "cluster-b", Since: since, Closed: true}}
	stored := s.Clusters.Views["cluster-b"].Belief.Configuration.Clone()
	own, _ := stored.Member("cluster-b")
	stored.Edges = []plan.Edge{{From: "cluster-b", To: "cluster-a"}}
	s.Clusters.Set("cluster-b", func(v *plan.View) {
		v.Belief, v.Progress = plan.ClassifyBelief("cluster-b", plan.Configuration{Clusters: []plan.Member{own}}), nil
		v.Contents = rebuilt()
	})
	s.Clusters.Set("cluster-a", func(v *plan.View) {
		v.Belief, v.Contents = plan.ClassifyBelief("cluster-a", stored), rebuilt()
	})
	s.Clusters.Wipes = map[string]plan.WipeProof{"cluster-a": {Instance: since.Add(-time.Hour), LogRead: true}}
	return s
}

// rebuilt is what cluster-b holds, and cluster-a after a restore.
func rebuilt() plan.Contents {
	return plan.Contents{Known: true, Collections: []string{"default/x"}}
}

// Wipe does to cluster-a what a person, or the operator's program, does first.
func (s *Fixture) Wipe() {
	s.Clusters.Mu.Lock()
	defer s.Clusters.Mu.Unlock()
	s.Clusters.Wipes["cluster-a"] = plan.WipeProof{Instance: Start.Add(-time.Hour), LogRead: true}
	s.Clusters.Set("cluster-a", func(v *plan.View) {
		v.Belief, v.Progress, v.Contents = plan.Belief{Kind: plan.BeliefUnconfigured}, nil, plan.Contents{Known: true}
	})
}

// Restore fills cluster-a with what cluster-b holds.
func (s *Fixture) Restore() {
	s.Clusters.Mu.Lock()
	defer s.Clusters.Mu.Unlock()
	s.Clusters.Set("cluster-a", func(v *plan.View) { v.Contents = rebuilt() })
}
