package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestRefusedAtOnce: a failover that is refused whatever probes would show is refused
// without any, by the same code. What probes decide waits for them.
func TestRefusedAtOnce(t *testing.T) {
	denied, blocked, applied := reconcile.OutcomeNotApproved, reconcile.OutcomeBlocked, reconcile.OutcomeApplied
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		outcome reconcile.Outcome
		detail  string
		probes  bool
	}{
		{"no approval", func(s *reconciletest.Fixture) { delete(s.Apply.Changes, "orders") }, denied, "APPROVAL_MISSING", false},
		{"an expired one", func(s *reconciletest.Fixture) { s.Clusters.Clock.Pass(3 * time.Hour) }, denied, "EXPIRED", false},
		{
			"a used one", func(s *reconciletest.Fixture) {
				s.Ledger.Spent = []approval.SpentMark{{Topology: "orders", Generation: 1, PayloadHash: "hash-of-orders"}}
			}, denied, "ALREADY_USED", false,
		},
		{"one of two", func(s *reconciletest.Fixture) { s.Apply.Policy.Quorum = approval.Quorum{Failover: 2} }, denied, "QUORUM_NOT_MET", false},
		{"suspended by the operator", func(s *reconciletest.Fixture) { s.Apply.Suspended = []string{"orders"} }, blocked, "suspends", false},
		{"observing", func(s *reconciletest.Fixture) { s.Apply.Observing = true }, blocked, "mode: observe", false},
		{
			"a failover was an hour ago", func(s *reconciletest.Fixture) {
				s.Ledger.Memory.Failovers = []plan.LastFailover{{Topology: "orders", At: reconciletest.Start, Promoted: "cluster-a"}}
			}, blocked, "RECOVERY_BLOCK", false,
		},
		{"frozen by the operator", frozen(-time.Hour, time.Hour), blocked, "CHANGE_FROZEN", false},
		{"a newer commit governs", func(s *reconciletest.Fixture) { s.Apply.Superseded = map[string]string{"orders": "beef"} }, blocked, "SUPERSEDED", false},
		{"approved", func(*reconciletest.Fixture) {}, applied, "", true},
		{
			"approved for a smaller loss", func(s *reconciletest.Fixture) {
				s.Approve("orders", "Failover-Max-Data-Loss: 1s")
				s.Clusters.Clock.Pass(time.Minute)
			}, denied, "LOSS_TOO_LARGE", true,
		},
		{
			"not approved, and probes say what must be accepted", func(s *reconciletest.Fixture) {
				delete(s.Apply.Changes, "orders")
				s.Clusters.Set("cluster-a", func(v *plan.View) { v.Reach = plan.ReachDegraded })
			}, blocked, "PRIMARY_NOT_SERVING", true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			test.arrange(s)
			report, err := s.Apply.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			res, planned := report.Results[0], report.Plan.Topologies[0]
			if res.Outcome != test.outcome || !strings.Contains(res.Detail, test.detail) || strings.Contains(res.Detail, "PRIMARY_NOT_PROBED") {
				t.Errorf("%s: %s, want %s for %q", res.Outcome, res.Detail, test.outcome, test.detail)
			}
			if probed := s.Clusters.Rounds > 0; probed != test.probes {
				t.Errorf("%d rounds were made, want some: %t", s.Clusters.Rounds, test.probes)
			}
			if !test.probes && (planned.Has(plan.CodePrimaryNotProbed) || len(s.Actor.Sent) > 0 || s.Ledger.Held) {
				t.Errorf("the report holds %v, sent %q, the lock is held: %t", planned.Findings, s.Actor.Sent, s.Ledger.Held)
			}
			if o := s.Ledger.Memory.Outages; !test.probes && (len(o) != 1 || o[0].Cluster != "cluster-a") {
				t.Errorf("it is not kept when cluster-a was first seen down: %+v", o)
			}
		})
	}
}

// TestADaemonShowsThatProbesAreMissing: it makes its rounds between the passes, so what it
// shows says that some are missing, whether the failover is approved or not.
func TestADaemonShowsThatProbesAreMissing(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Apply.NoProbes = true
	delete(s.Apply.Changes, "orders")
	report, err := s.Apply.Run(t.Context())
	if err != nil || !report.Plan.Topologies[0].Has(plan.CodePrimaryNotProbed) || len(s.Actor.Sent) > 0 {
		t.Errorf("%v, sent %q: %v", err, s.Actor.Sent, report.Plan.Topologies[0].Findings)
	}
}
