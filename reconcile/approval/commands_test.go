package approval

import (
	"strings"
	"testing"
	"time"
)

// TestCommandsOfApprovals: each command names what it approves or takes back, the repository
// only where approvals must name one, and pushes.
func TestCommandsOfApprovals(t *testing.T) {
	target := Target{"orders", "cluster-b"}
	for want, got := range map[string]string{
		`reconcile approve orders/cluster-b --reason "WHY" --push`:                                  Command(target, ""),
		`reconcile approve orders/cluster-b --reason "WHY" --repository prod/t --push`:              Command(target, "prod/t"),
		`reconcile approve orders/cluster-b --withdraw --push`:                                      Withdrawal(target, ""),
		`reconcile approve orders/cluster-b --withdraw --repository prod/t --push`:                  Withdrawal(target, "prod/t"),
		`reconcile approve orders/cluster-b --replay sha256:1 --reason "WHY" --push`:                ReplayCommand(target, "sha256:1", ""),
		`reconcile approve orders/cluster-b --replay sha256:1 --reason "WHY" --repository p --push`: ReplayCommand(target, "sha256:1", "p"),
		`reconcile approve --site eu-1 --reason "WHY" --push`:                                       SiteCommand("eu-1", "", ""),
		`reconcile approve --site eu-1 --plan sha256:2 --reason "WHY" --repository p --push`:        SiteCommand("eu-1", "sha256:2", "p"),
		`reconcile approve --site eu-1 --withdraw --push`:                                           SiteWithdrawal("eu-1", ""),
		`reconcile approve --site eu-1 --withdraw --repository p --push`:                            SiteWithdrawal("eu-1", "p"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestTheNewerStatementComesLast: Git keeps whole seconds, so that of two statements of one
// second the one with the greater number in its tag is newer.
func TestTheNewerStatementComesLast(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	first := Statement{At: at, Ref: "refs/tags/failover/orders/8/alice-9"}
	for name, later := range map[string]Statement{
		"a second later":         {At: at.Add(time.Second), Ref: "refs/tags/failover/orders/8/alice-1"},
		"a number of two digits": {At: at, Ref: "refs/tags/failover/orders/8/alice-10"},
		"the same length":        {At: at, Ref: "refs/tags/failover/orders/8/bob-9999"},
	} {
		if !later.After(first) || first.After(later) || first.After(first) {
			t.Errorf("%s: %v %v", name, later.After(first), first.After(later))
		}
	}
}

// TestALongListOfASiteIsReadLikeAShortOne: a message of more than 4 KiB is read once and kept;
// what is read of it is the same, also the second time, and a changed one is read again.
func TestALongListOfASiteIsReadLikeAShortOne(t *testing.T) {
	moves := movesOfEU1()
	for len(moves) < 100 {
		m := moves[1]
		m.Topology = "users-" + strings.Repeat("x", len(moves)%7) + string(rune('a'+len(moves)%26)) + strings.Repeat("y", len(moves)/26)
		moves = append(moves, m)
	}
	message := siteTag(alice, moves).Message
	want, wantErr := ParseTrailers(message)
	for range 2 {
		got, err := claimOf(message)
		if (err == nil) != (wantErr == nil) || got.Site.Digest == "" || got.Site.Digest != want.Site.Digest || len(got.Site.Moves) != len(moves) {
			t.Fatalf("%v %v, want %v %v", got.Site, err, want.Site, wantErr)
		}
	}
	if _, err := claimOf(strings.Replace(message, "from users-a", "from users-c", 1)); err == nil {
		t.Error("a list that was changed is read as the one that was kept")
	}
}
