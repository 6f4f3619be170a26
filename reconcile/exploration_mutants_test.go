package reconcile_test

import (
	"strings"
	"testing"
)

// TestExplorationFindsBrokenParts holds the invariants to their duty: with a
// part that does not do its own, the exploration must find harm.
func TestExplorationFindsBrokenParts(t *testing.T) {
	if underRace {
		t.Skip("make test runs it: it tests the exploration, which has one goroutine")
	}
	healthy := func(x *explorer) state { return x.beginning("PS") }
	lost := func(x *explorer) state { return x.beginning("PS").lost() }
	swapping := func(x *explorer) state {
		return x.follow(healthy(x), "switchover to cluster-b is committed, approved")
	}
	for _, test := range []struct {
		name   string
		broken broken
		seed   seed
		harm   string // in the words of the invariant
	}{
		{"every change carries an approval", broken{alwaysApproved: true}, seed{state: healthy, depth: 2}, "without an approval"},
		{"the ledger forgets what was used", broken{forgetsSpent: true}, seed{state: func(x *explorer) state {
			return x.follow(swapping(x), "apply starts", "take the lock", "write the intent",
				"a call may leave", "send", "replication brings", "read back", "the effect", "verify", "the result",
				"somebody switches over from cluster-b", "replication brings")
		}, depth: 1}, "begun with twice"},
		{"what does not answer is called empty", broken{seesEmpty: true}, seed{state: func(x *explorer) state {
			return x.beginning("P-").with(func(m *model) { m.commit(roles("PS"), 2, true) })
		}, depth: 2}, "which was not seen"},
		{"every probe says that the primary is gone", broken{alwaysLost: true}, seed{state: healthy, depth: 2}, "next to"},
		{"what is in doubt is called refused", broken{callsRefused: true}, seed{state: lost, depth: 2}, "is taken back"},
		{"replication is always called proven", broken{provesAll: true}, seed{state: swapping, depth: 2}, "without proof"},
		{"Git is read once", broken{readsGitOnce: true}, seed{state: lost, depth: 2}, "without an approval"},
		{"Git counts as read where it cannot be", broken{trustsOldGit: true}, seed{state: lost, depth: 2}, "without an approval"},
		{"every cluster is called wiped", broken{seesWiped: true}, seed{state: func(x *explorer) state { return x.rebuilding("SP") }, depth: 2}, "was not seen to be wiped"},
		{"requests go again without another look", broken{neverAsks: true}, seed{state: lost, depth: 3}, "has expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.seed.name = test.name
			x := test.seed.explore(t, test.broken, 0)
			if x.harm == "" {
				t.Fatal("no harm was found: the invariants hold nothing")
			}
			t.Logf("%s, by\n  %s", x.harm, strings.Join(x.trace, "\n  "))
			if !strings.Contains(x.harm, test.harm) {
				t.Errorf("another harm was found than %q", test.harm)
			}
		})
	}
}
