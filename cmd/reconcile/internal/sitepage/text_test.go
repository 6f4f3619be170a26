package sitepage

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
)

// TestTheReportOfASite: it counts what moved and what did not, says the loss of what is done
// alone, and why a move was not carried out, once.
func TestTheReportOfASite(t *testing.T) {
	lost, begun := 300*time.Millisecond, time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	move := func(name string, wave int, loss *time.Duration) siteplan.Planned {
		return siteplan.Planned{Move: siteplan.Move{Topology: name, Transition: plan.TransitionFailover, From: "a", To: "b"}, Wave: wave, AtRisk: loss}
	}
	waves := siteplan.Waves{{Name: "canary", Topologies: []string{"users"}}}
	users := Came{Planned: move("users", 0, &lost), Outcome: "unchanged", Done: true, Begun: begun, Promoted: begun.Add(2 * time.Second), Traffic: "done"}
	failed := Came{Planned: move("users", 0, nil), Outcome: "blocked", Detail: "blocked by CANDIDATE_UNREACHABLE"}
	half := Came{Planned: move("wares", 1, nil), Outcome: "unverified", Detail: "redirect_traffic: 500", Begun: begun, Promoted: begun.Add(time.Second), Traffic: "failed"}
	waits := Came{Planned: move("orders", 1, nil), Outcome: OutcomeWaits, Detail: "wave rest was not begun: 1 of 1 of wave canary failed"}
	for _, c := range []struct {
		name string
		all  []Came
		want string
	}{
		{"the first wave failed", []Came{failed, waits}, `site eu-1: 0 of 2 topologies moved · 1 waiting · 1 not moved
  wave 1, canary: 1 topology; the next one begins if at most 0 fail
    ✗ users: a → b, by force: NOT MOVED, blocked by CANDIDATE_UNREACHABLE
  wave 2, rest: 1 topology
    · orders: a → b, by force: waits, and was not begun
  go on with what is left:
    reconcile apply --site eu-1`},
		{"an earlier run moved one", []Came{users, half}, `site eu-1: 1 of 2 topologies moved · 1 not moved · the slowest was promoted after 2 s · each lost up to 0.3 s
  wave 1, canary: 1 topology; the next one begins if at most 0 fail
    ✓ users: a → b, by force, lost up to 0.3 s · promoted after 2 s, traffic redirected, by an earlier run
  wave 2, rest: 1 topology
    ✗ wares: a → b, by force: NOT FINISHED, promoted after 1 s, traffic NOT redirected, unverified: redirect_traffic: 500
  go on with what is left:
    reconcile apply --site eu-1`},
		{"it is done", []Came{users}, `site eu-1: 1 of 1 topology moved · the slowest was promoted after 2 s · each lost up to 0.3 s
    ✓ users: a → b, by force, lost up to 0.3 s · promoted after 2 s, traffic redirected, by an earlier run`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(Report("eu-1", waves, c.all).Lines(false), "\n"); got != c.want {
				t.Errorf("it says\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
