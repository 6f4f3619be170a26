package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// freezeFrom is a freeze of so many hours, as seen from now.
func freezeFrom(name string, from, until time.Duration, passes ...Transition) Freeze {
	return Freeze{Name: name, From: now.Add(from), Until: now.Add(until), Passes: passes}
}

func TestFrozenAt(t *testing.T) {
	const h = time.Hour
	night := freezeFrom("night", -h, 2*h, TransitionFailover)
	for _, c := range []struct {
		name       string
		freezes    []Freeze
		transition Transition
		want       *Frozen
	}{
		{"no freeze", nil, TransitionSwitchover, nil},
		{"one is in force", []Freeze{night}, TransitionSwitchover, &Frozen{By: []string{"night"}, Until: now.Add(2 * h)}},
		{"what it lets pass", []Freeze{night}, TransitionFailover, nil},
		{"a fence passes every freeze", []Freeze{{Name: "all"}}, TransitionFence, nil},
		{"nothing is nothing to hold back", []Freeze{{Name: "all"}}, TransitionNone, nil},
		{"its first moment", []Freeze{freezeFrom("x", 0, h)}, TransitionDetach, &Frozen{By: []string{"x"}, Until: now.Add(h)}},
		{"the first moment after it", []Freeze{freezeFrom("x", -h, 0)}, TransitionDetach, nil},
		{"it begins later", []Freeze{freezeFrom("x", h, 2*h)}, TransitionDetach, nil},
		{"one goes on where another ends", []Freeze{freezeFrom("x", h, 2*h), freezeFrom("y", -h, h)}, TransitionDetach, &Frozen{By: []string{"y", "x"}, Until: now.Add(2 * h)}},
		{"a gap between them", []Freeze{freezeFrom("x", 2*h, 3*h), freezeFrom("y", -h, h)}, TransitionDetach, &Frozen{By: []string{"y"}, Until: now.Add(h)}},
		{"the next one lets it pass", []Freeze{night, freezeFrom("x", h, 3*h, TransitionDetach)}, TransitionDetach, &Frozen{By: []string{"night"}, Until: now.Add(2 * h)}},
		{"one within another", []Freeze{freezeFrom("x", -2*h, 3*h), night}, TransitionDetach, &Frozen{By: []string{"x"}, Until: now.Add(3 * h)}},
		{"two take turns", []Freeze{freezeFrom("x", -h, h), freezeFrom("y", h, 2*h), freezeFrom("x", 2*h, 3*h)}, TransitionDetach, &Frozen{By: []string{"x", "y"}, Until: now.Add(3 * h)}},
		{"the one that lasts longer tells it", []Freeze{night, freezeFrom("x", -h, 3*h)}, TransitionDetach, &Frozen{By: []string{"x"}, Until: now.Add(3 * h)}},
		{"no end is known", []Freeze{night, {Name: "x", From: now.Add(h)}}, TransitionDetach, &Frozen{By: []string{"night", "x"}}},
		{"the zero freeze holds a failover back", []Freeze{{}}, TransitionFailover, &Frozen{By: []string{""}}},
		{"a transition that nobody knows yet", []Freeze{night}, "rebuild", &Frozen{By: []string{"night"}, Until: now.Add(2 * h)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, frozenAt(now, c.freezes, c.transition)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFrozenAtNoTime: where the time is not known, a freeze holds back what it could.
func TestFrozenAtNoTime(t *testing.T) {
	over := freezeFrom("over", -2*time.Hour, -time.Hour, TransitionFailover)
	if got := frozenAt(time.Time{}, []Freeze{over}, TransitionSwitchover); got == nil || !got.Until.IsZero() {
		t.Errorf("got %+v", got)
	}
	if got := frozenAt(time.Time{}, []Freeze{over}, TransitionFailover); got != nil {
		t.Errorf("a failover passes, and it got %+v", got)
	}
}

// TestFrozenUntilNothingHoldsItBack: up to the end that is told some freeze holds the
// transition back, and at the end none does.
func TestFrozenUntilNothingHoldsItBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var freezes []Freeze
		for range rapid.IntRange(0, 5).Draw(t, "freezes") {
			from := rapid.IntRange(-6, 6).Draw(t, "from")
			f := freezeFrom("x", time.Duration(from)*time.Hour, time.Duration(from+rapid.IntRange(1, 5).Draw(t, "hours"))*time.Hour)
			if rapid.Bool().Draw(t, "passes") {
				f.Passes = []Transition{TransitionSwitchover}
			}
			freezes = append(freezes, f)
		}
		heldBack := func(at time.Time) bool {
			return slices.ContainsFunc(freezes, func(f Freeze) bool {
				return f.holds(TransitionSwitchover) && !f.From.After(at) && f.Until.After(at)
			})
		}
		got := frozenAt(now, freezes, TransitionSwitchover)
		if (got != nil) != heldBack(now) {
			t.Fatalf("it is held back: %t, and the plan says %+v", heldBack(now), got)
		}
		if got == nil {
			return
		}
		for at := now; at.Before(got.Until); at = at.Add(30 * time.Minute) {
			if !heldBack(at) {
				t.Fatalf("nothing holds it back at %s, before %s", at, got.Until)
			}
		}
		if heldBack(got.Until) {
			t.Fatalf("it is held back at %s still", got.Until)
		}
	})
}

// TestAFreezeHoldsBackWhatHasNotBegun: the plan of a change in a freeze is that of the change,
// and is blocked; no approval lifts that.
func TestAFreezeHoldsBackWhatHasNotBegun(t *testing.T) {
	switchover := world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	resumed := switchover
	resumed.memory = begun(t, switchover, func(*Intent) {})
	unsent := switchover
	unsent.memory = begun(t, switchover, func(i *Intent) { i.MayHaveSent = false })
	fenced := world{t: failingOver("b", "a"), views: []View{primaryOf("a", "b"), primaryOf("b")}, memory: hadFailedOver("a", "b")}
	usual, all := freezeFrom("usual", -time.Hour, time.Hour, TransitionFailover), freezeFrom("all", -time.Hour, time.Hour)
	for _, c := range []struct {
		name   string
		world  world
		freeze Freeze
		frozen bool
	}{
		{"a switchover", switchover, usual, true},
		{"a failover", failover, usual, false},
		{"a failover that the freeze names", failover, all, true},
		{"a change that had begun", resumed, all, false},
		{"a change that had begun and sent nothing", unsent, usual, true},
		{"a fence", fenced, all, false},
		{"a topology at rest", world{t: pairOf("a", "b"), views: switchover.views}, all, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, o, m := c.world.inputs()
			if c.name == "a fence" {
				d.Fence = []FenceRequest{{Topology: "orders", Cluster: "a"}}
			}
			without := Compute(d, o, m).Topologies[0]
			d.Freezes = []Freeze{c.freeze}
			got := Compute(d, o, m).Topologies[0]
			if got.Has(CodeChangeFrozen) != c.frozen || (got.Frozen != nil) != c.frozen {
				t.Fatalf("it is frozen: %+v, with %v", got.Frozen, codesOf(got, SeverityBlocking))
			}
			if diff := cmp.Diff(stepsOf(without), stepsOf(got)); diff != "" || got.Digest != without.Digest {
				t.Errorf("the freeze changes what is planned:\n%s", diff)
			}
			if !c.frozen {
				return
			}
			f := find(got, CodeChangeFrozen, "")
			if f.Acceptable || !got.Blocked(everyCode()) || !got.WaitsForFreeze(nil) {
				t.Errorf("it can be accepted, or is not all that it waits for: %+v", got.Findings)
			}
			if until := now.Add(time.Hour).Format(time.RFC3339); !strings.Contains(f.Message, until) || !strings.Contains(f.Message, c.freeze.Name) {
				t.Errorf("it does not say until when, or because of what: %s", f.Message)
			}
		})
	}
	d, _, m := switchover.inputs()
	d.Freezes = []Freeze{all}
	if Offline(d, m).Topologies[0].Frozen != nil {
		t.Error("a plan from the documents alone is frozen")
	}
}

func TestApproveFrom(t *testing.T) {
	frozen := TopologyPlan{Frozen: &Frozen{Until: now}}
	if got := frozen.WithApprovalAge(2 * time.Hour).Frozen.ApproveFrom; !got.Equal(now.Add(-2 * time.Hour)) {
		t.Errorf("got %s", got)
	}
	if !frozen.Frozen.ApproveFrom.IsZero() {
		t.Error("the plan was written to")
	}
	if got := (TopologyPlan{Frozen: &Frozen{}}).WithApprovalAge(time.Hour).Frozen.ApproveFrom; !got.IsZero() {
		t.Errorf("without an end: %s", got)
	}
	for at, outlasts := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Second: false} {
		if got := frozen.Frozen.Outlasts(now.Add(at)); got != outlasts {
			t.Errorf("an approval that ends %s after the freeze: %t", at, got)
		}
	}
}
