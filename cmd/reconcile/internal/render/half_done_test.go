package render

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// halfDoneUnderWay is a failover that another process carries out since a time, and whose
// force promote is half done.
func halfDoneUnderWay(since time.Duration) plan.TopologyPlan {
	w := halfDoneWorld()
	w.memory.Intents[0].At = night.Add(-since)
	w.memory.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)"}}
	return must(w.planned(), plan.TransitionFailover, plan.CodePromotionHalfDone)
}

// halfDoneWorld is the world of a failover that was begun, and whose force promote is half
// done: the channels of cluster-b have left cluster-a, and it is still a standby.
func halfDoneWorld() world {
	w := carriedOn()
	standby := &w.observed.Views[1]
	standby.Progress = slices.Clone(standby.Progress)
	for i, p := range standby.Progress {
		standby.Progress[i] = plan.ChannelProgress{Channel: p.Channel, Known: true, Salvage: []plan.Salvage{{
			SourceCluster: "cluster-a", SourceChannel: "cluster-a-rootcoord-dml_" + number(i), MessageID: p.MessageID, TimeTick: p.TimeTick,
		}}}
	}
	w.memory.Intents[0].FailedAt = night.Add(-40 * time.Second)
	return w
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
	compareHalfDone(t, "half_done_under_way", document(halfDoneUnderWay(time.Minute)))
	s := document(halfDoneUnderWay(time.Minute))
	if words := s.fleetRow(s.Plan.Topologies[0]).words; !strings.Contains(words, "PROMOTION_HALF_DONE") {
		t.Errorf("the row of a fleet says %q", words)
	}
	d := document(halfDoneUnderWay(time.Second))
	if page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) })); !strings.Contains(page, "NOW   wait until it ends") {
		t.Errorf("in its first second:\n%s", page)
	}
}

// compareHalfDone compares the pages of plan and status.
func compareHalfDone(t *testing.T, name string, d Document) {
	t.Helper()
	compare(t, name+".table", func(w io.Writer) error { return Table(w, d, TableOptions{}) })
	compare(t, name+".markdown", func(w io.Writer) error { return Markdown(w, d) })
	d.Kind = KindStatus
	compare(t, name+"_status.table", func(w io.Writer) error { return Table(w, d, TableOptions{}) })
	compare(t, name+"_status.markdown", func(w io.Writer) error { return Markdown(w, d) })
}

// TestGoldenHalfDonePromotionOfNobodySaysWhatEndsIt: a promotion that stands half done, and
// that no process carries out, leads each page: a restart ends it, and then apply goes on.
func TestGoldenHalfDonePromotionOfNobodySaysWhatEndsIt(t *testing.T) {
	planned := must(halfDoneWorld().planned(), plan.TransitionFailover, plan.CodePromotionHalfDone)
	d := document(planned).approve("orders", approved(plan.CodeDataLossRisk, plan.CodeForcePromote))
	compareHalfDone(t, "half_done_of_nobody", d)
	for _, kind := range []Kind{KindPlan, KindStatus} {
		d.Kind = kind
		page := fitsAScreen(t, string(kind), func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		restart, apply := strings.Index(page, "NOW   restart the coordinator of cluster-b"), strings.Index(page, "reconcile apply orders")
		if restart < 0 || apply < restart || !strings.Contains(page, "HALF DONE") {
			t.Errorf("%s does not say that a restart comes before apply:\n%s", kind, page)
		}
		row := d.fleetRow(planned)
		for _, want := range []string{"HALF DONE", "PROMOTION_HALF_DONE", "restart the coordinator of cluster-b"} {
			if !strings.Contains(row.words, want) || strings.Contains(row.command, "apply") {
				t.Errorf("%s: the row of a fleet says %q, %q", kind, row.words, row.command)
			}
		}
	}
}

// TestNoPageCallsAHalfDonePromotionDone: neither at its first moment, nor under a daemon, nor
// with nobody; and plan and status say the same loss.
func TestNoPageCallsAHalfDonePromotionDone(t *testing.T) {
	for name, planned := range map[string]plan.TopologyPlan{
		"of nobody": halfDoneWorld().planned(), "under way": halfDoneUnderWay(time.Minute), "its first moment": halfDoneUnderWay(time.Second),
	} {
		for _, kind := range []Kind{KindPlan, KindStatus} {
			d := document(planned).approve("orders", approved())
			d.Kind = kind
			for _, draw := range []func(io.Writer) error{
				func(w io.Writer) error { return Table(w, d, TableOptions{}) }, func(w io.Writer) error { return Markdown(w, d) },
			} {
				page := string(rendered(t, draw))
				for _, wrong := range []string{"is promoted", "what is left", "by nothing", "| nothing |"} {
					if strings.Contains(page, wrong) {
						t.Errorf("%s, %s says %q:\n%s", name, kind, wrong, page)
					}
				}
				if !strings.Contains(page, "up to 4.2 s of writes") {
					t.Errorf("%s, %s does not say what may be lost:\n%s", name, kind, page)
				}
			}
		}
	}
}

// TestAHalfDonePromotionThatIsBlockedAsksForNoRestart: a restart would end the promotion,
// while the old primary takes writes.
func TestAHalfDonePromotionThatIsBlockedAsksForNoRestart(t *testing.T) {
	w := halfDoneWorld()
	w.observed.Views[0] = storing("cluster-a", star("cluster-a", "cluster-b"))
	w.observed.Evidence = nil
	d := document(w.planned()).approve("orders", approved())
	for _, a := range d.actions(d.Plan.Topologies[0]) {
		if strings.Contains(a.words, "restart the coordinator") {
			t.Errorf("the page asks for a restart: %s", a.words)
		}
	}
}
