package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// balancer is a redirect target that sends traffic somewhere.
type balancer struct {
	mu      sync.Mutex
	goesTo  string
	calls   []string // "set orders b, away from [a]", in order
	setErr  error
	onCheck func(ctx context.Context)
}

func (b *balancer) state(topology, primary string) []plan.TrafficState {
	s := plan.TrafficState{Topology: topology, Target: "lb", OK: b.goesTo == primary}
	if !s.OK {
		s.Detail = "it sends traffic to " + b.goesTo
	}
	return []plan.TrafficState{s}
}

func (b *balancer) Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	if b.onCheck != nil {
		b.onCheck(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, "check "+primary+" not ["+strings.Join(stale, " ")+"]")
	return b.state(topology, primary)
}

func (b *balancer) Set(_ context.Context, topology, primary string, stale []string) []plan.TrafficState {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, "set "+primary+" not ["+strings.Join(stale, " ")+"]")
	if b.setErr != nil {
		return []plan.TrafficState{{Topology: topology, Target: "lb", Detail: b.setErr.Error()}}
	}
	b.goesTo = primary
	return b.state(topology, primary)
}

func balance(s *reconciletest.Fixture, b *balancer) { s.Apply.Traffic, s.Apply.Redirect = b, b }

func alone(id string) func(*plan.View) {
	return func(v *plan.View) {
		own, _ := v.Belief.Configuration.Member(id)
		v.Belief = plan.ClassifyBelief(id, plan.Configuration{Clusters: []plan.Member{own}})
	}
}

// now says where the traffic goes.
func (b *balancer) now() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.goesTo
}

// TestTrafficIsSetAgain: only where the clusters leave no doubt who takes
// writes, under the lock, and without an intent.
func TestTrafficIsSetAgain(t *testing.T) {
	const wrong, set = "check cluster-a not []", "set cluster-a not []"
	for _, test := range []struct {
		name    string
		roles   []plan.Role
		goesTo  string
		arrange func(*reconciletest.Fixture, *balancer)
		outcome reconcile.Outcome
		detail  string
		calls   []string
		events  []string
	}{
		{"it goes where it should", nil, "cluster-a", nil, reconcile.OutcomeUnchanged, "", []string{wrong}, []string{"match"}},
		{"it goes to the standby", nil, "cluster-b", nil, reconcile.OutcomeApplied, "traffic points at cluster-a by lb", []string{wrong, set}, []string{"match", "match"}},
		{
			"it goes to the stale primary, which is back and takes writes",
			[]plan.Role{plan.RoleStale, plan.RolePrimary},
			"cluster-a",
			func(s *reconciletest.Fixture, _ *balancer) {
				s.Clusters.Set("cluster-b", alone("cluster-b"))
				s.Up("cluster-a")
			},
			reconcile.OutcomeApplied, "traffic points at cluster-b by lb",
			[]string{"check cluster-b not [cluster-a]", "set cluster-b not [cluster-a]"},
			nil,
		},
		{
			"it cannot be set", nil, "cluster-b", func(_ *reconciletest.Fixture, b *balancer) { b.setErr = reconciletest.ErrInjected },
			reconcile.OutcomeUnverified, "TRAFFIC_NOT_REDIRECTED: lb: as the drill wants",
			[]string{wrong, set},
			[]string{"match", "match"},
		},
		{
			"another cluster was promoted outside Git", nil, "cluster-b",
			func(s *reconciletest.Fixture, _ *balancer) { s.Clusters.Set("cluster-b", alone("cluster-b")) }, reconcile.OutcomeBlocked, "OUT_OF_BAND_FAILOVER",
			[]string{wrong},
			nil,
		},
		{
			"the primary does not answer", nil, "cluster-b", func(s *reconciletest.Fixture, _ *balancer) { s.Down("cluster-a") },
			reconcile.OutcomeUnchanged, "",
			[]string{wrong},
			nil,
		},
		{
			"the topology is suspended", nil, "cluster-b", func(s *reconciletest.Fixture, _ *balancer) { s.Apply.Suspended = []string{"orders"} },
			reconcile.OutcomeUnchanged, "",
			[]string{wrong},
			[]string{"match"},
		},
		{
			"the commit does not govern at the tip", nil, "cluster-b",
			func(s *reconciletest.Fixture, _ *balancer) { s.Apply.Superseded = map[string]string{"orders": "beef"} }, reconcile.OutcomeBlocked, "SUPERSEDED",
			[]string{wrong},
			nil,
		},
		{
			"the generation was not raised", nil, "cluster-b",
			func(s *reconciletest.Fixture, _ *balancer) { s.Topology("orders").GreatestEarlier = 9 }, reconcile.OutcomeUnchanged, "",
			[]string{wrong},
			nil,
		},
		{
			"another process holds the lock", nil, "cluster-b",
			func(s *reconciletest.Fixture, _ *balancer) { s.Apply.Ledger = locked{s.Ledger} }, reconcile.OutcomeBlocked, "another process",
			[]string{wrong},
			nil,
		},
		{"the primary is lost before the lock is held", nil, "cluster-b", func(s *reconciletest.Fixture, _ *balancer) {
			s.Ledger.OnLock = func(func()) { s.Down("cluster-a") }
		}, reconcile.OutcomeUnchanged, "", []string{wrong}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.roles == nil {
				test.roles = []plan.Role{plan.RolePrimary, plan.RoleStandby}
			}
			s, b := reconciletest.NewFixture(t, test.roles...), &balancer{goesTo: test.goesTo}
			balance(s, b)
			if test.arrange != nil {
				test.arrange(s, b)
			}
			got := s.Run(t)
			if got.Outcome != test.outcome || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("%s (%s), want %s (%s)", got.Outcome, got.Detail, test.outcome, test.detail)
			}
			if d := cmp.Diff(test.calls, b.calls); d != "" {
				t.Error(d)
			}
			if len(s.Actor.Sent) != 0 || s.Ledger.Held || slices.Contains(s.Ledger.Events, "begin") {
				t.Errorf("sent %q, lock held %t, ledger %q", s.Actor.Sent, s.Ledger.Held, s.Ledger.Events)
			}
		})
	}
}

// TestApprovalIsSpentWhereverTrafficGoes: a document that is live cannot act
// later because a load balancer was wrong when it was first seen.
func TestApprovalIsSpentWhereverTrafficGoes(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	balance(s, &balancer{goesTo: "cluster-b", setErr: reconciletest.ErrInjected})
	s.Run(t)
	if !slices.Contains(s.Ledger.Events, "match") {
		t.Errorf("the ledger saw %q", s.Ledger.Events)
	}
}

// TestADeadTargetNeverDelaysAFailover: the promotion is done while the target
// still hangs, and the failover's own redirect says what came of it.
func TestADeadTargetNeverDelaysAFailover(t *testing.T) {
	s := reconciletest.NewFixture(t)
	hung := make(chan struct{})
	b := &balancer{goesTo: "cluster-a", setErr: reconciletest.ErrInjected, onCheck: func(ctx context.Context) { <-ctx.Done(); close(hung) }}
	balance(s, b)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	report, err := s.Apply.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-hung
	if ctx.Err() != nil || !slices.Equal(s.Actor.Sent, []string{reconciletest.Promote}) {
		t.Errorf("sent %q, %v", s.Actor.Sent, ctx.Err())
	}
	if got := report.Results[0]; got.Outcome != reconcile.OutcomeUnverified || !s.Ledger.Open() {
		t.Errorf("%s: %s", got.Outcome, got.Detail)
	}
}

// TestRefusedTargetWarnsBeforeAFailover: it is asked about the old primary,
// and what it says blocks nothing.
func TestRefusedTargetWarnsBeforeAFailover(t *testing.T) {
	s := reconciletest.NewFixture(t)
	b := &balancer{goesTo: "nowhere"}
	balance(s, b)
	report, err := s.Apply.Pass.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	top, _ := report.Plan.Topology("orders")
	for _, f := range top.Findings {
		if f.Code == plan.CodeTrafficNotRedirected && f.Severity != plan.SeverityWarning {
			t.Errorf("it is %s", f.Severity)
		}
	}
	if !top.Has(plan.CodeTrafficNotRedirected) || report.Blocked(top) || !slices.Equal(b.calls, []string{"check cluster-a not []"}) {
		t.Errorf("asked %q, blocked %t", b.calls, report.Blocked(top))
	}
}

// TestRedirectIsRetriedWithoutAnApproval is the end of R06 of scenarios.md: the approval is
// gone, its intent is not.
func TestRedirectIsRetriedWithoutAnApproval(t *testing.T) {
	s := reconciletest.NewFixture(t)
	b := &balancer{goesTo: "cluster-a", setErr: reconciletest.ErrInjected}
	balance(s, b)
	if got := s.Run(t); got.Outcome != reconcile.OutcomeUnverified {
		t.Fatalf("%s: %s", got.Outcome, got.Detail)
	}
	delete(s.Apply.Changes, "orders")
	b.setErr = nil
	if got := s.Run(t); got.Outcome != reconcile.OutcomeApplied || b.now() != "cluster-b" || s.Ledger.Open() {
		t.Errorf("%s: %s; traffic goes to %s", got.Outcome, got.Detail, b.now())
	}
	if !slices.Equal(s.Actor.Sent, []string{reconciletest.Promote}) {
		t.Errorf("sent %q", s.Actor.Sent)
	}
}

// TestANewTopologyGetsItsTraffic: a bootstrap moves no primary, and its
// traffic is set all the same.
func TestANewTopologyGetsItsTraffic(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	for _, id := range []string{"cluster-a", "cluster-b"} {
		s.Clusters.Set(id, func(v *plan.View) {
			v.Belief, v.Contents = plan.Belief{Kind: plan.BeliefUnconfigured}, plan.Contents{Known: true}
		})
	}
	b := &balancer{goesTo: "nowhere"}
	balance(s, b)
	if got := s.Run(t); got.Outcome != reconcile.OutcomeApplied || b.now() != "cluster-a" {
		t.Errorf("%s: %s; traffic goes to %s", got.Outcome, got.Detail, b.now())
	}
}
