package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestCollectionsAreMissing is R43 of scenarios.md: what is not there any more is told, and holds
// nothing back. What the cluster held before the promotion is looked for as well.
func TestCollectionsAreMissing(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Ledger.Memory.Progress = []plan.ProgressRecord{{Cluster: "cluster-b", Collections: []string{"default/invoices"}}}
	s.Clusters.Set("cluster-b", func(v *plan.View) {
		v.Contents = plan.Contents{Known: true, Collections: []string{"default/invoices", "default/orders"}}
	})
	s.Actor.Verified = reconcile.Verified{Missing: []string{"default/invoices"}, Silent: []string{"default/orders"}}
	report, err := s.Apply.Run(t.Context())
	if err != nil || report.Results[0].Outcome != reconcile.OutcomeApplied {
		t.Fatalf("%v, %+v", err, report.Results)
	}
	if want := []string{"default/invoices", "default/orders"}; !slices.Equal(s.Actor.Known, want) {
		t.Errorf("it looked for %q, want %q", s.Actor.Known, want)
	}
	i := slices.IndexFunc(report.Plan.Topologies[0].Findings, func(f plan.Finding) bool { return f.Code == plan.CodeCollectionsMissing })
	if i < 0 {
		t.Fatalf("it is not told: %v", report.Plan.Topologies[0].Findings)
	}
	f := report.Plan.Topologies[0].Findings[i]
	if !strings.Contains(f.Message, "not on cluster-b: default/invoices") || !strings.Contains(f.Message, "not answering: default/orders") {
		t.Error(f.Message)
	}
	at := slices.IndexFunc(report.Results[0].Steps, func(x reconcile.StepResult) bool { return x.Step.Action == plan.ActionRedirect })
	if report.Results[0].Steps[at].Status != plan.StepDone {
		t.Errorf("the redirect: %+v", report.Results[0].Steps[at])
	}
}

// TestVerifyAgain: the checks of a promotion, at rest.
func TestVerifyAgain(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		held    bool
		codes   string
		asked   bool
	}{
		{"all is well", func(*reconciletest.Fixture) {}, true, "", true},
		{"a check fails", func(s *reconciletest.Fixture) { s.Actor.VerifyErr = reconciletest.ErrInjected }, false, "VERIFICATION_FAILED", true},
		{"a collection is gone", func(s *reconciletest.Fixture) { s.Actor.Verified.Missing = []string{"default/x"} }, true, "COLLECTIONS_MISSING", true},
		{"a collection is not loaded", func(s *reconciletest.Fixture) {
			s.Actor.Verified.Readiness = plan.Readiness{Asked: true, Unloaded: []string{"default/x"}}
		}, true, "CONTENT_IN_FLIGHT", true},
		{"a change waits", func(s *reconciletest.Fixture) {
			top := s.Topology("orders")
			top.Clusters[0].Role, top.Clusters[1].Role = plan.RoleStandby, plan.RolePrimary
			s.Actor.VerifyErr = reconciletest.ErrInjected
		}, true, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
			test.arrange(s)
			report, err := s.Apply.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			report, held := s.Apply.Verify(t.Context(), s.Actor, report)
			var codes []string
			for _, f := range report.Plan.Topologies[0].Findings {
				if f.Severity != plan.SeverityInfo {
					codes = append(codes, string(f.Code))
				}
			}
			if held != test.held || strings.Join(codes, " ") != test.codes || s.Actor.Asked != test.asked {
				t.Errorf("held %t, %q, asked %t", held, codes, s.Actor.Asked)
			}
			if in := report.Plan.Topologies[0].InSync; in != (test.held && (test.codes == "" || test.codes == "CONTENT_IN_FLIGHT") && test.asked) {
				t.Errorf("in sync: %t", in)
			}
		})
	}
}
