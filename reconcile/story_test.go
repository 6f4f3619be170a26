package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// story is one topology of a primary cluster-a, which is gone, and a standby
// cluster-b, that an approved commit makes the primary.
type story struct {
	world *world
	hands *hands
	book  *book
	apply reconcile.Apply
}

func newStory(t *testing.T, roles ...plan.Role) *story {
	t.Helper()
	if len(roles) == 0 {
		roles = []plan.Role{plan.RoleStale, plan.RolePrimary}
	}
	c := &clock{at: start}
	w := &world{clock: c, views: map[string]plan.View{}}
	s := &story{world: w, book: &book{refuse: map[string]error{}}}
	s.hands = &hands{world: w, answers: map[string]answer{}}
	s.apply = reconcile.Apply{
		Pass: reconcile.Pass{
			Changes: map[string]approval.Change{}, Observer: w, Ledger: s.book, Clock: c.now,
			Policy: approval.Policy{Configured: true, SignatureOptional: true, AuthorMayApprove: true}, Concurrency: 4,
		},
		Actor: s.hands, Redirect: redirect{},
	}
	s.add("orders", "", roles...)
	if roles[0] == plan.RoleStale {
		s.down("cluster-a")
	}
	return s
}

// add adds a topology whose clusters are called like those of orders with a
// prefix. They store the star of the first.
func (s *story) add(name, prefix string, roles ...plan.Role) {
	top := plan.Topology{
		Name: name, Generation: 2, Switchover: plan.Switchover{CatchUpWithin: time.Second},
		Failover: plan.Failover{UnavailableFor: 4 * time.Second, Probes: 3, BlockPeriod: time.Hour, Verify: plan.VerifyRole},
	}
	var live plan.Configuration
	for i, role := range roles {
		id := prefix + "cluster-" + string(rune('a'+i))
		c := plan.Cluster{ID: id, Role: role, URI: "http://" + id + ":19530", ClientAddress: id + ":19530", PChannels: []string{id + "-rootcoord-dml_0"}, Promotable: true}
		top.Clusters = append(top.Clusters, c)
		live.Clusters = append(live.Clusters, plan.Member{ID: id, URI: c.URI, PChannels: c.PChannels})
		if i > 0 {
			live.Edges = append(live.Edges, plan.Edge{From: top.Clusters[0].ID, To: id})
		}
	}
	before := top
	before.Generation, before.Clusters = 1, slices.Clone(top.Clusters)
	for i := range before.Clusters {
		before.Clusters[i].Role = plan.RoleStandby
	}
	before.Clusters[0].Role = plan.RolePrimary
	top.Previous = &before
	for _, c := range top.Clusters {
		v := plan.View{
			Cluster: c.ID, Reach: plan.ReachUp, Credential: plan.CredentialBound, Version: "2.6.19", IdentityProven: true,
			ReadsConfiguration: plan.SupportYes, ForcePromotes: plan.SupportYes, Belief: plan.ClassifyBelief(c.ID, live.Clone()),
		}
		if v.Belief.Kind == plan.BeliefStandby {
			v.Progress = []plan.ChannelProgress{{Channel: c.PChannels[0], Known: true, SourceCluster: top.Clusters[0].ID, MessageID: "01", TimeTick: uint64(start.UnixMilli()) << 18}}
		}
		s.world.views[c.ID] = v
	}
	s.apply.Desired.Topologies = append(s.apply.Desired.Topologies, top)
	s.approve(name)
}

// approve gives the newest change of a topology a carrier of its own.
func (s *story) approve(name string, trailers ...string) {
	top := s.topology(name)
	primary, _ := top.Primary()
	message := "Change the roles\n\nFailover-Approved: " + name + "/" + primary.ID +
		"\nFailover-Approved-By: Alice <alice@example.com>\nFailover-Reason: a drill\n"
	for _, line := range trailers {
		message += line + "\n"
	}
	s.apply.Changes[name] = approval.Change{
		Topology: name, Commit: "c0ffee", Generation: top.Generation,
		Carriers: []approval.Carrier{{Kind: approval.CarrierCommit, Object: "c0ffee", Commit: "c0ffee", PayloadHash: "hash-of-" + name, Message: message, Date: start}},
	}
}

func (s *story) topology(name string) *plan.Topology {
	for i := range s.apply.Desired.Topologies {
		if s.apply.Desired.Topologies[i].Name == name {
			return &s.apply.Desired.Topologies[i]
		}
	}
	return nil
}

func (s *story) down(cluster string) {
	s.world.set(cluster, func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused })
}

func (s *story) up(cluster string) {
	s.world.set(cluster, func(v *plan.View) { v.Reach, v.Class = plan.ReachUp, plan.ClassNone })
}

// run applies once and returns the result of orders.
func (s *story) run(t *testing.T) reconcile.Result {
	t.Helper()
	report, err := s.apply.Run(t.Context())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	for _, r := range report.Results {
		if r.Topology == "orders" {
			return r
		}
	}
	t.Fatal("there is no result of orders")
	return reconcile.Result{}
}
