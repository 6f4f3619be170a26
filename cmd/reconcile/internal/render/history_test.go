package render

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// historyRows are the records of one failover.
func historyRows() []HistoryRow {
	loss := countedLoss(night)
	ended := endedReplay(loss)
	hash := func(c string) string { return strings.Repeat(c, 64) }
	return []HistoryRow{
		{Seq: 1, At: night.Add(-26 * time.Hour), Kind: "born", Hash: hash("a"), Lines: []string{"the ledger was made"}},
		{
			Seq: 2, At: night, Kind: "intent", Topology: "orders", Commit: fixtureCommit, By: []string{"Alice Smith <alice@example.com>", "Carol <carol@example.com>"},
			Transition: "failover", PrevHash: hash("a"), Hash: hash("b"), Generation: 8, FailedAt: night.Add(-9 * time.Minute),
			Reasons: []string{lostPower, ""}, ProposedBy: []string{"Bob Jones <bob@example.com>"},
			Lines: []string{
				"failover to cluster-b begun, generation 8, commit 4f1c2e9d0a1b", "proposed by Bob Jones <bob@example.com>",
				"approved by Alice Smith <alice@example.com>: " + lostPower, "approved by Carol <carol@example.com>",
			},
		},
		{Seq: 3, At: night.Add(time.Second), Kind: "sent", Topology: "orders", Transition: "failover", Generation: 8, PrevHash: hash("b"), Hash: hash("c"), Lines: []string{"sent: from here on the request of the failover may have reached its cluster"}},
		{Seq: 4, At: night.Add(2 * time.Second), Kind: "effected", Topology: "orders", Transition: "failover", Generation: 8, PrevHash: hash("c"), Hash: hash("d"), Lines: []string{"read back: the failover took effect"}},
		{
			Seq: 5, At: night.Add(4 * time.Second), Kind: "result", Topology: "orders", Commit: fixtureCommit,
			Transition: "failover", Result: "applied", Generation: 8, PrevHash: hash("d"), Hash: hash("e"),
			Detail: "cluster-b works as the primary (ddl); traffic points at cluster-b by lb",
			Lines: []string{
				"the failover is done, generation 8", "verified: cluster-b works as the primary (it created and dropped a collection)",
				"redirected: traffic points at cluster-b by lb", loss.Text(), ended.Text(),
			},
			Loss: &loss, Replayed: &ended,
		},
		{
			Seq: 6, At: loss.At, Kind: "counted", Topology: "orders", Commit: fixtureCommit, Transition: "failover", Generation: 8,
			PrevHash: hash("e"), Hash: hash("f"), Lines: append([]string{"salvage counted what was lost: " + loss.Amount()}, loss.Lines()[1:]...), Loss: &loss,
		},
		{
			Seq: 7, At: loss.At.Add(9 * time.Minute), Kind: "replay", Topology: "orders", Commit: fixtureCommit, Generation: 8, By: []string{"Carol <carol@example.com>"},
			Reasons: []string{"INC-7"}, PrevHash: hash("f"), Hash: hash("1"), ReplayDigest: "sha256:" + hash("d"),
			Lines: []string{"salvage begins to write lost rows of cluster-a into cluster-b", "replay of lost rows approved by Carol <carol@example.com>: INC-7"},
		},
		{
			Seq: 8, At: ended.At, Kind: "replayed", Topology: "orders", Commit: fixtureCommit, Generation: 8, Result: "applied", Detail: "35 rows written by the last run",
			PrevHash: hash("1"), Hash: hash("2"), Replayed: &ended,
			Lines: append([]string{"the lost rows of cluster-a are written again", "35 rows written by the last run"}, ended.Lines()...),
		},
	}
}

// historyWithGit are the records, and between them what no record tells.
func historyWithGit() []HistoryRow {
	bob := []string{"Bob Jones <bob@example.com>"}
	others := []HistoryRow{
		{At: night.Add(-9 * time.Minute), Kind: "silence", Topology: "orders", FailedAt: night.Add(-9 * time.Minute), Lines: []string{"cluster-a was silent from here on"}},
		{
			At: night.Add(-7 * time.Minute), Kind: "proposed", Topology: "orders", Commit: fixtureCommit, Generation: 8, ProposedBy: bob,
			Lines: []string{"proposed by Bob Jones <bob@example.com>: cluster-a primary → stale", "commit 4f1c2e9d0a1b"},
		},
		{
			At: night.Add(-6 * time.Minute), Kind: "approved", Topology: "orders", Commit: fixtureCommit, Generation: 8, By: bob, Reasons: []string{lostPower}, Denial: "SELF_APPROVED",
			Lines: []string{"approved by Bob Jones <bob@example.com>: " + lostPower, "it does not count: who wrote a change cannot approve it (SELF_APPROVED)"},
		},
	}
	return slices.Insert(historyRows(), 1, others...)
}

const lostPower = "eu-1 lost power, INC-4211, and the vendor says that it stays so until the morning"

// historyStory is that failover as people read it: with what Git tells, and each thing once.
func historyStory() []HistoryEvent {
	rows := historyRows()
	of := func(i int, m Mark) HistoryEvent {
		return HistoryEvent{rows[i].At, rows[i].Topology, rows[i].Lines, m}
	}
	before := func(d time.Duration, mark Mark, lines ...string) HistoryEvent {
		return HistoryEvent{night.Add(-d), "orders", lines, mark}
	}
	begun, alice := of(1, MarkBegun), "Alice Smith <alice@example.com>"
	begun.Lines = begun.Lines[:1]
	return []HistoryEvent{
		of(0, ""),
		before(9*time.Minute, MarkTrouble, "cluster-a was silent from here on"),
		before(7*time.Minute, "", "proposed by Bob Jones <bob@example.com>: cluster-a primary → stale, cluster-b standby → primary, generation 7 → 8", "commit 4f1c2e9d0a1b"),
		before(6*time.Minute, "", "approved by Bob Jones <bob@example.com>: "+lostPower, "it does not count: who wrote a change cannot approve it (SELF_APPROVED)"),
		before(5*time.Minute, "", "approved by "+alice+": eu-1 lost power"),
		before(4*time.Minute, "", "approval withdrawn by "+alice),
		before(2*time.Minute, "", "approved by "+alice+": "+lostPower),
		before(time.Minute, "", "approved by Carol <carol@example.com>"),
		begun, of(2, ""), of(3, ""), of(4, MarkDone), of(5, ""), of(6, MarkBegun), of(7, MarkDone),
	}
}

func TestGoldenHistory(t *testing.T) {
	for _, form := range []string{FormTable, FormJSON, FormYAML, FormMarkdown} {
		t.Run(form, func(t *testing.T) {
			compare(t, "history."+form, func(w io.Writer) error { return History(w, form, historyWithGit(), historyStory(), TableOptions{}) })
		})
	}
	t.Run("empty", func(t *testing.T) {
		for form, want := range map[string]string{FormTable: "The ledger holds no record.\n", FormJSON: "[]\n", FormYAML: "[]\n"} {
			if got := rendered(t, func(w io.Writer) error { return History(w, form, nil, nil, TableOptions{}) }); string(got) != want {
				t.Errorf("%s: got %q, want %q", form, got, want)
			}
		}
	})
}

// TestHistoryEscapes: what others wrote, as a reason, neither moves the cursor nor ends a
// cell of a table.
func TestHistoryEscapes(t *testing.T) {
	story := []HistoryEvent{{At: night, Topology: "orders", Lines: []string{"approved by Mallory: a|b\x1b[2J"}}}
	for form, want := range map[string]string{FormTable: `a|b\x1b[2J`, FormMarkdown: `a\|b`} {
		got := string(rendered(t, func(w io.Writer) error { return History(w, form, nil, story, TableOptions{}) }))
		if strings.Contains(got, "\x1b") || !strings.Contains(got, want) {
			t.Errorf("%s: %q lacks %q", form, got, want)
		}
	}
}
