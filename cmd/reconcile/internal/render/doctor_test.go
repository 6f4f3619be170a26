package render

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/plan/upgrade"
)

// diagnosed is a fleet with one topology that is ready, one with a way that only
// an approver opens, and one that nobody could save.
func diagnosed() Diagnosis {
	upper, waited := 1200*time.Millisecond, 900*time.Millisecond
	lag := &plan.Window{Upper: &upper, Method: plan.MethodBacklog}
	return Diagnosis{
		Commit: "0f5e1c9ab2d34e0f", At: night,
		Topologies: []DiagnosedTopology{
			{Name: "billing", Primary: "bill-a", Standbys: []DiagnosedStandby{{Cluster: "bill-b", Loss: lag, Obstacles: []Obstacle{{
				Code: plan.CodeCandidateUnreachable, Message: "bill-b cannot be promoted: it does not answer", Remedy: "restore bill-b",
			}}}}},
			{Name: "lonely", Primary: "lone-a"},
			{Name: "orders", Primary: "cluster-a", Standbys: []DiagnosedStandby{
				{Cluster: "cluster-b", Loss: lag, Objective: 10 * time.Second, Waiting: 3, Channels: 16, Waited: &waited},
				{Cluster: "cluster-c", Loss: &plan.Window{}, Obstacles: []Obstacle{{Code: plan.CodeNotMostCaughtUp, Message: "cluster-b has replicated further", Remedy: "make cluster-b the primary instead", Acceptable: true}}},
				{Cluster: "cluster-d", Excluded: true},
			}},
		},
		Checks: []Check{
			{Area: "credentials", Subject: "cluster-a", Verdict: CheckOK, Message: "bound and accepted"},
			{Area: "credentials", Subject: "cluster-b", Verdict: CheckOK, Message: "bound and accepted"},
			{Area: "privileges", Subject: "bill-b", Message: "cannot be known", Remedy: "grant SelectOwnership"},
			{Area: "clocks", Subject: "cluster-b", Verdict: CheckWarning, Message: "3s ahead of this machine", Remedy: "run NTP"},
			{Area: "redirect", Subject: "lb of orders", Verdict: CheckFailed, Message: "it does not answer", Remedy: "repair it"},
			{Area: "ledger", Verdict: CheckOK, Message: "there"},
		},
		BreakGlass: []string{"Git is lost: act from a clone"},
	}
}

func TestGoldenDoctor(t *testing.T) {
	for _, form := range []string{FormTable, FormJSON} {
		t.Run(form, func(t *testing.T) {
			compare(t, "doctor."+form, func(w io.Writer) error { return Doctor(w, form, diagnosed(), TableOptions{}) })
		})
	}
	t.Run("all", func(t *testing.T) {
		compare(t, "doctor_all.table", func(w io.Writer) error { return Doctor(w, FormTable, diagnosed(), TableOptions{Listing: ListAll}) })
	})
	t.Run("one", func(t *testing.T) {
		one := diagnosed()
		one.Topologies = one.Topologies[2:]
		fitsAScreen(t, "doctor of one", func(w io.Writer) error { return Doctor(w, FormTable, one, TableOptions{}) })
		compare(t, "doctor_one.table", func(w io.Writer) error { return Doctor(w, FormTable, one, TableOptions{}) })
	})
	t.Run("upgrade", func(t *testing.T) {
		many, to := diagnosed(), release.Parse("3.0.2")
		many.Topologies = append(many.Topologies, DiagnosedTopology{Name: "users", Primary: "users-a", Standbys: []DiagnosedStandby{{Cluster: "users-b"}}})
		steps := func(first, then string) []upgrade.Step {
			return []upgrade.Step{{Cluster: first, Why: "its CDC then sends the token"}, {Cluster: then, Why: "once its primary sends the token"}}
		}
		many.Upgrades = []upgrade.Advice{
			{Topology: "billing", To: to, Order: steps("bill-a", "bill-b"), Beware: []upgrade.Note{{Message: "a token is missing", Remedy: "add it"}}},
			{Topology: "lonely", To: to},
			{Topology: "orders", To: to, Order: steps("cluster-b", "cluster-a")},
			{Topology: "users", To: to, Order: steps("users-b", "users-a")},
		}
		compare(t, "doctor_upgrade.table", func(w io.Writer) error { return Doctor(w, FormTable, many, TableOptions{}) })
	})
	if err := Doctor(io.Discard, FormSARIF, diagnosed(), TableOptions{}); err == nil {
		t.Error("a diagnosis as SARIF was accepted")
	}
}

// TestGoldenDoctorLeavesAChangeUnderWayAlone: doctor says which change another process carries
// out, when it began and at which step it is, is not ready, and advises nothing but to wait.
func TestGoldenDoctorLeavesAChangeUnderWayAlone(t *testing.T) {
	d := diagnosed()
	d.Topologies = append(d.Topologies[2:], DiagnosedTopology{
		Name: "users", Primary: "users-a",
		UnderWay: &plan.UnderWay{Transition: plan.TransitionFailover, Generation: 8, By: "reconcile (process 4711 on ops-1)", Since: night, Step: "sends the force promote of users-b and reads it back"},
		Outage:   &plan.PrimaryOutage{Outage: plan.Outage{Cluster: "users-a", Since: night.Add(-time.Minute), SeenUp: night.Add(-time.Minute - time.Second)}},
	})
	if d.Ready() {
		t.Error("a failover could begin")
	}
	if fixes := strings.Join(d.FixFirst(), "\n"); strings.Contains(fixes, "users") {
		t.Errorf("fixes:\n%s", fixes)
	}
	compare(t, "doctor_under_way.table", func(w io.Writer) error { return Doctor(w, FormTable, d, TableOptions{}) })
	d.Topologies = d.Topologies[1:]
	compare(t, "doctor_under_way_one.table", func(w io.Writer) error { return Doctor(w, FormTable, d, TableOptions{}) })
	compare(t, "doctor_under_way.json", func(w io.Writer) error { return Doctor(w, FormJSON, d, TableOptions{}) })
}

func TestDiagnosisIsReadyOnlyIfAllIs(t *testing.T) {
	ready := DiagnosedTopology{Name: "orders", Primary: "a", Standbys: []DiagnosedStandby{{Cluster: "b"}}}
	blocked := DiagnosedTopology{Name: "billing", Primary: "x", Standbys: []DiagnosedStandby{{Cluster: "y", Obstacles: []Obstacle{{Acceptable: true}}}}}
	stops := Check{Area: "ledger", Verdict: CheckFailed, Blocks: true}
	for _, c := range []struct {
		name      string
		d         Diagnosis
		ready     bool
		could, of int
	}{
		{"nothing was looked at", Diagnosis{}, false, 0, 0},
		{"ready", Diagnosis{Topologies: []DiagnosedTopology{ready}}, true, 1, 1},
		{"one is not", Diagnosis{Topologies: []DiagnosedTopology{blocked, ready}}, false, 1, 2},
		{"no ledger", Diagnosis{Topologies: []DiagnosedTopology{ready}, Checks: []Check{stops}}, false, 0, 1},
		{"a failed check that stops nothing", Diagnosis{Topologies: []DiagnosedTopology{ready}, Checks: []Check{{Verdict: CheckFailed}}}, true, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			could, of := c.d.Score()
			if c.d.Ready() != c.ready || could != c.could || of != c.of {
				t.Errorf("ready %t, %d of %d", c.d.Ready(), could, of)
			}
		})
	}
}

// TestDoctorMarksAnOutage: a primary that is down is told with its symbol, each topology is
// counted once, and two writers are never ready.
func TestDoctorMarksAnOutage(t *testing.T) {
	topology := func(name string, down bool, split *Obstacle) DiagnosedTopology {
		return DiagnosedTopology{Name: name, Primary: name + "-a", PrimaryDown: down, TwoWriters: split, Standbys: []DiagnosedStandby{{Cluster: name + "-b"}}}
	}
	split := &Obstacle{Code: plan.CodeSplitBrain, Message: "x-a and x-c can take writes at the same time", Remedy: "fence one"}
	for _, c := range []struct {
		name  string
		of    []DiagnosedTopology
		ready bool
		want  []string
	}{
		{"one is down", []DiagnosedTopology{topology("x", true, nil)}, true, []string{"! doctor", "✗ x  could fail over now; x-a, its primary, does not serve now"}},
		{"one of two is down", []DiagnosedTopology{topology("x", true, nil), topology("y", false, nil)}, true, []string{"! doctor  2 topologies: 1 WHOSE PRIMARY DOES NOT SERVE NOW · 1 could fail over", "✗ x: x-a"}},
		{"one is split", []DiagnosedTopology{topology("x", false, split)}, false, []string{"✗ doctor  MORE THAN ONE CLUSTER TAKES WRITES", "SPLIT_BRAIN", "fence one"}},
		{"one of two is split", []DiagnosedTopology{topology("x", false, split), topology("y", false, nil)}, false, []string{"✗ doctor  2 topologies: 1 WITH TWO PRIMARIES · 1 could fail over", "✗ x: SPLIT_BRAIN"}},
	} {
		d := Diagnosis{Topologies: c.of}
		out := string(rendered(t, func(w io.Writer) error { return Doctor(w, FormTable, d, TableOptions{}) }))
		if d.Ready() != c.ready {
			t.Errorf("%s: ready: %t", c.name, d.Ready())
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: there is no %q in:\n%s", c.name, want, out)
			}
		}
	}
}

// TestDoctorOfAThousandFitsOneScreen: what is wrong with all of them in the same way is
// told once, and what is wrong with one by its name.
func TestDoctorOfAThousandFitsOneScreen(t *testing.T) {
	upper := 400 * time.Millisecond
	var d Diagnosis
	for i := range 1000 {
		name := fmt.Sprintf("orders-%03d", i)
		s := DiagnosedStandby{Cluster: name + "-b", Loss: &plan.Window{Upper: &upper}}
		if i%2 == 0 {
			s.Obstacles = []Obstacle{{Message: fmt.Sprintf("our user lacks CreateCollection on %s-b: a promotion could not be verified (%d rights)", name, i), Remedy: "grant it to its role", After: true}}
		}
		d.Topologies = append(d.Topologies, DiagnosedTopology{Name: name, Primary: name + "-a", Standbys: []DiagnosedStandby{s}, PrimaryDown: i == 11})
		d.Checks = append(d.Checks, Check{Area: "clocks", Subject: name + "-a", Verdict: CheckWarning, Message: fmt.Sprintf("%s-a is %d s ahead of this machine", name, i+2), Remedy: "run NTP"})
	}
	d.Checks = append(d.Checks, Check{Area: "ledger", Verdict: CheckFailed, Blocks: true, Message: "it is damaged", Remedy: "restore its newest backup"})
	for i := range 997 {
		d.Checks = append(d.Checks, Check{Area: "rpcs", Subject: fmt.Sprintf("orders-%03d-a", i), Verdict: CheckOK})
	}
	out := rendered(t, func(w io.Writer) error { return Doctor(w, FormTable, d, TableOptions{}) })
	fitsScreen(t, out)
	for _, want := range []string{
		"1000 topologies: 1 WHOSE PRIMARY DOES NOT SERVE NOW", "orders-011: orders-011-a, its primary", "STOPS EVERY FAILOVER: it is damaged",
		"(and 499 more alike)", "(and 999 more alike)",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %q in:\n%s", want, out)
		}
	}
}
