package plan

import (
	"slices"
	"testing"
	"time"
)

func TestStars(t *testing.T) {
	toB := failingOver("b", "a", "c")
	ready := func(source, id string, siblings ...string) View { return moving(standbyOf(source, id, siblings...)) }
	ahead := ready("a", "c", "b")
	ahead.Progress = progress("c", time.Second, time.Second)
	mixed := ready("a", "c", "b")
	mixed.Progress = progress("c", time.Second, time.Minute)
	keptStandby := failingOver("b", "a")
	keptStandby.Clusters = append(keptStandby.Clusters, cluster("c", RoleStandby))
	keptStandby.Previous.Clusters = append(keptStandby.Previous.Clusters, cluster("c", RoleStandby))
	detached := failingOver("b", "a")
	detached.Clusters = append(detached.Clusters, cluster("d", RoleDetached))
	second := failingOver("c", "b", "a")
	second.Previous = &Topology{Name: "orders", Generation: 7, Clusters: []Cluster{cluster("a", RoleStale), cluster("b", RolePrimary), cluster("c", RoleStandby)}}
	switched := document(8, cluster("a", RoleStale), cluster("b", RoleStandby), cluster("c", RolePrimary))
	switched.Previous = second.Previous
	evidence := []Evidence{lost("a", "b")}
	flags := []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"}
	orphaned := []string{"1 record_stale a", "1 record_stale c", "2 force_promote b", "3 verify b", "4 redirect_traffic b"}
	secondSteps := []string{"1 record_stale b", "2 force_promote c", "3 verify c", "4 redirect_traffic c"}
	for _, c := range []planCase{
		{
			name: "failover of three: the other standby is orphaned and becomes stale", transition: TransitionFailover, critical: flags, steps: orphaned,
			world: world{t: toB, views: []View{down("a"), ready("a", "b", "c"), ready("a", "c", "b")}, evidence: evidence},
		},
		{
			name: "the orphan is down as well", transition: TransitionFailover, critical: flags, steps: orphaned,
			world: world{t: toB, views: []View{down("a"), ready("a", "b", "c"), down("c")}, evidence: evidence},
		},
		{
			name: "ORPHANED_STANDBY", transition: TransitionFailover, critical: flags, blocking: []string{"ORPHANED_STANDBY"}, steps: failoverSteps,
			world: world{t: keptStandby, views: []View{down("a"), ready("a", "b", "c"), ready("a", "c", "b")}, evidence: evidence},
		},
		{
			name: "NOT_MOST_CAUGHT_UP", transition: TransitionFailover, critical: flags, blocking: []string{"NOT_MOST_CAUGHT_UP"}, steps: orphaned,
			world: world{t: toB, views: []View{down("a"), ready("a", "b", "c"), ahead}, evidence: evidence},
		},
		{
			name: "NOT_MOST_CAUGHT_UP: incomparable", transition: TransitionFailover, critical: flags, blocking: []string{"NOT_MOST_CAUGHT_UP"}, steps: orphaned,
			world: world{t: toB, views: []View{down("a"), ready("a", "b", "c"), mixed}, evidence: evidence},
		},
		{
			name: "a cluster that was let go does not stand in the way", transition: TransitionFailover, critical: flags, steps: failoverSteps,
			world: world{t: detached, views: []View{down("a"), ready("a", "b"), primaryOf("d")}, evidence: evidence},
		},
		{
			name: "nor does one that was let go and is away", transition: TransitionFailover, critical: flags, steps: failoverSteps,
			world: world{t: detached, views: []View{down("a"), ready("a", "b"), down("d")}, evidence: evidence},
		},
		{
			name: "a second failover, the first stale one is away", transition: TransitionFailover, critical: flags, steps: secondSteps,
			world: world{t: second, views: []View{down("a"), down("b"), ready("b", "c")}, evidence: []Evidence{lost("b", "c")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "a second failover, and a stale one can write", transition: TransitionFailover, critical: flags, steps: secondSteps,
			blocking: []string{"SPLIT_BRAIN"},
			world:    world{t: second, views: []View{primaryOf("a", "b"), down("b"), ready("b", "c")}, evidence: []Evidence{lost("b", "c")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "a switchover, and a stale one is away", transition: TransitionSwitchover, critical: []string{"STALE_PRIMARY"},
			steps: []string{"1 update_replicate_configuration b", "1 update_replicate_configuration c", "2 wait_converged c", "3 verify c", "4 redirect_traffic c"},
			world: world{t: switched, views: []View{down("a"), primaryOf("b", "c"), standbyOf("b", "c")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "an attach does not begin while another standby is away", transition: TransitionAddStandby, blocking: []string{"CLUSTER_NEEDED"},
			steps: []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 update_replicate_configuration c", "3 wait_converged a", "4 verify a"},
			world: world{t: pairOf("a", "b", "c"), views: []View{primaryOf("a", "b"), down("b"), empty("c")}},
		},
		{
			name: "a switchover must not set a standby free", transition: TransitionSwitchover, blocking: []string{"STALE_NOT_FAILED"},
			world: world{
				t:     document(8, cluster("a", RoleStandby), cluster("b", RolePrimary), cluster("c", RoleStale)).after(pairOf("a", "b", "c")),
				views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")},
			},
		},
	} {
		c.run(t)
	}
}

func TestSwitchoverOfFive(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	w := world{t: pairOf("c", "a", "b", "d", "e").after(pairOf("a", "b", "c", "d", "e"))}
	for _, id := range all {
		w.views = append(w.views, believing(id, storing("a", "b", "c", "d", "e")))
	}
	got := w.plan(t)
	if got.Transition != TransitionSwitchover || got.Blocked(nil) || len(got.Steps) != 8 {
		t.Fatalf("got a %s of %v, blocked by %v", got.Transition, stepsOf(got), codesOf(got, SeverityBlocking))
	}
	for i, id := range all {
		s := got.Steps[i]
		if s.Cluster != id || s.Wave != 1 || !s.After.Equal(storing("c", "a", "b", "d", "e")) || !s.Before.Equal(storing("a", "b", "c", "d", "e")) {
			t.Errorf("step %d is %+v", i, s)
		}
	}
}

// TestLiveOrderIsKept: the order of the lists is part of what the server
// compares, so that a live order which is a permutation stays.
func TestLiveOrderIsKept(t *testing.T) {
	live := storing("a", "b")
	slices.Reverse(live.Clusters)
	w := world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{believing("a", live), believing("b", live)}}
	if after := w.plan(t).Steps[0].After; after.Clusters[0].ID != "b" || !after.SameSet(storing("b", "a")) {
		t.Errorf("the live order is lost: %+v", after)
	}
	double := storing("a", "b")
	double.Clusters[1] = double.Clusters[0]
	w.views[0].Belief.Configuration = double
	if after := w.plan(t).Steps[0].After; !after.SameSet(storing("b", "a")) {
		t.Errorf("a live list that names a cluster twice gives %+v", after)
	}
	rest := world{t: pairOf("a", "b"), views: []View{believing("a", live), standbyOf("a", "b")}}
	if p := rest.plan(t); !p.Has(CodeConfigOrder) || !p.InSync {
		t.Errorf("another order is not only told: %v", codesOf(p, SeverityInfo, SeverityWarning))
	}
}
