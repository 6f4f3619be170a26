package render

import (
	"encoding/xml"
	"io"
	"testing"

	"milvus-reconcile/plan"
)

func TestJUnitCountsWhatItHolds(t *testing.T) {
	docs := goldens()
	docs["hostile"] = hostileDocument()
	for name, d := range docs {
		t.Run(name, func(t *testing.T) {
			var all junitSuites
			if err := xml.Unmarshal(rendered(t, func(w io.Writer) error { return JUnit(w, d) }), &all); err != nil {
				t.Fatal(err)
			}
			tests, failures, errs := 0, 0, 0
			for _, s := range all.Suites {
				for _, c := range s.Cases {
					tests, failures, errs = tests+1, failures+one(c.Failure != nil), errs+one(c.Error != nil)
					if c.Name == "" || c.ClassName == "" {
						t.Errorf("a test without a name in %s", s.Name)
					}
				}
			}
			if all.Tests != tests || all.Failures != failures || all.Errors != errs || errs != len(d.Problems) {
				t.Errorf("counted %d, %d, %d; holds %d, %d, %d", all.Tests, all.Failures, all.Errors, tests, failures, errs)
			}
		})
	}
}

func TestJUnitFailsForDrift(t *testing.T) {
	known := inSync("orders")
	known.Clusters[1] = down("cluster-b", plan.RoleStale)
	known.Findings = []plan.Finding{finding("STALE_PRIMARY", plan.SeverityCritical, "cluster-b", "m", "")}
	returned := inSync("orders")
	returned.Clusters[1] = up("cluster-b", plan.RoleStale, star("cluster-b", "cluster-a"))
	returned.Findings = known.Findings
	traffic := inSync("orders")
	traffic.Findings = []plan.Finding{finding("TRAFFIC_NOT_REDIRECTED", plan.SeverityCritical, "", "m", "")}
	byHand := inSync("orders")
	byHand.Findings = []plan.Finding{finding("UNMANAGED_DRIFT", plan.SeverityWarning, "", "m", "")}
	slow := inSync("orders")
	slow.Findings = []plan.Finding{finding("LAG_OBJECTIVE", plan.SeverityWarning, "", "m", "")}
	cases := []struct {
		name     string
		topology plan.TopologyPlan
		failures int
	}{
		{"in sync", inSync("orders"), 0},
		{"a transition waits", switchover(), 1},
		{"not everything was seen", unseen(), 1},
		{"a known stale cluster is gone", known, 0},
		{"a stale cluster takes writes", returned, 1},
		{"traffic goes elsewhere", traffic, 1},
		{"changed by hand", byHand, 1},
		{"only slow", slow, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := document(c.topology)
			d.Kind = KindDrift
			s := d.junitSuite(c.topology)
			s.count()
			if s.Failures != c.failures {
				t.Errorf("got %d failures, want %d", s.Failures, c.failures)
			}
		})
	}
}
