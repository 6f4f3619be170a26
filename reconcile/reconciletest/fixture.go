package reconciletest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// ErrInjected is the error of what a test has fail.
var ErrInjected = errors.New("as the drill wants")

// Promote is how the actor notes the promotion of a story.
const Promote = "force_promote cluster-b"

// Fixture is one topology of a primary cluster-a, which is gone, and a standby
// cluster-b, that an approved commit makes the primary.
type Fixture struct {
	Clusters *Clusters
	Actor    *Actor
	Ledger   *Ledger
	Apply    reconcile.Apply
}

// NewFixture makes the topology orders, with a cluster for each role. No roles: cluster-a
// is stale and down, cluster-b the primary to be.
func NewFixture(t *testing.T, roles ...plan.Role) *Fixture {
	t.Helper()
	if len(roles) == 0 {
		roles = []plan.Role{plan.RoleStale, plan.RolePrimary}
	}
	c := &Clock{at: Start}
	w := &Clusters{Clock: c, Views: map[string]plan.View{}}
	s := &Fixture{Clusters: w, Ledger: &Ledger{Refuse: map[string]error{}}}
	s.Actor = &Actor{Clusters: w, Answers: map[string]Answer{}}
	s.Apply = reconcile.Apply{
		Pass: reconcile.Pass{
			Changes: map[string]approval.Change{}, Observer: w, Ledger: s.Ledger, Clock: c.Now,
			Policy: approval.Policy{Configured: true, SignatureOptional: true, AuthorMayApprove: true}, Concurrency: 4,
		},
		Actor: s.Actor, Redirect: Redirect{},
	}
	s.Add("orders", "", roles...)
	if roles[0] == plan.RoleStale {
		s.Down("cluster-a")
	}
	return s
}

// Add adds a topology whose clusters are called like those of orders with a
// prefix. They store the star of the first.
func (s *Fixture) Add(name, prefix string, roles ...plan.Role) {
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
			v.Progress = []plan.ChannelProgress{{Channel: c.PChannels[0], Known: true, SourceCluster: top.Clusters[0].ID, MessageID: "01", TimeTick: uint64(Start.UnixMilli()) << 18}}
		}
		s.Clusters.Views[c.ID] = v
	}
	s.Apply.Desired.Topologies = append(s.Apply.Desired.Topologies, top)
	s.Approve(name)
}

// Approve gives the newest change of a topology a carrier of its own.
func (s *Fixture) Approve(name string, trailers ...string) {
	top := s.Topology(name)
	primary, _ := top.Primary()
	if top.Rehearse != nil {
		primary.ID = top.Rehearse.To
	}
	message := "Change the roles\n\nFailover-Approved: " + name + "/" + primary.ID +
		"\nFailover-Approved-By: Alice <alice@example.com>\nFailover-Reason: a drill\n"
	for _, line := range trailers {
		message += line + "\n"
	}
	s.Apply.Changes[name] = approval.Change{
		Topology: name, Commit: "c0ffee", Generation: top.Generation,
		Carriers: []approval.Carrier{{Kind: approval.CarrierCommit, Object: "c0ffee", Commit: "c0ffee", PayloadHash: "hash-of-" + name, Message: message, Date: Start}},
	}
}

// ApproveSite gives all topologies one carrier, a signed approval of the site eu-1 that covers
// the moves of those names as they are planned now.
func (s *Fixture) ApproveSite(t *testing.T, names ...string) {
	t.Helper()
	var moves []siteplan.Move
	for _, p := range s.Plan(t).Plan.Topologies {
		if m, ok := siteplan.MoveOf(p); ok && slices.Contains(names, p.Name) {
			moves = append(moves, m)
		}
	}
	carrier := SiteCarrier(approval.Carrier{Kind: approval.CarrierTag, Object: "7a6", Commit: "c0ffee", PayloadHash: "hash-of-eu-1", Date: Start}, moves...)
	for name, c := range s.Apply.Changes {
		c.Carriers = []approval.Carrier{carrier}
		s.Apply.Changes[name] = c
	}
}

// SiteCarrier makes a carrier one of a signed approval of the site eu-1 that covers these moves.
func SiteCarrier(c approval.Carrier, moves ...siteplan.Move) approval.Carrier {
	alice := approval.Person{Name: "Alice", Email: "alice@example.com"}
	claim := approval.Claim{Site: approval.SiteOf("eu-1", moves), By: alice, Reason: "a drill"}
	c.Ref, c.Message = "refs/tags/failover/site/eu-1/"+alice.Email, "Fail over eu-1\n\n"+claim.Trailers()
	c.Signature = approval.Signature{
		Kind: approval.SignatureSSH, Valid: true, Fingerprint: "SHA256:alice",
		Principals: []approval.AllowedLine{{ID: "1", Patterns: []string{alice.Email}}},
	}
	return c
}

// Topology returns the document of a topology, to change it; nil: there is none.
func (s *Fixture) Topology(name string) *plan.Topology {
	for i := range s.Apply.Desired.Topologies {
		if s.Apply.Desired.Topologies[i].Name == name {
			return &s.Apply.Desired.Topologies[i]
		}
	}
	return nil
}

// Down makes a cluster refuse connections.
func (s *Fixture) Down(cluster string) {
	s.Clusters.Set(cluster, func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused })
}

// Up makes a cluster answer.
func (s *Fixture) Up(cluster string) {
	s.Clusters.Set(cluster, func(v *plan.View) { v.Reach, v.Class = plan.ReachUp, plan.ClassNone })
}

// Run applies once and returns the result of orders.
func (s *Fixture) Run(t *testing.T) reconcile.Result {
	t.Helper()
	report, err := s.Apply.Run(t.Context())
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

// Forget forgets what the actor and the ledger saw, and lets the approval grow
// old, so that only the intent can carry the next run.
func (s *Fixture) Forget() {
	s.Actor.Sent, s.Ledger.Events = nil, nil
	s.Actor.Answers = nil
	s.Clusters.Clock.Pass(30 * time.Hour)
}

// Plan plans with the reading part of Apply and returns the report.
func (s *Fixture) Plan(t *testing.T) reconcile.Report {
	t.Helper()
	r, err := s.Apply.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Fence asks for the fence of cluster-a and returns what came of it.
func (s *Fixture) Fence(t *testing.T) reconcile.Result {
	t.Helper()
	report, err := s.Apply.Fence(t.Context(), "orders", "cluster-a")
	if err != nil || len(report.Results) != 1 {
		t.Fatalf("Fence: %v, %d results", err, len(report.Results))
	}
	return report.Results[0]
}

// StandAlone has a cluster store only itself.
func (s *Fixture) StandAlone(id string) {
	c, _ := s.Topology("orders").Cluster(id)
	own := plan.Member{ID: id, URI: c.URI, PChannels: c.PChannels}
	s.Clusters.Set(id, func(v *plan.View) {
		v.Belief = plan.ClassifyBelief(id, plan.Configuration{Clusters: []plan.Member{own}})
	})
}
