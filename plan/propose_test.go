package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestProposeFailoverAndSwitchover(t *testing.T) {
	doc := document(7, cluster("a", RolePrimary), cluster("b", RoleStandby), cluster("c", RoleStandby), cluster("d", RoleStale), cluster("e", RoleDetached), cluster("f", RoleStandby))
	doc.Clusters[5].Promotable = false
	for _, tt := range []struct {
		name, to             string
		failover, switchover map[string]Role
		err                  string
	}{
		{name: "to a standby", to: "b", failover: map[string]Role{"a": RoleStale, "b": RolePrimary, "c": RoleStale, "f": RoleStale}, switchover: map[string]Role{"a": RoleStandby, "b": RolePrimary}},
		{name: "to the primary", to: "a", err: "primary of orders in the file already (hint: name a standby; if that change was a mistake, 'reconcile propose orders --cancel' takes it back)"},
		{name: "to a stale cluster", to: "d", err: "d is stale, not a standby"},
		{name: "to a detached cluster", to: "e", err: "e is detached"},
		{name: "to one that must not lead", to: "f", err: "promotable: false"},
		{name: "to nobody", to: "z", err: "has no cluster z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, propose := range []func(Topology, string) (map[string]Role, error){ProposeFailover, ProposeSwitchover} {
				got, err := propose(doc, tt.to)
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) {
						t.Errorf("%v, want %q", err, tt.err)
					}
					continue
				}
				if diff := cmp.Diff([]map[string]Role{tt.failover, tt.switchover}[i], got); diff != "" || err != nil {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
			}
		})
	}
}

// TestProposedRolesPlanAsAsked: what is proposed is planned offline as that very
// transition, and nothing in the documents blocks it.
func TestProposedRolesPlanAsAsked(t *testing.T) {
	before := pairOf("a", "b", "c")
	for want, propose := range map[Transition]func(Topology, string) (map[string]Role, error){
		TransitionFailover: ProposeFailover, TransitionSwitchover: ProposeSwitchover,
	} {
		roles, err := propose(before, "b")
		if err != nil {
			t.Fatal(err)
		}
		got := offline(t, withRoles(before, roles).after(before))
		if got.Transition != want || got.Primary != "b" || len(codesOf(got, SeverityBlocking)) > 0 {
			t.Errorf("%s to %s, blocked by %v, want %s to b", got.Transition, got.Primary, codesOf(got, SeverityBlocking), want)
		}
	}
}

func withRoles(doc Topology, roles map[string]Role) Topology {
	var clusters []Cluster
	for _, c := range doc.Clusters {
		if role, ok := roles[c.ID]; ok {
			c.Role = role
		}
		clusters = append(clusters, c)
	}
	return document(doc.Generation+1, clusters...)
}

func TestProposeAdoption(t *testing.T) {
	pair, star := pairOf("a", "b"), pairOf("a", "b", "c")
	stale := document(8, cluster("a", RoleStale), cluster("b", RolePrimary))
	for _, tt := range []struct {
		name  string
		doc   Topology
		views []View
		keep  string
		want  map[string]Role
		err   string
	}{
		{name: "failover by hand", doc: pair, views: []View{down("a"), primaryOf("b")}, want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "the old primary lost its belief", doc: pair, views: []View{unread("a"), primaryOf("b")}, want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "switchover by hand", doc: pair, views: []View{standbyOf("b", "a"), primaryOf("b", "a")}, want: map[string]Role{"a": RoleStandby, "b": RolePrimary}},
		{name: "failover of a star", doc: star, views: []View{down("a"), primaryOf("b"), standbyOf("a", "c", "b")}, want: map[string]Role{"a": RoleStale, "b": RolePrimary, "c": RoleStale}},
		{name: "failover of a star, one not seen", doc: star, views: []View{down("a"), primaryOf("b"), down("c")}, want: map[string]Role{"a": RoleStale, "b": RolePrimary, "c": RoleStale}},
		{name: "failover of a star, one attached again", doc: star, views: []View{down("a"), primaryOf("b", "c"), standbyOf("b", "c")}, want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "failover of a star, one wiped", doc: star, views: []View{down("a"), primaryOf("b"), empty("c")}, want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "switchover of a star, one not seen", doc: star, views: []View{standbyOf("b", "a", "c"), primaryOf("b", "a", "c"), down("c")}, want: map[string]Role{"a": RoleStandby, "b": RolePrimary}},
		{name: "both take writes", doc: pair, views: []View{primaryOf("a", "b"), primaryOf("b")}, err: "a and b take writes"},
		{name: "both take writes, one is named", doc: pair, views: []View{primaryOf("a", "b"), primaryOf("b")}, keep: "b", want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "the primary of the file is named", doc: pair, views: []View{primaryOf("a", "b"), primaryOf("b")}, keep: "a", err: "a was not found"},
		{name: "two standbys were promoted", doc: star, views: []View{down("a"), primaryOf("b"), primaryOf("c")}, err: "b and c take writes"},
		{name: "two standbys were promoted, one is named", doc: star, views: []View{down("a"), primaryOf("b"), primaryOf("c")}, keep: "c", want: map[string]Role{"a": RoleStale, "b": RoleStale, "c": RolePrimary}},
		{name: "nothing happened", doc: pair, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, err: "nothing to adopt"},
		{name: "nothing is known", doc: pair, views: nil, err: "nothing to adopt"},
		{name: "another cluster answers in its place", doc: pair, views: []View{down("a"), {Cluster: "b", Reach: ReachUp, IdentityConflict: "z", Belief: ClassifyBelief("b", storing("b"))}}, err: "nothing to adopt"},
		{name: "a stale cluster takes writes", doc: stale, views: []View{primaryOf("a"), down("b")}, err: "nothing to adopt"},
		{name: "a stale cluster that is named", doc: stale, views: []View{primaryOf("a"), down("b")}, keep: "a", want: map[string]Role{"a": RolePrimary, "b": RoleStale}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ProposeAdoption(tt.doc, Observed{Views: tt.views}, tt.keep)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, %v, want %q", got, err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestProposeImport(t *testing.T) {
	refused, mistaken, unproven := up("b"), up("b"), primaryOf("b")
	refused.Credential = CredentialRefused
	mistaken.IdentityConflict = "z"
	unproven.IdentityProven = false
	for _, tt := range []struct {
		name    string
		views   []View
		primary string
		want    map[string]Role
		errs    []string
	}{
		{name: "a pair", views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStandby}},
		{name: "one alone", views: []View{empty("a")}, want: map[string]Role{"a": RolePrimary}},
		{name: "a standby that is to join", views: []View{primaryOf("a"), empty("b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStandby}},
		{name: "two new ones", views: []View{empty("a"), empty("b")}, errs: []string{"a, b all take writes"}},
		{name: "two new ones, one is named", views: []View{empty("a"), empty("b")}, primary: "b", want: map[string]Role{"a": RoleStandby, "b": RolePrimary}},
		{name: "after a failover", views: []View{primaryOf("a", "b"), primaryOf("b")}, errs: []string{"a, b all take writes"}},
		{name: "after a failover, the promoted one is named", views: []View{primaryOf("a", "b"), primaryOf("b")}, primary: "b", want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "one that was let go", views: []View{primaryOf("a", "b"), standbyOf("a", "b"), primaryOf("c")}, primary: "a", want: map[string]Role{"a": RolePrimary, "b": RoleStandby, "c": RoleDetached}},
		{name: "no cluster has that name", views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, primary: "c", errs: []string{`"c" is none of the clusters`}},
		{name: "a standby is named", views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, primary: "b", errs: []string{"b cannot be the primary"}},
		{name: "only standbys", views: []View{standbyOf("a", "b"), standbyOf("a", "c")}, errs: []string{"also stores the cluster a at", "--cluster a=HOST:PORT"}},
		{name: "two stars", views: []View{primaryOf("a", "b"), standbyOf("a", "b"), primaryOf("c", "d"), standbyOf("c", "d")}, primary: "a", errs: []string{"d replicates from c"}},
		{
			name: "everything is told at once", views: []View{primaryOf("a", "b", "x"), refused, down("c"), unread("d")},
			errs: []string{"also stores the cluster x", "b refused the token", "c is unreachable", "d does not report"},
		},
		{name: "addresses swapped", views: []View{primaryOf("a"), mistaken}, errs: []string{"the cluster at the address of b is z"}},
		{name: "not proven", views: []View{primaryOf("a"), unproven}, errs: []string{"b could not prove"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ProposeImport(Observed{Views: tt.views}, tt.primary)
			if len(tt.errs) == 0 {
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
				return
			}
			for _, want := range tt.errs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

func TestProposeCancel(t *testing.T) {
	failed := document(8, cluster("a", RoleStale), cluster("b", RolePrimary), cluster("c", RoleStale)).after(pairOf("a", "b", "c"))
	healthy := []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}
	back := map[string]Role{"a": RolePrimary, "b": RoleStandby, "c": RoleStandby}
	twice := failed
	twice.Generation, twice.Previous = 9, &failed
	reverted := pairOf("a", "b", "c").after(failed)
	reverted.Generation, reverted.GreatestEarlier = 7, 8
	letGo := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached)).after(pairOf("a", "b"))
	joins := document(8, cluster("a", RolePrimary), cluster("b", RoleStandby)).after(document(7, cluster("a", RolePrimary)))
	rejoins := document(8, cluster("a", RolePrimary), cluster("b", RoleStandby)).after(document(7, cluster("a", RolePrimary), cluster("b", RoleStale)))
	open := func(sent, effected bool) Memory {
		return Memory{Intents: []Intent{{Topology: "orders", Transition: TransitionFailover, Generation: 8, At: now, MayHaveSent: sent, Effected: effected}}}
	}
	for _, tt := range []struct {
		name   string
		doc    Topology
		views  []View
		memory Memory
		want   map[string]Role
		err    string
	}{
		{name: "a failover of a primary that serves", doc: failed, views: healthy, want: back},
		{name: "with a standby away", doc: failed, views: []View{healthy[0], healthy[1], down("c")}, want: back},
		{name: "with the desired primary away", doc: failed, views: []View{healthy[0], down("b"), healthy[2]}, want: back},
		{name: "one that another commit kept", doc: twice, views: healthy, want: back},
		{name: "one that was reverted", doc: reverted, views: healthy, want: back},
		{name: "a switchover", doc: document(8, cluster("a", RoleStandby), cluster("b", RolePrimary)).after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStandby}},
		{name: "a detach", doc: letGo, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStandby}},
		{name: "a join of what was stale", doc: rejoins, views: []View{primaryOf("a"), primaryOf("b", "a")}, err: "a and b take writes"},
		{name: "a join of what was stale and is away", doc: rejoins, views: []View{primaryOf("a"), down("b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStale}},
		{name: "a join of a new one", doc: joins, views: []View{primaryOf("a"), empty("b")}, err: "also added b"},
		{name: "an intent that sent nothing", doc: failed, views: healthy, memory: open(false, false), want: back},
		{name: "an intent that may have sent", doc: failed, views: healthy, memory: open(true, false), err: "may have changed a cluster"},
		{name: "an intent that took effect", doc: failed, views: healthy, memory: open(false, true), err: "reconcile apply orders"},
		{name: "a promotion by hand", doc: failed, views: []View{primaryOf("a", "b", "c"), primaryOf("b"), healthy[2]}, err: "a and b take writes"},
		{name: "a standby that lost its configuration", doc: failed, views: []View{healthy[0], healthy[1], standbyOf("x", "c")}, err: "something was done already"},
		{name: "the primary is lost", doc: failed, views: []View{down("a"), healthy[1], healthy[2]}, err: "no cluster of orders is seen to take writes"},
		{name: "nothing is known", doc: failed, err: "no cluster of orders is seen to take writes"},
		{name: "a failover that was carried out", doc: failed, views: []View{down("a"), primaryOf("b"), down("c")}, err: ErrNothingToCancel.Error()},
		{name: "a failover that was carried out, and the old primary is back", doc: failed, views: []View{primaryOf("a", "b", "c"), primaryOf("b"), down("c")}, err: "take writes"},
		{name: "a failover that was carried out, and the old primary is fenced", doc: failed, views: []View{standbyOf("b", "a", "c"), primaryOf("b"), down("c")}, err: ErrNothingToCancel.Error()},
		{
			name: "the same with the ledger, whatever is stored", doc: failed, views: []View{standbyOf("b", "a"), primaryOf("b", "a"), down("c")},
			memory: Memory{Stale: []StaleMark{{Cluster: "a", Topology: "orders", Promoted: "b", Since: now, Effected: true}}}, err: ErrNothingToCancel.Error(),
		},
		{name: "nothing changed", doc: pairOf("a", "b", "c"), views: healthy, err: ErrNothingToCancel.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ProposeCancel(tt.doc, Observed{Views: tt.views}, tt.memory)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, %v, want %q", got, err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Fatalf("%v (-want +got)\n%s", err, diff)
			}
			after := proposedDocument(tt.doc, got, tt.memory)
			planned := Compute(Desired{Topologies: []Topology{after}}, Observed{Views: tt.views}, Memory{Now: now}).Topologies[0]
			if planned.Transition != TransitionNone {
				t.Errorf("what was proposed asks for a %s", planned.Transition)
			}
		})
	}
}

// TestCancelIsRefusedOrAtRest: whatever the world is, what takes a change back makes nobody
// the primary who does not take writes, and asks for no force promote.
func TestCancelIsRefusedOrAtRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		for _, doc := range d.Topologies {
			roles, err := ProposeCancel(doc, o, m)
			if err != nil {
				continue
			}
			after := proposedDocument(doc, roles, m)
			primary, one := after.Primary()
			b := normalView(primary, o.View(primary.ID)).Belief.Kind
			if !one || b != BeliefPrimary && b != BeliefStandalone {
				t.Errorf("%s of %v is made the primary, and is %s", primary.ID, roles, b)
			}
			planned, _ := Compute(Desired{Topologies: []Topology{after}}, o, m).Topology(doc.Name)
			if slices.ContainsFunc(planned.Steps, Step.ForcePromote) {
				t.Errorf("%v asks for a force promote", roles)
			}
		}
	})
}
