package serve

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

// silentFor is a pair whose primary let some probes fail.
func silentFor(rounds int) daemon.TopologyStatus {
	t := waiting("orders")
	t.Plan.FailedAt = noon.Add(-30 * time.Second)
	t.Decision.Needed, t.Decision.Given = 2, 1
	t.Authors, t.ProposedAt = []string{"Bob <bob@example.com>"}, noon.Add(-10*time.Second)
	e := plan.Evidence{Topology: "orders", Primary: "cluster-a"}
	for range rounds {
		e.Rounds = append(e.Rounds, plan.Round{At: t.Plan.FailedAt, Reach: plan.ReachUnreachable})
	}
	t.Evidence = []plan.Evidence{e}
	return t
}

// applied is a pair whose failover ended.
func applied() daemon.TopologyStatus {
	t := split("orders")
	step := func(a plan.Action, cluster, detail string) reconcile.StepResult {
		return reconcile.StepResult{Step: plan.Step{Action: a, Cluster: cluster}, Status: plan.StepDone, Detail: detail}
	}
	t.Result = &reconcile.Result{Topology: "orders", Outcome: reconcile.OutcomeApplied, DataLoss: &plan.Window{Lower: seconds(0), Upper: seconds(2), Method: plan.MethodSalvage}, Steps: []reconcile.StepResult{
		step(plan.ActionRecordStale, "cluster-a", "recorded with the intent"), step(plan.ActionForcePromote, "cluster-b", "it answered"),
		step(plan.ActionWait, "cluster-b", "every member was read back"), step(plan.ActionVerify, "cluster-b", "cluster-b works as the primary (dml)"),
		step(plan.ActionRedirect, "cluster-b", "traffic points at cluster-b by file"),
	}}
	return t
}

func TestStory(t *testing.T) {
	approved := silentFor(3)
	approved.Decision = approval.Decision{Verdict: approval.VerdictApproved, By: []string{"Alice <alice@example.com>"}, Since: noon.Add(-5 * time.Second)}
	resumed := silentFor(3)
	resumed.IntentOpen = true
	atRest := silentFor(2)
	atRest.Plan.Transition, atRest.Plan.OldPrimary, atRest.Plan.FailedAt = plan.TransitionNone, "", time.Time{}
	doubtful := applied()
	doubtful.IntentOpen = true
	records := []Record{
		{At: noon.Add(-3 * time.Minute), Text: "older result", Result: true},
		{At: noon.Add(-2 * time.Minute), Text: "began"},
		{At: noon.Add(-time.Minute), Text: "ended", Result: true},
		{At: noon, Text: "clients are told of version 8"},
	}
	for _, c := range []struct {
		name    string
		t       daemon.TopologyStatus
		records []Record
		want    []string
	}{
		{"nothing happened", healthy("orders"), nil, nil},
		{"a failover waits", silentFor(3), nil, []string{
			"11:59:30 cluster-a is silent since then: 3 of 3 probes failed",
			"11:59:50 Proposed by Bob <bob@example.com>: failover to cluster-b",
			"11:59:59 Waits for 2 approvals; 1 given so far",
		}},
		{"it is approved", approved, nil, []string{
			"11:59:30 cluster-a is silent since then: 3 of 3 probes failed",
			"11:59:50 Proposed by Bob <bob@example.com>: failover to cluster-b",
			"11:59:55 Approved by Alice <alice@example.com>",
		}},
		{"it has begun: the ledger tells", resumed, records[1:2], []string{"11:58:00 began"}},
		{"a primary is silent and nobody proposed anything", atRest, nil, []string{"11:59:30 cluster-a is silent since then: 2 of 2 probes failed"}},
		{"it ended", applied(), records, []string{
			"11:57:00 older result", "11:58:00 began",
			"11:59:00 Read back: every member was read back",
			"11:59:00 Verified: cluster-b works as the primary (dml)",
			"11:59:00 Redirected: traffic points at cluster-b by file",
			"11:59:00 Lost: ",
			"11:59:00 ended", "12:00:00 clients are told of version 8",
		}},
		{"it is in doubt", doubtful, records[:2], []string{
			"11:57:00 older result", "11:58:00 began",
			" Read back: every member was read back", " Verified: cluster-b works as the primary (dml)", " Redirected: traffic points at cluster-b by file", " Lost: ",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			story, _ := storyOf(c.t, c.records)
			var got []string
			for _, s := range story {
				line := strings.TrimSuffix(strings.TrimPrefix(s.At, "2026-11-22T"), "Z") + " " + s.Text
				if before, _, lost := strings.Cut(line, "Lost: "); lost { // the words of the loss are those of the table
					line = before + "Lost: "
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if story, older := storyOf(healthy("orders"), make([]Record, 100)); len(story) != storyShown || older != 60 {
		t.Errorf("%d entries are shown and %d left out", len(story), older)
	}
}
