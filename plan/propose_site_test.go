package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// sited is a topology of that name whose clusters, named with its name, are at sites. The
// first is the primary.
func sited(name string, sites ...string) Topology {
	var clusters []Cluster
	for i, site := range sites {
		c := cluster(name+"-"+ids[i], RoleStandby)
		if c.Site = site; i == 0 {
			c.Role = RolePrimary
		}
		clusters = append(clusters, c)
	}
	t := document(8, clusters...)
	t.Name = name
	return t
}

// seen are views of its clusters: its primary answers or does not, and its standbys follow
// it, each behind by so much; below 0: it does not answer.
func (t Topology) seen(primaryUp bool, behind ...time.Duration) []View {
	var others []string
	for _, c := range t.Clusters[1:] {
		others = append(others, c.ID)
	}
	primary := t.Clusters[0].ID
	out := []View{down(primary)}
	if primaryUp {
		out[0] = primaryOf(primary, others...)
	}
	for i, id := range others {
		v := down(id)
		if behind[i] >= 0 {
			v = believing(id, storing(primary, others...))
			v.Progress = progress(id, behind[i], behind[i])
			for n := range v.Progress {
				v.Progress[n].SourceCluster = primary
			}
		}
		out = append(out, v)
	}
	return out
}

func TestProposeSite(t *testing.T) {
	const s = time.Second
	orders, users := sited("orders", "eu-1", "eu-2", "us-1"), sited("users", "eu-1", "us-1", "eu-2")
	near, unsaid := sited("near", "eu-1", "eu-1"), sited("unsaid", "eu-1", "")
	there, alone := sited("there", "eu-2", "eu-1"), sited("alone", "eu-1")
	merged := sited("merged", "eu-1", "eu-2")
	merged.Clusters[0].Role, merged.Clusters[1].Role = RoleStale, RolePrimary
	inDoubt := Memory{Intents: []Intent{{Topology: "orders", Transition: TransitionSwitchover, Generation: 8, MayHaveSent: true}}}
	for _, c := range []struct {
		name   string
		t      []Topology
		views  [][]View
		memory Memory
		change SiteChange
		moves  string
		stays  []string
	}{
		{
			"a lost site: the standby that has the most, of equals where the fewest are",
			[]Topology{users, orders, there},
			[][]View{users.seen(false, s, s), orders.seen(false, s, s), there.seen(true, s)},
			Memory{},
			SiteFailover,
			"orders-a→orders-b users-a→users-b", nil,
		},
		{
			"what loses less outweighs the spread",
			[]Topology{orders, users},
			[][]View{orders.seen(false, s, 5*s), users.seen(false, 5*s, s)},
			Memory{},
			SiteFailover,
			"orders-a→orders-b users-a→users-c", nil,
		},
		{
			"a primary that answers is never failed over",
			[]Topology{orders},
			[][]View{orders.seen(true, s, s)},
			Memory{},
			SiteFailover,
			"",
			[]string{"orders: orders-a answers"},
		},
		{
			"a standby at the same site, or at none that is said",
			[]Topology{near, unsaid, alone},
			[][]View{near.seen(false, s), unsaid.seen(false, s), alone.seen(false)},
			Memory{},
			SiteFailover,
			"",
			[]string{"alone: no standby can take over", "near: no standby can take over: near-b is at eu-1 too", "unsaid: no standby can take over: the file does not say at which site unsaid-b is"},
		},
		{
			"a standby that does not answer",
			[]Topology{orders},
			[][]View{orders.seen(false, -1, -1)},
			Memory{},
			SiteFailover,
			"",
			[]string{"orders: no standby can take over: orders-b is unreachable"},
		},
		{
			"the failover is merged already",
			[]Topology{merged},
			[][]View{merged.seen(false, s)},
			Memory{},
			SiteFailover,
			"",
			[]string{"merged: its file asks for the failover to merged-b already"},
		},
		{
			"a change is open",
			[]Topology{orders},
			[][]View{orders.seen(false, s, s)},
			inDoubt, SiteFailover,
			"",
			[]string{"orders: the switchover of generation 8 was begun"},
		},
		{
			"a switchover spreads first",
			[]Topology{orders, users},
			[][]View{orders.seen(true, s, 5*s), users.seen(true, 5*s, s)},
			Memory{},
			SiteSwitchover,
			"orders-a→orders-b users-a→users-b", nil,
		},
		{
			"a switchover needs both",
			[]Topology{orders},
			[][]View{orders.seen(false, s, s)},
			Memory{},
			SiteSwitchover,
			"",
			[]string{"orders: orders-a is unreachable"},
		},
		{
			"back",
			[]Topology{orders, there},
			[][]View{orders.seen(true, s, s), there.seen(true, s)},
			Memory{},
			SiteBack,
			"there-a→there-b", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.memory.Now = now
			moves, stays := ProposeSite(c.t, Observed{Views: slices.Concat(c.views...)}, c.memory, "eu-1", c.change)
			var got []string
			for _, m := range moves {
				got = append(got, m.From.ID+"→"+m.To.ID)
			}
			if strings.Join(got, " ") != c.moves || len(stays) != len(c.stays) {
				t.Fatalf("%q move, %v stay", got, stays)
			}
			for i, s := range stays {
				if text := fmt.Sprintf("%s: %v", s.Topology, s.Err); !strings.HasPrefix(text, c.stays[i]) || !strings.Contains(text, "(hint: ") {
					t.Errorf("%s, want %s with a hint", text, c.stays[i])
				}
			}
		})
	}
}

// TestSiteRoles: the roles are those that propose gives for the topology alone.
func TestSiteRoles(t *testing.T) {
	orders := sited("orders", "eu-1", "eu-2", "us-1")
	for _, c := range []struct {
		change SiteChange
		up     bool
		want   func(Topology, string) (map[string]Role, error)
	}{{SiteFailover, false, ProposeFailover}, {SiteSwitchover, true, ProposeSwitchover}} {
		moves, _ := ProposeSite([]Topology{orders}, Observed{Views: orders.seen(c.up, time.Second, 3*time.Second)}, Memory{Now: now}, "eu-1", c.change)
		want, err := c.want(orders, "orders-b")
		if err != nil || len(moves) != 1 || !maps.Equal(moves[0].Roles, want) {
			t.Errorf("%s: %+v, want %v, %v", c.change, moves, want, err)
		}
	}
}
