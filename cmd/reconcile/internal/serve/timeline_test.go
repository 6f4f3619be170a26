package serve

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

// silentFor is a pair whose primary let some probes fail.
func silentFor(rounds int) daemon.TopologyStatus {
	t := waiting("orders")
	t.Plan.FailedAt = noon.Add(-30 * time.Second)
	t.Decision.Code, t.Decision.Needed, t.Decision.Given = approval.CodeQuorumNotMet, 2, 1
	t.Decision.Detail = "1 of 2 approvals counts for commit c8: alice@example.com"
	t.Authors, t.ProposedAt = []string{"Bob <bob@example.com>"}, noon.Add(-10*time.Second)
	e := plan.Evidence{Topology: "orders", Primary: "cluster-a"}
	for range rounds {
		e.Rounds = append(e.Rounds, plan.Round{At: t.Plan.FailedAt, Reach: plan.ReachUnreachable})
	}
	t.Evidence = []plan.Evidence{e}
	return t
}

func TestTimeline(t *testing.T) {
	approved := silentFor(3)
	approved.Decision = approval.Decision{Verdict: approval.VerdictApproved, By: []string{"Alice <alice@example.com>"}, Reasons: []string{"INC-1"}, Since: noon.Add(-5 * time.Second)}
	resumed := silentFor(3)
	resumed.IntentOpen = true
	atRest := silentFor(2)
	atRest.Plan.Transition, atRest.Plan.OldPrimary, atRest.Plan.FailedAt = plan.TransitionNone, "", time.Time{}
	records := []Record{{At: noon.Add(-2 * time.Minute), Text: "began"}, {At: noon.Add(-time.Minute), Text: "ended"}}
	for _, c := range []struct {
		name    string
		t       daemon.TopologyStatus
		records []Record
		want    []string
	}{
		{"nothing happened", healthy("orders"), nil, nil},
		{"a failover waits", silentFor(3), nil, []string{
			"11:59:30 cluster-a was silent from here on: 3 of 3 probes failed",
			"11:59:50 failover to cluster-b proposed by Bob <bob@example.com>",
			"11:59:59 waits for 2 approvals; 1 given so far",
		}},
		{"it is approved", approved, nil, []string{
			"11:59:30 cluster-a was silent from here on: 3 of 3 probes failed",
			"11:59:50 failover to cluster-b proposed by Bob <bob@example.com>",
			"11:59:55 approved by Alice <alice@example.com>: INC-1",
		}},
		{
			"Git tells when it was proposed, approved and withdrawn", approved, []Record{
				{At: noon.Add(-10 * time.Second), Text: "proposed by Bob <bob@example.com>: cluster-a primary → stale"},
				{At: noon.Add(-9 * time.Second), Text: "approved by Alice <alice@example.com>: a mistake"},
				{At: noon.Add(-8 * time.Second), Text: "approval withdrawn by Alice <alice@example.com>"},
				{At: noon.Add(-5 * time.Second), Text: "approved by Alice <alice@example.com>: INC-1"},
			}, []string{
				"11:59:30 cluster-a was silent from here on: 3 of 3 probes failed",
				"11:59:50 proposed by Bob <bob@example.com>: cluster-a primary → stale",
				"11:59:51 approved by Alice <alice@example.com>: a mistake",
				"11:59:52 approval withdrawn by Alice <alice@example.com>",
				"11:59:55 approved by Alice <alice@example.com>: INC-1",
			},
		},
		{"it has begun: the ledger tells", resumed, records[:1], []string{"11:58:00 began"}},
		{"a primary is silent and nobody proposed anything", atRest, nil, []string{"11:59:30 cluster-a was silent from here on: 2 of 2 probes failed"}},
		{"it ended: the ledger tells", split("orders"), records, []string{"11:58:00 began", "11:59:00 ended"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, _ := timelineOf(c.t, c.records)
			var got []string
			for _, s := range events {
				got = append(got, strings.TrimSuffix(strings.TrimPrefix(s.At, "2026-11-22T"), "Z")+" "+s.Text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if events, older := timelineOf(healthy("orders"), make([]Record, 100)); len(events) != timelineShown || older != 60 {
		t.Errorf("%d entries are shown and %d left out", len(events), older)
	}
}
