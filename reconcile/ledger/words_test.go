package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestLines: each kind of record is told in words that a person knows.
func TestLines(t *testing.T) {
	failover, noon := plan.TransitionFailover, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		record Record
		want   []string
	}{
		{Record{Kind: KindBorn}, []string{"the ledger was made"}},
		{Record{Kind: KindAccepted, Detail: "3 records are lost"}, []string{"the ledger was accepted as it is, although newer records may be lost: 3 records are lost"}},
		{
			Record{
				Kind: KindIntent, Transition: failover, Primary: "b", Generation: 8, Commit: "4f1c2e9d0a1b2c3d", ProposedBy: []string{"Bob <b@x>"},
				By: []string{"Alice <a@x>", "Carol <c@x>"}, Reasons: []string{"INC-1", ""},
			},
			[]string{"failover to b begun, generation 8, commit 4f1c2e9d0a1b", "proposed by Bob <b@x>", "approved by Alice <a@x>: INC-1", "approved by Carol <c@x>"},
		},
		{
			Record{Kind: KindIntent, Transition: plan.TransitionAddStandby, Subjects: []string{"c", "d"}, Generation: 9, By: []string{"Alice <a@x>"}},
			[]string{"add standby of c, d begun, generation 9", "approved by Alice <a@x>"},
		},
		{Record{Kind: KindIntent, Transition: plan.TransitionFence, Generation: 8}, []string{"fence begun, generation 8", "it makes the stale cluster refuse writes; the approval of the failover covers it"}},
		{Record{Kind: KindSent, Transition: failover}, []string{"sent: from here on the request of the failover may have reached its cluster"}},
		{Record{Kind: KindEffected, Transition: failover}, []string{"read back: the failover took effect"}},
		{Record{Kind: KindReversed, Transition: failover, Detail: "nothing was sent"}, []string{"the failover was taken back, and its approval is unused again: nothing was sent"}},
		{Record{Kind: KindResult, Transition: failover, Generation: 8, Result: "applied", Detail: "b works; nothing was lost"}, []string{"the failover is done, generation 8", "b works", "nothing was lost"}},
		{
			Record{Kind: KindResult, Transition: failover, Generation: 8, Result: "applied", Detail: "b works as the primary (ddl); traffic points at b by lb; lb was seen to lead there within 0.1 s, no session was left on a"},
			[]string{"the failover is done, generation 8", "verified: b works as the primary (it created and dropped a collection)", "redirected: traffic points at b by lb", "measured: lb was seen to lead there within 0.1 s, no session was left on a"},
		},
		{Record{Kind: KindResult, Transition: failover, Result: "superseded", Detail: "generation 9 governs"}, []string{"the failover is closed: a later change in Git took its place: generation 9 governs"}},
		{Record{Kind: KindResult, Transition: failover, Result: "in_doubt"}, []string{"the failover is closed, although its outcome is not known: its approvers accepted this"}},
		{Record{Kind: KindResult, Result: "odd", Detail: "why"}, []string{"odd: why"}},
		{Record{Kind: KindMatched, Generation: 8}, []string{"in sync: the clusters were seen to be as generation 8 wants"}},
		{Record{Kind: KindGeneration, Generation: 8}, []string{"generation 8 was seen in Git"}},
		{Record{Kind: KindHome, Cluster: "a"}, []string{"a belongs to this topology"}},
		{Record{Kind: KindLapsed, Generation: 8}, []string{"the approval of generation 8 lapsed and counts no longer: the old primary was seen up again"}},
		{Record{Kind: KindServed, Version: 8}, []string{"applications that ask which cluster to use get the new answer, version 8"}},
		{
			Record{Kind: KindCounted, Loss: &plan.CountedLoss{
				Cluster: "a", At: noon.Add(time.Hour), Until: noon, First: noon.Add(-2 * time.Second), Last: noon.Add(-time.Second),
				Lost: []plan.LossCount{{Kind: "delete", Messages: 1, Rows: 7}, {Kind: "drop_collection", Messages: 1}, {Kind: "insert", Messages: 2, Rows: 30}},
			}},
			[]string{
				"salvage counted what was lost: 37 rows in 4 messages, exactly",
				"the whole log of a was read until 2026-11-22T12:00:00Z; it was not fenced and may take more",
				"written 2026-11-22T11:59:58Z to 2026-11-22T11:59:59Z: delete 7 rows in 1 message, drop_collection 1 message, insert 30 rows in 2 messages",
			},
		},
		{
			Record{Kind: KindResult, Transition: failover, Generation: 8, Result: "applied", Detail: "b works; nothing is known to be lost: b has all", Loss: &plan.CountedLoss{At: noon, Closed: true}},
			[]string{"the failover is done, generation 8", "b works", "lost: nothing, exactly, counted 2026-11-22T12:00:00Z"},
		},
		{Record{Kind: KindCounted}, []string{"the loss was counted"}},
		{
			Record{Kind: KindReplay, Cluster: "a", Primary: "b", By: []string{"Alice <a@x>"}, Reasons: []string{"INC-7"}},
			[]string{"salvage begins to write lost rows of a into b", "replay of lost rows approved by Alice <a@x>: INC-7"},
		},
		{
			Record{Kind: KindReplayed, Cluster: "a", Detail: "3 rows written by the last run", Replayed: &plan.Replayed{Promoted: "b", There: 12, HeldBack: 1}},
			[]string{"the lost rows of a are written again", "3 rows written by the last run", "brought back: 12 rows", "not brought back: 1 row that b has newer writes of"},
		},
		{Record{Kind: KindReplayed, Cluster: "a", Detail: "of an earlier build"}, []string{"the lost rows of a are written again", "of an earlier build"}},
		{Record{Kind: "later"}, []string{"later"}},
	} {
		if got := c.record.Lines(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.record.Kind, got, c.want)
		}
		if got, want := c.record.Words(), strings.Join(c.want, "; "); got != want {
			t.Errorf("%s: got %q, want %q", c.record.Kind, got, want)
		}
	}
}

// TestIntentIsTold: what an intent holds of who, why and when comes back as it was given.
func TestIntentIsTold(t *testing.T) {
	failed := time.Date(2026, 11, 22, 17, 1, 45, 0, time.UTC)
	b := Beginning{
		Intent: plan.Intent{
			Topology: "orders", Transition: plan.TransitionFailover, Generation: 8, Digest: "sha256:1", FailedAt: failed,
			Steps: []plan.Step{{ID: 1, Action: plan.ActionForcePromote, Cluster: "b"}},
		},
		Payloads: []string{strings.Repeat("a", 64)}, By: []string{"Alice <a@x>"}, Reasons: []string{"INC-1"}, ProposedBy: []string{"Bob <b@x>"},
		Stale: []plan.StaleMark{{Cluster: "a", Topology: "orders", Promoted: "b"}},
	}
	e, err := beginRule(b)(&state{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal(sealed{}, *e)
	if err != nil {
		t.Fatal(err)
	}
	back, err := verifyOne(sealed{}, s)
	if err != nil {
		t.Fatal(err)
	}
	r := back.record(s.hash)
	if r.Lost != "a" || !r.FailedAt.Equal(failed) || r.Primary != "b" || !slices.Equal(r.Reasons, b.Reasons) || !slices.Equal(r.ProposedBy, b.ProposedBy) {
		t.Errorf("%+v", r)
	}
}
