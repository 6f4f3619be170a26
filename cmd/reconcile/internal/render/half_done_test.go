package render

import (
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// halfDoneUnderWay is a failover that another process carries out since a time, and whose
// force promote is half done.
func halfDoneUnderWay(since time.Duration) plan.TopologyPlan {
	w := carriedOn()
	w.memory.Intents[0].At = night.Add(-since)
	w.memory.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)"}}
	t := w.planned()
	f := plan.HalfPromotion("orders", "cluster-b", "cluster-a")
	f.Severity = plan.SeverityCritical
	t.Findings = append(t.Findings, f)
	return t
}

// TestGoldenHalfDonePromotionUnderWaySaysWhatEndsIt: nobody is told to wait for what does not end
// by itself. For a moment each promotion is half done.
func TestGoldenHalfDonePromotionUnderWaySaysWhatEndsIt(t *testing.T) {
	for _, kind := range []Kind{KindPlan, KindStatus} {
		d := document(halfDoneUnderWay(time.Minute))
		d.Kind = kind
		page := fitsAScreen(t, string(kind), func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		if !strings.Contains(page, "NOW   restart the coordinator of cluster-b") || strings.Contains(page, "do nothing else") || !strings.Contains(page, "Stuck     PROMOTION_HALF_DONE: ") {
			t.Errorf("%s:\n%s", kind, page)
		}
	}
	compare(t, "half_done_under_way.table", func(w io.Writer) error {
		return Table(w, document(halfDoneUnderWay(time.Minute)), TableOptions{})
	})
	s := document(halfDoneUnderWay(time.Minute))
	if words := s.fleetRow(s.Plan.Topologies[0]).words; !strings.Contains(words, "PROMOTION_HALF_DONE") {
		t.Errorf("the row of a fleet says %q", words)
	}
	d := document(halfDoneUnderWay(time.Second))
	if page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) })); !strings.Contains(page, "NOW   wait until it ends") {
		t.Errorf("in its first second:\n%s", page)
	}
}
