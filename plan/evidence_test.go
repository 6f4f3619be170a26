package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAFailoverShowsWhatItRestsOn: every round with its time, duration and
// class, and that it proves no more than what was seen.
func TestAFailoverShowsWhatItRestsOn(t *testing.T) {
	seen := lost("a", "b")
	for _, c := range []struct {
		name   string
		world  world
		rounds []Round
		says   string
	}{
		{
			"probed long enough",
			world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{seen}},
			seen.Rounds,
			"5 probes of a failed over 40 s (a is unreachable: refused), which does not tell whether others still reach it",
		},
		{
			"a stuck switchover, whatever was probed",
			world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), idle(standbyOf("a", "b"))}},
			nil,
			"cannot be undone",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := false
			for _, f := range c.world.plan(t).Findings {
				if f.Code != CodeForcePromote {
					continue
				}
				found = true
				if d := cmp.Diff(c.rounds, f.Evidence.Rounds); d != "" || f.Evidence.Counted != len(c.rounds) {
					t.Errorf("the rounds are not shown (-want +got):\n%s", d)
				}
				if !strings.HasSuffix(f.Message, c.says) {
					t.Errorf("it says %q", f.Message)
				}
			}
			if !found {
				t.Error("no FORCE_PROMOTE")
			}
		})
	}
}
