package render

import (
	"io"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// diagnosed is a fleet with one topology that is ready, one with a way that only
// an approver opens, and one that nobody could save.
func diagnosed() Diagnosis {
	upper := 1200 * time.Millisecond
	lag := &plan.Window{Upper: &upper, Method: plan.MethodBacklog}
	return Diagnosis{
		Commit: "0f5e1c9ab2d34e0f", At: night,
		Topologies: []DiagnosedTopology{
			{Name: "billing", Primary: "bill-a", Standbys: []DiagnosedStandby{{Cluster: "bill-b", Loss: lag, Obstacles: []Obstacle{{
				Code: plan.CodeCandidateUnreachable, Message: "bill-b cannot be promoted: it does not answer", Remedy: "restore bill-b",
			}}}}},
			{Name: "lonely", Primary: "lone-a"},
			{Name: "orders", Primary: "cluster-a", Standbys: []DiagnosedStandby{
				{Cluster: "cluster-b", Loss: lag},
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
	if err := Doctor(io.Discard, FormSARIF, diagnosed(), TableOptions{}); err == nil {
		t.Error("a diagnosis as SARIF was accepted")
	}
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
