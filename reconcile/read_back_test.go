package reconcile_test

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestAnAttachIsProven: an attach is done only when what the primary writes
// reaches the standby. Until then its intent stays open, and the next run goes on
// with the proof and sends nothing.
func TestAnAttachIsProven(t *testing.T) {
	s := newAttach(t)
	s.Actor.ReplicationErr = plan.NotCaughtUpError{Source: "cluster-a", Target: "cluster-b", Channels: 1, Behind: []string{"x"}, NoneMoved: true}
	got := s.Run(t)
	if got.Outcome != reconcile.OutcomeUnverified || !s.Ledger.Open() {
		t.Fatalf("%s: %s, an intent is open: %t", got.Outcome, got.Detail, s.Ledger.Open())
	}
	for _, want := range []string{"REPLICATION_STALLED", "no CDC process runs on cluster-a", "the next apply continues here"} {
		if !strings.Contains(got.Detail, want) {
			t.Errorf("%q does not say %q", got.Detail, want)
		}
	}
	s.Forget()
	s.Actor.ReplicationErr = nil
	if got = s.Run(t); got.Outcome != reconcile.OutcomeApplied || len(s.Actor.Sent) != 0 || s.Actor.Proofs != 2 {
		t.Errorf("%s: %s, sent %v, %d proofs", got.Outcome, got.Detail, s.Actor.Sent, s.Actor.Proofs)
	}
}

// TestAnAttachThatFellBackIsToldAgain: the next run tells the standby once more,
// and only the standby; unless it cannot be told from one that a person promoted
// by hand, or something else is amiss.
func TestAnAttachThatFellBackIsToldAgain(t *testing.T) {
	whole := plan.ChannelProgress{Channel: "cluster-b-rootcoord-dml_0", Known: true}
	promoted := whole
	promoted.Salvage = []plan.Salvage{{SourceCluster: "cluster-a", TimeTick: 1}}
	for name, c := range map[string]struct {
		progress []plan.ChannelProgress
		change   func(*reconciletest.Fixture)
		told     bool
	}{
		"it fell back":               {[]plan.ChannelProgress{whole}, nil, true},
		"it was promoted by force":   {[]plan.ChannelProgress{promoted}, nil, false},
		"its channels were not read": {[]plan.ChannelProgress{{Channel: whole.Channel}}, nil, false},
		"nothing is known of them":   {nil, nil, false},
		"the primary stands alone":   {[]plan.ChannelProgress{whole}, func(s *reconciletest.Fixture) { s.StandAlone("cluster-a") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAttach(t)
			s.Actor.ConfigurationErr = plan.FellBackError{
				Topology: "orders", Cluster: "cluster-b", Belief: plan.Belief{Kind: plan.BeliefStandalone},
				Wanted: plan.Configuration{Edges: []plan.Edge{{From: "cluster-a", To: "cluster-b"}}},
			}
			got := s.Run(t)
			if got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "'reconcile apply orders' configures it once more") || !s.Ledger.Open() {
				t.Fatalf("%s: %s", got.Outcome, got.Detail)
			}
			s.Forget()
			s.Actor.ConfigurationErr = nil
			s.StandAlone("cluster-b")
			s.Clusters.Set("cluster-b", func(v *plan.View) { v.Progress = c.progress })
			if c.change != nil {
				c.change(s)
			}
			got = s.Run(t)
			if told := len(s.Actor.Sent) > 0; told != c.told || told && got.Outcome != reconcile.OutcomeApplied {
				t.Errorf("%s: %s, sent %v", got.Outcome, got.Detail, s.Actor.Sent)
			}
		})
	}
}

// TestASwitchoverIsHeldToItsEnd: after a switchover both sides are read back,
// last of all, since applications do not wait for it.
func TestASwitchoverIsHeldToItsEnd(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary)
	s.Actor.ConfigurationErr = plan.FellBackError{
		Topology: "orders", Cluster: "cluster-a", Belief: plan.Belief{Kind: plan.BeliefPrimary},
		Wanted: plan.Configuration{Edges: []plan.Edge{{From: "cluster-b", To: "cluster-a"}}},
	}
	got := s.Run(t)
	if got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "two clusters take writes") || !s.Ledger.Open() {
		t.Errorf("%s: %s", got.Outcome, got.Detail)
	}
	if last := got.Steps[len(got.Steps)-1]; last.Step.Action != plan.ActionRedirect || last.Status != plan.StepDone {
		t.Errorf("the redirect is %s", last.Status)
	}
	if len(s.Actor.HeldReceivers) != 1 || s.Actor.HeldReceivers[0] != 2 {
		t.Errorf("read back %v", s.Actor.HeldReceivers)
	}
	s.Forget()
	s.Actor.ConfigurationErr = nil
	if got = s.Run(t); got.Outcome != reconcile.OutcomeApplied || len(s.Actor.Sent) != 0 {
		t.Errorf("%s: %s, sent %v", got.Outcome, got.Detail, s.Actor.Sent)
	}
}
