package reconcile

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

// TestMemoryOfOneTopologyIsEnoughToPlanIt: a plan of one topology made from what the memory says
// about it is the plan made from all of it.
func TestMemoryOfOneTopologyIsEnoughToPlanIt(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ids := []string{"a", "b", "c", "gone", "x", "y"}
	names := rapid.SampledFrom([]string{"orders", "others", "third"})
	clusters := rapid.SampledFrom(ids)
	rapid.Check(t, func(rt *rapid.T) {
		when := func() time.Time { return at.Add(-time.Duration(rapid.IntRange(0, 100).Draw(rt, "ago")) * time.Minute) }
		m := plan.Memory{Now: at}
		for range rapid.IntRange(0, 12).Draw(rt, "entries") {
			c, name := clusters.Draw(rt, "cluster"), names.Draw(rt, "topology")
			switch rapid.IntRange(0, 4).Draw(rt, "kind") {
			case 0:
				m.Homes = append(m.Homes, plan.Home{Cluster: c, Topology: name})
			case 1:
				m.Generations = append(m.Generations, plan.GenerationMark{Topology: name, Generation: rapid.Int64Range(1, 5).Draw(rt, "generation"), Document: "d"})
			case 2:
				m.Progress = append(m.Progress, plan.ProgressRecord{Cluster: c, Source: clusters.Draw(rt, "source"), At: when(), NoBacklogAt: when(), Collections: []string{"default/x"}})
			case 3:
				m.Failovers = append(m.Failovers, plan.LastFailover{Topology: name, Promoted: c, At: when()})
			default:
				m.Stale = append(m.Stale, plan.StaleMark{Cluster: c, Topology: name, Since: when(), Promoted: clusters.Draw(rt, "promoted")})
			}
		}
		topology := someTopology(rt)
		views := []plan.View{}
		for _, c := range topology.Clusters {
			views = append(views, plan.View{Cluster: c.ID, Reach: rapid.SampledFrom([]plan.Reach{plan.ReachUp, plan.ReachUnreachable}).Draw(rt, "reach"), IdentityProven: true})
		}
		sorted := rapid.Bool().Draw(rt, "sorted")
		if sorted {
			slices.SortStableFunc(m.Homes, func(x, y plan.Home) int { return strings.Compare(x.Cluster, y.Cluster) })
			slices.SortStableFunc(m.Progress, func(x, y plan.ProgressRecord) int { return strings.Compare(x.Cluster, y.Cluster) })
			slices.SortStableFunc(m.Generations, func(x, y plan.GenerationMark) int { return strings.Compare(x.Topology, y.Topology) })
		}
		own := Remembered{Memory: m, Sorted: sorted}.memoryOf(topology)
		d, o := plan.Desired{Topologies: []plan.Topology{topology}}, plan.Observed{Views: views}
		whole, part := plan.Compute(d, o, m), plan.Compute(d, o, own)
		if !reflect.DeepEqual(whole, part) {
			rt.Fatalf("from all of\n%+v\n%+v\nfrom what is about it\n%+v", m, whole, part)
		}
		promoted, found := m.Promoted("orders")
		again, still := own.Promoted("orders")
		if promoted != again || found != still {
			rt.Fatalf("promoted was %q, %t and is %q, %t", promoted, found, again, still)
		}
	})
}

// someTopology is orders of a, b and c, whose document before may have listed
// another cluster.
func someTopology(rt *rapid.T) plan.Topology {
	make := func(primary int, members ...string) plan.Topology {
		t := plan.Topology{Name: "orders", Generation: 3}
		for i, id := range members {
			role := plan.RoleStandby
			if i == primary {
				role = plan.RolePrimary
			}
			t.Clusters = append(t.Clusters, plan.Cluster{ID: id, Role: role, URI: "http://" + id, PChannels: []string{fmt.Sprintf("%s-0", id)}})
		}
		return t
	}
	t := make(rapid.IntRange(0, 2).Draw(rt, "primary"), "a", "b", "c")
	if rapid.Bool().Draw(rt, "before") {
		before := make(rapid.IntRange(0, 2).Draw(rt, "primary before"), "a", "b", "gone")
		t.Previous = &before
	}
	return t
}

// TestAPassAsksForItsOwnLockAlone: each holder is a call to the ledger. A pass that asked for
// every outage would take the longer the more of a region is lost.
func TestAPassAsksForItsOwnLockAlone(t *testing.T) {
	var m plan.Memory
	for _, name := range []string{"orders", "parts", "users"} {
		m.Outages = append(m.Outages, plan.Outage{Cluster: name + "-a", Topology: name}, plan.Outage{Cluster: name + "-b", Topology: name})
	}
	m.Intents = []plan.Intent{{Topology: "parts"}}
	var asked []string
	ask := func(_ context.Context, topology string) (plan.LockHolder, bool) {
		asked = append(asked, topology)
		return plan.LockHolder{Topology: topology}, topology != "users"
	}
	for _, c := range []struct{ only, asked, held []string }{
		{nil, []string{"parts", "orders", "users"}, []string{"parts", "orders"}},
		{[]string{"orders"}, []string{"orders"}, []string{"orders"}},
		{[]string{"other"}, nil, nil},
	} {
		asked = nil
		var held []string
		for _, h := range LockHolders(t.Context(), m, ask, c.only...) {
			held = append(held, h.Topology)
		}
		if !slices.Equal(asked, c.asked) || !slices.Equal(held, c.held) {
			t.Errorf("of %v: asked for %v, got %v", c.only, asked, held)
		}
	}
}
