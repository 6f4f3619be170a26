package milvussim_test

import (
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// trap is a pair whose configurations are told by hand.
type trap struct {
	*milvussim.World
	t       *testing.T
	clock   *milvussim.ManualClock
	clients map[string]milvuspb.MilvusServiceClient
}

func newTrap(t *testing.T, profile string, specs ...milvussim.ClusterSpec) *trap {
	clock := manual()
	out := &trap{
		World: start(t, milvussim.Options{Clock: clock, Profile: profile}, specs...),
		t:     t, clock: clock, clients: map[string]milvuspb.MilvusServiceClient{},
	}
	for _, id := range []string{"a", "b"} {
		out.clients[id] = dial(t, out.World, id)
	}
	return out
}

// tell demands that the call answers OK.
func (x *trap) tell(id string, cfg *commonpb.ReplicateConfiguration, force bool) {
	x.t.Helper()
	if s, err := update(x.t, root(x.t), x.clients[id], cfg, force); err != nil || s.GetCode() != 0 {
		x.t.Fatalf("tell %s: %v, %v", id, s, err)
	}
}

func (x *trap) edge(from, to string) *commonpb.ReplicateConfiguration {
	return star(x.World, []string{"a", "b"}, from)
}

func (x *trap) roles(a, b string) {
	x.t.Helper()
	if x.State("a").BelievedRole != a || x.State("b").BelievedRole != b {
		x.t.Errorf("a believes to be %s, b %s, want %s and %s", x.State("a").BelievedRole, x.State("b").BelievedRole, a, b)
	}
}

// flows demands that what a gets reaches b.
func (x *trap) flows(want bool) {
	x.t.Helper()
	before := x.State("b").Rows
	mustWrite(x.t, x.World, "a", 16)
	x.clock.Advance(time.Second)
	if got := x.State("b").Rows; (got >= before+16) != want {
		x.t.Errorf("b has %d rows after %d", got, before)
	}
}

// TestAnAttachFallsBack: an older removal of a standby is delivered after it was
// attached again: seconds later it stands alone, while the primary stores the
// edge. Telling the standby once more repairs what was an undone attach. Each call
// answers OK. With
// the fix of #52728 nothing falls back (seen on master of 2026-08-07 and 2.6).
func TestAnAttachFallsBack(t *testing.T) {
	traps := map[string]struct {
		lead   func(*trap)
		repair func(*trap)
	}{
		"an undone attach": {func(x *trap) {
			x.tell("b", only(x.World, "b"), false)
			x.tell("a", x.edge("a", "b"), false)
			x.clock.Advance(time.Second)
			x.tell("a", only(x.World, "a"), false)
			x.clock.Advance(time.Minute)
			x.tell("a", x.edge("a", "b"), false)
			x.tell("b", x.edge("a", "b"), false)
		}, func(x *trap) { x.tell("b", x.edge("a", "b"), false) }},
		"a standby that is let go and attached at once": {func(x *trap) {
			x.tell("a", x.edge("a", "b"), false)
			x.tell("b", x.edge("a", "b"), false)
			x.flows(true)
			x.tell("a", only(x.World, "a"), false)
			x.tell("a", x.edge("a", "b"), false)
			x.tell("b", x.edge("a", "b"), false) // stored already
		}, func(x *trap) { // the new task holds the removal, too
			x.tell("a", only(x.World, "a"), false)
			x.tell("a", x.edge("a", "b"), false)
			x.tell("b", x.edge("a", "b"), false)
			x.clock.Advance(5 * time.Second)
			x.roles("primary", "standalone")
			x.tell("b", x.edge("a", "b"), false)
		}},
	}
	for name, c := range traps {
		for _, profile := range []string{"2.6.22", "master"} {
			t.Run(name+", "+profile, func(t *testing.T) {
				x := newTrap(t, profile, milvussim.Unconfigured(milvussim.Pair("a", "b"))...)
				c.lead(x)
				x.roles("primary", "standby")
				x.clock.Advance(5 * time.Second)
				if profile == "master" {
					x.roles("primary", "standby")
					x.flows(true)
					return
				}
				x.roles("primary", "standalone")
				x.flows(false)
				c.repair(x)
				x.clock.Advance(5 * time.Second)
				x.roles("primary", "standby")
				x.flows(true)
			})
		}
	}
}

// TestALeftOverRemovalFires: a standby that is told alone takes the removal that
// its former source still holds for it.
func TestALeftOverRemovalFires(t *testing.T) {
	x := newTrap(t, "2.6.22", milvussim.Unconfigured(milvussim.Pair("a", "b"))...)
	x.tell("b", only(x.World, "b"), false)
	x.tell("a", x.edge("a", "b"), false)
	x.tell("a", only(x.World, "a"), false)
	x.tell("b", x.edge("a", "b"), false)
	x.clock.Advance(5 * time.Second)
	x.roles("standalone", "standalone")
}

// TestAFenceIsReplayed: an old primary that was fenced and linked again without a
// rebuild brings its fence to the other cluster once it is primary again. Both
// take writes then, seconds after a switchover in which every call answered OK
// (seen on 2.6; the same passed without harm on master).
func TestAFenceIsReplayed(t *testing.T) {
	for profile, b := range map[string]string{"2.6.22": "primary", "master": "standby"} {
		t.Run(profile, func(t *testing.T) {
			x := newTrap(t, profile, milvussim.Converged(milvussim.Pair("a", "b"))...)
			must(t, x.Stop("a"))
			x.tell("b", only(x.World, "b"), true)
			must(t, x.Revive("a"))
			x.clock.Advance(time.Minute)
			x.tell("a", x.edge("b", "a"), false)
			x.tell("b", x.edge("b", "a"), false)
			x.clock.Advance(time.Minute)
			x.roles("standby", "primary")
			x.tell("b", x.edge("a", "b"), false)
			x.clock.Advance(time.Second)
			x.roles("primary", "standby")
			x.clock.Advance(5 * time.Second)
			x.roles("primary", b)
		})
	}
}
