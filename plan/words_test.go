package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestACountedLossSaysWhatWasLost: the exact number, what the old primary took later, and
// what was read.
func TestACountedLossSaysWhatWasLost(t *testing.T) {
	full := CountedLoss{
		Cluster: "a", At: now, Until: now, First: now.Add(-time.Minute), Last: now.Add(-time.Second), Closed: true,
		Lost:  []LossCount{{Kind: "insert", Messages: 2, Rows: 37}, {Kind: "drop collection", Messages: 1}},
		Later: []LossCount{{Kind: "insert", Messages: 1, Rows: 5}},
	}
	for _, c := range []struct {
		name   string
		loss   CountedLoss
		amount string
		lines  []string
	}{
		{
			"rows, and later ones", full, "37 rows in 3 messages, exactly, apart from 5 rows in 1 message that a took after the failover began",
			[]string{
				"lost: 37 rows in 3 messages, exactly, counted 2026-11-22T12:00:00Z, apart from 5 rows in 1 message that a took after the failover began",
				"the whole log of a was read until 2026-11-22T12:00:00Z",
				"written 2026-11-22T11:59:00Z to 2026-11-22T11:59:59Z: insert 37 rows in 2 messages, drop collection 1 message",
			},
		},
		{
			"nothing, and it may take more",
			CountedLoss{Cluster: "a", At: now, Until: now},
			"nothing, exactly",
			[]string{
				"lost: nothing, exactly, counted 2026-11-22T12:00:00Z",
				"the whole log of a was read until 2026-11-22T12:00:00Z; it was not fenced and may take more",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.loss.Amount(); got != c.amount {
				t.Errorf("the amount is %q", got)
			}
			if d := cmp.Diff(c.lines, c.loss.Lines()); d != "" {
				t.Errorf("the lines (-want +got):\n%s", d)
			}
		})
	}
}

// TestAnAuditSaysWhatItFound: equal with the rows, different with what differs, and not
// proven with the reason.
func TestAnAuditSaysWhatItFound(t *testing.T) {
	m := AuditMark{Primary: "a", Standby: "b", EqualAt: now, EqualRows: 500, EqualSampled: 20}
	found := []string{"collection items: 498 rows, 500 on a"}
	for _, c := range []struct {
		verdict ContentVerdict
		word    string
		lines   []string
	}{
		{ContentEqual, "equal", []string{"an audit proved that b equals a, by 500 rows, 20 of them bit by bit"}},
		{ContentDiverged, "diverged", append([]string{"an audit found that b differs from a"}, found...)},
		{ContentUnproven, "unproven", append([]string{"an audit could not prove that b equals a"}, found...)},
	} {
		m.Verdict, m.Found = c.verdict, nil
		if c.verdict != ContentEqual {
			m.Found = found
		}
		if d := cmp.Diff(c.lines, m.Lines()); d != "" || c.verdict.String() != c.word {
			t.Errorf("%s (-want +got):\n%s", c.verdict, d)
		}
	}
	if got := m.LastEqual(); got != "last proven equal 2026-11-22 12:00:00Z by 500 rows, 20 of them bit by bit" {
		t.Error(got)
	}
	if got := (AuditMark{}).LastEqual(); got != "" {
		t.Errorf("never proven: %q", got)
	}
}

// TestAProofThatFailedSaysWhy: the error of each proof names the clusters, what was seen,
// and what to do.
func TestAProofThatFailedSaysWhy(t *testing.T) {
	wanted := storing("a", "b")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{NotCaughtUpError{Source: "a", Target: "b", Channels: 16, Within: time.Minute, NoneMoved: true}, []string{"nothing that a wrote reached b within 1 min", "16 channels", "CDC process"}},
		{NotCaughtUpError{Source: "a", Target: "b", Channels: 16, Behind: []string{"b-3", "b-9"}, Within: time.Minute}, []string{"2 of 16 channels of b", "b-3, b-9"}},
		{NotFollowingError{Source: "a", Target: "b", Belief: Belief{Kind: BeliefStandalone}}, []string{"b does not follow a", "standalone"}},
		{FellBackError{Topology: "orders", Cluster: "b", Wanted: wanted, Belief: Belief{Kind: BeliefStandalone}}, []string{"b followed a", "#52727", "'reconcile apply orders'"}},
		{FellBackError{Topology: "orders", Cluster: "b", Wanted: wanted, Belief: Belief{Kind: BeliefPrimary}}, []string{"two clusters take writes", "keep applications away from b"}},
		{FellBackError{Topology: "orders", Cluster: "a", Wanted: wanted, Belief: Belief{Kind: BeliefStandby}}, []string{"a stored the wanted configuration", "'reconcile status orders'"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.err.Error(), want) {
				t.Errorf("%q lacks %q", c.err, want)
			}
		}
	}
}

// TestNoneMovedNeedsEveryChannel: only a channel that was read twice proves that it stood
// still.
func TestNoneMovedNeedsEveryChannel(t *testing.T) {
	before := progress("b", time.Minute, time.Minute)
	moved := slices.Clone(before)
	moved[1].TimeTick++
	unread := slices.Clone(before)
	unread[0].Known = false
	for _, c := range []struct {
		name  string
		after []ChannelProgress
		want  bool
	}{
		{"all stand still", slices.Clone(before), true},
		{"one moved", moved, false},
		{"one was not read", unread, false},
		{"one is missing", before[:1], false},
	} {
		if got := NoneMoved(before, c.after); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
	if NoneMoved(nil, nil) {
		t.Error("no channel proves nothing")
	}
}

// TestFindingsOutsideComputeNameTheirCommand: each is of its code, and says what to type.
func TestFindingsOutsideComputeNameTheirCommand(t *testing.T) {
	for _, c := range []struct {
		finding Finding
		code    Code
		remedy  string
	}{
		{SupersededBy("orders", "c0ffee"), CodeSuperseded, "'reconcile plan orders'"},
		{HistoryRewritten("c0ffee"), CodeHistoryRewritten, "Failover-Accept: HISTORY_REWRITTEN"},
		{LedgerNew(), CodeLedgerNew, "'git log -10'"},
		{VerificationFailed("orders", "b", VerifyDDL, errors.New("quota")), CodeVerificationFailed, "'reconcile status orders --verify'"},
	} {
		if c.finding.Code != c.code || !strings.Contains(c.finding.Remedy, c.remedy) {
			t.Errorf("got %+v", c.finding)
		}
	}
}
