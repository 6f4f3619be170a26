package render

import (
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestStatusSaysWhatToTypeAsPlanDoes: the status of a topology with an open change, its plan
// and its row among several give the same command, and status says why it is not approved.
func TestStatusSaysWhatToTypeAsPlanDoes(t *testing.T) {
	for name, c := range map[string]struct {
		plan     plan.TopologyPlan
		approval Approval
		command  string
		says     string
	}{
		"not approved": {failover(), missing(), "reconcile approve orders/cluster-b", ""},
		"too large":    {failover(), tooLarge(failover()), "reconcile approve orders/cluster-b", "LOSS_TOO_LARGE"},
		"approved":     {failover(), approved(), "reconcile apply orders", ""},
		"switchover":   {switchover(), approved(), "reconcile apply orders", ""},
	} {
		d := document(c.plan).approve("orders", c.approval)
		planned := d.actions(c.plan)
		d.Kind = KindStatus
		page := fitsAScreen(t, name, func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		status, row := d.actions(c.plan), d.fleetRow(c.plan)
		if status[0].command != planned[0].command || row.command != planned[0].command || !strings.HasPrefix(status[0].command, c.command) || !strings.Contains(page, c.says) {
			t.Errorf("%s: status says %q, plan %q, the row %q:\n%s", name, status[0].command, planned[0].command, row.command, page)
		}
	}
}

// TestWhatIsJudgedUnderItsLockIsLeftAlone: while another process holds the lock of a change
// and has sent nothing, page and row say who and since when, and advise no apply.
func TestWhatIsJudgedUnderItsLockIsLeftAlone(t *testing.T) {
	for _, kind := range []Kind{KindPlan, KindStatus} {
		d := document(notProbed()).approve("orders", approved())
		d.Kind = kind
		d.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)", Since: night.Add(-20 * time.Second)}}
		page := fitsAScreen(t, string(kind), func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		row := d.fleetRow(d.Plan.Topologies[0])
		for _, text := range []string{page, row.words + " " + row.command} {
			for _, want := range []string{"BEING JUDGED", "reconcile (process 4711 on ops-1) since 2026-11-22", "reconcile status orders --watch"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: there is no %q:\n%s", kind, want, text)
				}
			}
			if strings.Contains(text, "reconcile apply") {
				t.Errorf("%s advises what the lock refuses:\n%s", kind, text)
			}
		}
	}
}

// TestTheRowOfAStaleRejoinShowsTheTopology: a row has room for one command, and one that
// checks files comes after what only the page says.
func TestTheRowOfAStaleRejoinShowsTheTopology(t *testing.T) {
	d := documentWith(t, plan.CodeStaleRejoin)
	if row := d.fleetRow(d.Plan.Topologies[0]); row.command != "reconcile plan "+row.name {
		t.Errorf("the row says %q", row.command)
	}
}
