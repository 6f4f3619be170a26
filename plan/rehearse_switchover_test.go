package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rehearsing asks for a rehearsal of a switchover from a to b.
func rehearsing(others ...string) Topology {
	t := pairOf("a", append([]string{"b"}, others...)...)
	t.Switchover = Switchover{CatchUpWithin: 30 * time.Second, Timeout: 10 * time.Minute}
	before := t
	t.Rehearse = &RehearsalRequest{To: "b", Generation: t.Generation}
	return t.after(before)
}

// waysOf are the steps of both ways.
func waysOf(p TopologyPlan) []string {
	back := p
	back.Steps = p.Return
	return slices.Concat(stepsOf(p), stepsOf(back))
}

var (
	thereSteps = []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged b", "3 verify b", "4 redirect_traffic b"}
	backSteps  = []string{"5 update_replicate_configuration a", "5 update_replicate_configuration b", "6 wait_converged a", "7 verify a", "8 redirect_traffic a"}
)

// TestRehearsalIsPlannedAsASwitchoverThereAndBack: one digest covers both ways, and the way back
// gives every member what it stored before.
func TestRehearsalIsPlannedAsASwitchoverThereAndBack(t *testing.T) {
	w := world{t: rehearsing(), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	p := w.plan(t)
	if p.Transition != TransitionRehearsal || p.Primary != "b" || p.OldPrimary != "a" || p.Blocked(nil) || p.InSync || p.Matches {
		t.Fatalf("it is a %s from %s to %s, blocked by %v", p.Transition, p.OldPrimary, p.Primary, p.Blocking(nil))
	}
	if diff := cmp.Diff(slices.Concat(thereSteps, backSteps), waysOf(p)); diff != "" {
		t.Error(diff)
	}
	if a := p.Return[0]; !a.After.Equal(w.views[0].Belief.Configuration) || !a.Before.Equal(*p.Steps[0].After) || a.ID != 6 {
		t.Errorf("step %d back sends %+v", a.ID, a.After)
	}
	if want := topologyDigest("orders", TransitionRehearsal, p.Steps); p.Digest == want || p.Digest == "" {
		t.Error("the digest does not cover the way back")
	}
	if roles := p.Clusters; roles[0].DesiredRole != RolePrimary || roles[1].DesiredRole != RoleStandby {
		t.Errorf("Git is said to want %v", roles)
	}
	d, _, m := w.inputs()
	if offline := Offline(d, m).Topologies[0]; offline.Transition != TransitionRehearsal || offline.Digest != p.Digest {
		t.Errorf("from the documents alone it is a %s with digest %s", offline.Transition, offline.Digest)
	}
	star := world{t: rehearsing("c"), views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}}
	if p := star.plan(t); p.Blocked(nil) || len(p.Steps) != 6 || len(p.Return) != 6 {
		t.Errorf("of a star: %v, blocked by %v", waysOf(p), p.Blocking(nil))
	}
}

// TestRehearsalIsPlannedOnce: a document asks for one rehearsal, at its own generation, and never
// stands in the way of a failover.
func TestRehearsalIsPlannedOnce(t *testing.T) {
	live := []View{primaryOf("a", "b"), standbyOf("a", "b")}
	later := rehearsing()
	later.Generation++
	failover := failingOver("b", "a")
	failover.Rehearse = &RehearsalRequest{To: "b", Generation: failover.Generation}
	grows := rehearsing()
	for i := range grows.Clusters {
		grows.Clusters[i].PChannels = append(slices.Clone(grows.Clusters[i].PChannels), grows.Clusters[i].ID+"-rootcoord-dml_2")
	}
	for _, c := range []struct {
		name  string
		world world
		want  Transition
		mixed bool
	}{
		{"it was carried out", world{t: rehearsing(), views: live, memory: Memory{Rehearsals: []RehearsalRecord{{Topology: "orders", Generation: 8}}}}, TransitionNone, false},
		{"another topology was", world{t: rehearsing(), views: live, memory: Memory{Rehearsals: []RehearsalRecord{{Topology: "users", Generation: 8}}}}, TransitionRehearsal, false},
		{"the request is of an earlier generation", world{t: later, views: live}, TransitionNone, false},
		{"a failover", world{t: failover, views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}, TransitionFailover, false},
		{"channels that grow", world{t: grows, views: live}, TransitionGrowChannels, true},
		{"somebody switched over by hand", world{t: rehearsing(), views: []View{standbyOf("b", "a"), primaryOf("b", "a")}}, TransitionSwitchover, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.world.plan(t)
			if p.Transition != c.want || p.Has(CodeMixedChange) != c.mixed {
				t.Errorf("it is a %s, blocked by %v", p.Transition, p.Blocking(nil))
			}
		})
	}
}

// TestRehearsalIsRefusedWhereASwitchoverIs: what blocks the switchover to that standby blocks the
// rehearsal with the same code, and so does what would block its way back.
func TestRehearsalIsRefusedWhereASwitchoverIs(t *testing.T) {
	fixed := rehearsing()
	fixed.Clusters[0].Promotable = false
	for _, c := range []struct {
		name string
		t    Topology
		a, b View
		want Code
	}{
		{"the primary is down", rehearsing(), down("a"), standbyOf("a", "b"), CodeSwitchoverNeedsBoth},
		{"the standby is down", rehearsing(), primaryOf("a", "b"), down("b"), CodeSwitchoverNeedsBoth},
		{"what the standby stores cannot be read", rehearsing(), primaryOf("a", "b"), unread("b"), CodeRoleUnknown},
		{"the primary could not take its place again", fixed, primaryOf("a", "b"), standbyOf("a", "b"), CodeNotPromotable},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: c.t, views: []View{c.a, c.b}}.plan(t)
			if p.Transition != TransitionRehearsal || !slices.Contains(codesOf(p, SeverityBlocking), string(c.want)) {
				t.Errorf("it is a %s, blocked by %v", p.Transition, codesOf(p, SeverityBlocking))
			}
		})
	}
}

// TestRehearsalMustEndBeforeAFreezeBegins: the whole of it must fit before the next freeze.
func TestRehearsalMustEndBeforeAFreezeBegins(t *testing.T) {
	w := world{t: rehearsing(), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	within := w.t.RehearsalLimit()
	for _, c := range []struct {
		name   string
		freeze Freeze
		frozen bool
	}{
		{"in a freeze", freezeFrom("year-end", -time.Hour, time.Hour), true},
		{"one begins before it can be over", freezeFrom("year-end", within-time.Minute, within+time.Hour), true},
		{"one begins later", freezeFrom("year-end", within+time.Minute, within+time.Hour), false},
		{"one lets rehearsals pass", freezeFrom("year-end", -time.Hour, time.Hour, TransitionRehearsal), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, o, m := w.inputs()
			d.Freezes = []Freeze{c.freeze}
			p := Compute(d, o, m).Topologies[0]
			if p.Has(CodeChangeFrozen) != c.frozen {
				t.Errorf("it waits for %+v", p.Frozen)
			}
			if c.frozen && !p.Frozen.Until.Equal(c.freeze.Until) {
				t.Errorf("it waits until %s", p.Frozen.Until)
			}
		})
	}
}

// TestRehearsalIsCarriedOn: whenever a process ends, the next one finishes the way there, goes
// back, and says meanwhile that the roles are not as before.
func TestRehearsalIsCarriedOn(t *testing.T) {
	live := world{t: rehearsing(), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	swapped := []View{standbyOf("b", "a"), primaryOf("b", "a")}
	p := live.plan(t)
	there := func(change func(*Intent)) Memory {
		return begun(t, live, func(i *Intent) { i.Return = p.Return; change(i) })
	}
	turned := func(i *Intent) { i.Steps, i.Return, i.Turned, i.MayHaveSent = i.Return, nil, true, false }
	later := rehearsing()
	later.MaxLag, later.Generation = time.Minute, later.Generation+1
	other := failingOver("a", "b").after(rehearsing())
	other.Generation = 9
	other.Previous = nil
	for _, c := range []struct {
		name    string
		t       Topology
		views   []View
		memory  Memory
		steps   []string
		resumed bool
		notBack bool
	}{
		{"before anything was sent", rehearsing(), live.views, there(func(i *Intent) { i.MayHaveSent = false }), slices.Concat(thereSteps, backSteps), false, false},
		{"a request may have left", rehearsing(), live.views, there(func(*Intent) {}), slices.Concat(thereSteps, backSteps), true, false},
		{"one of two took it", rehearsing(), []View{standbyOf("b", "a"), standbyOf("a", "b")}, there(func(*Intent) {}), slices.Concat(thereSteps, backSteps), true, false},
		{"the way there took effect", rehearsing(), swapped, there(func(i *Intent) { i.Effected = true }), slices.Concat(thereSteps[2:], backSteps), true, true},
		{"it turned", rehearsing(), swapped, there(turned), backSteps, true, true},
		{"the way back took effect", rehearsing(), live.views, there(func(i *Intent) { turned(i); i.MayHaveSent = true }), backSteps[2:], true, false},
		{"a later document wants the same roles", later, swapped, there(turned), backSteps, true, true},
		{"so it does on the way there", later, swapped, there(func(i *Intent) { i.Effected = true }), slices.Concat(thereSteps[2:], backSteps), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := world{t: c.t, views: c.views, memory: c.memory}.plan(t)
			if diff := cmp.Diff(c.steps, waysOf(got)); diff != "" {
				t.Error(diff)
			}
			if got.Transition != TransitionRehearsal || got.Resumed != c.resumed || got.Digest != p.Digest || got.Blocked(nil) {
				t.Errorf("it is a %s, resumed %t, blocked by %v", got.Transition, got.Resumed, got.Blocking(nil))
			}
			if got.Has(CodeRehearsalNotBack) != c.notBack {
				t.Errorf("the findings are %v", codesOf(got, SeverityCritical))
			}
		})
	}
	got := world{t: rehearsing(), views: []View{down("a"), primaryOf("b", "a")}, memory: there(turned)}.plan(t)
	if !got.Blocked(nil) || !got.Has(CodeClusterNeeded) || !got.Has(CodeRehearsalNotBack) {
		t.Errorf("with the primary lost on the way, it is blocked by %v", got.Blocking(nil))
	}
	if f := find(got, CodeRehearsalNotBack, "b"); f == nil || !strings.Contains(f.Remedy, "reconcile apply orders") {
		t.Errorf("the way back is said as %+v", f)
	}
	got = world{t: other, views: []View{standbyOf("b", "a"), down("b")}, memory: there(turned), evidence: []Evidence{lost("b", "a")}}.plan(t)
	if got.Resumed || got.Transition != TransitionFailover {
		t.Errorf("a failover after the rehearsal's standby was lost is a %s, blocked by %v", got.Transition, got.Blocking(nil))
	}
}

// TestRehearsalIsTakenBack: a request that has not begun is taken back without a change of roles;
// one that has begun is not.
func TestRehearsalIsTakenBack(t *testing.T) {
	live := world{t: rehearsing(), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	_, o, m := live.inputs()
	if roles, err := ProposeCancel(rehearsing(), o, m); err != nil || roles["a"] != RolePrimary || roles["b"] != RoleStandby {
		t.Errorf("%v, %v", roles, err)
	}
	m.Rehearsals = []RehearsalRecord{{Topology: "orders", Generation: 8}}
	if _, err := ProposeCancel(rehearsing(), o, m); err == nil {
		t.Error("one that was carried out is taken back")
	}
	begun := begun(t, live, func(i *Intent) { i.Turned, i.MayHaveSent = true, false })
	if _, err := ProposeCancel(rehearsing(), o, begun); err == nil {
		t.Error("one that has begun is taken back")
	}
}
