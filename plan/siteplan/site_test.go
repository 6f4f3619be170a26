package siteplan

import (
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// failover is the plan of a topology whose primary at eu-1 is lost.
func failover(name string, loss time.Duration, findings ...plan.Finding) plan.TopologyPlan {
	return plan.TopologyPlan{
		Name: name, Generation: 2, Transition: plan.TransitionFailover, OldPrimary: name + "-a", Primary: name + "-b", Digest: digest,
		DataLoss: &plan.Window{Upper: &loss}, Findings: findings,
		Clusters: []plan.ClusterPlan{{ID: name + "-a", Site: "eu-1"}, {ID: name + "-b", Site: "eu-2"}},
	}
}

// document is the topology of failover, whose change makes the old primary stale.
func document(name string) plan.Topology {
	before := plan.Topology{Name: name, Clusters: []plan.Cluster{{ID: name + "-a", Role: plan.RolePrimary}, {ID: name + "-b", Role: plan.RoleStandby}}}
	return plan.Topology{
		Name: name, Generation: 2, Previous: &before, Labels: map[string]string{"tier": name[:1]},
		Clusters: []plan.Cluster{{ID: name + "-a", Role: plan.RoleStale, Site: "eu-1"}, {ID: name + "-b", Role: plan.RolePrimary, Site: "eu-2"}},
	}
}

func TestASiteCoversWhatNothingBlocks(t *testing.T) {
	unknown := failover("unknown", 0)
	unknown.OldPrimary = ""
	begun, joins := failover("begun", 0), failover("joins", 0)
	begun.Resumed, joins.Transition = true, plan.TransitionAddStandby
	blocked := plan.Finding{Code: plan.CodeNotMostCaughtUp, Severity: plan.SeverityBlocking, Acceptable: true}
	awaited := plan.Finding{Code: plan.CodePrimaryNotProbed, Severity: plan.SeverityBlocking}
	p := plan.Plan{Topologies: []plan.TopologyPlan{
		failover("blocked", time.Minute, blocked), begun, joins, failover("orders", time.Second), unknown, failover("users", 3*time.Second, awaited),
	}}
	var documents []plan.Topology
	for _, topology := range p.Topologies {
		documents = append(documents, document(topology.Name))
	}
	s := Of("eu-1", p, documents, Waves{{Name: "first", Labels: map[string]string{"tier": "u"}}})
	var moves, covered []string
	for _, m := range s.Moves {
		moves = append(moves, m.Topology)
	}
	for _, m := range s.Covered() {
		covered = append(covered, m.Topology)
	}
	if want := []string{"unknown", "users", "blocked", "orders"}; !slices.Equal(moves, want) {
		t.Errorf("%q move, want %q", moves, want)
	}
	if want := []string{"orders", "users"}; !slices.Equal(covered, want) || s.Digest != Digest("eu-1", s.Covered()) {
		t.Errorf("an approval covers %q, want %q", covered, want)
	}
	if most, known := s.WorstLoss(); most != time.Minute || !known || s.Failovers() != 4 {
		t.Errorf("%d failovers lose up to %s, known %v", s.Failovers(), most, known)
	}
	if s := Of("us-1", p, documents, nil); len(s.Moves) > 0 || s.Digest != "" {
		t.Errorf("another site moves too: %+v", s)
	}
}

func TestAMoveIsReadAsItIsWritten(t *testing.T) {
	m, ok := MoveOf(failover("orders", 0))
	if got, err := ParseMove(m.String()); !ok || err != nil || got != m {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheFirstWaveThatTakesATopologyHasIt(t *testing.T) {
	w := Waves{{Name: "named", Topologies: []string{"o*"}, Labels: map[string]string{"tier": "o"}}, {Name: "none"}, {Name: "all", Topologies: []string{"orders", "u*"}}}
	for name, want := range map[string]string{"orders": "named", "users": "all", "wares": "rest"} {
		if got := w.At(w.Of(document(name))).Name; got != want {
			t.Errorf("%s is in wave %s, want %s", name, got, want)
		}
	}
}
