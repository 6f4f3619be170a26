package milvus

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// stopped is an address before a cluster whose process is stopped: the kernel takes
// connections and what is sent, and nobody reads it until it goes on.
func stopped(t *testing.T, upstream string) (address string, goOn func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String(), func() {
		running.Go(func() {
			for {
				from, err := listener.Accept()
				if err != nil {
					return
				}
				to, err := net.Dial("tcp", upstream)
				if err != nil {
					_ = from.Close()
					return
				}
				for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
					running.Go(func() {
						_, _ = io.Copy(way[1], way[0])
						_, _ = from.Close(), to.Close()
					})
				}
			}
		})
	}
}

// TestAProbeInFlight waits for a primary that hangs until it is ended, and ends by itself
// with whatever comes.
func TestAProbeInFlight(t *testing.T) {
	t.Parallel()
	hang := func(t *testing.T, w *world) {
		must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *world)
		reach  plan.Reach
		silent bool
	}{
		"it hangs over HTTP/2":                   {hang, plan.ReachDegraded, true},
		"it drops all":                           {func(t *testing.T, w *world) { w.move("a", blackHole(t)) }, plan.ReachUnreachable, true},
		"its process is stopped":                 {func(t *testing.T, w *world) { at, _ := stopped(t, w.Address("a")); w.move("a", at) }, plan.ReachUnreachable, true},
		"it begins to speak HTTP/2":              {hang, plan.ReachUnreachable, false},
		"it serves":                              {func(*testing.T, *world) {}, plan.ReachDegraded, false},
		"it refuses":                             {func(t *testing.T, w *world) { must(t, w.Stop("a")) }, plan.ReachUnreachable, false},
		"its address is bound to something else": {func(_ *testing.T, w *world) { w.cluster("a").ClientAddress = "192.0.2.1:19530" }, plan.ReachUnreachable, false},
		"only its coordinator answers, with words": {func(t *testing.T, w *world) {
			must(t, w.AddFault("a", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultHang}))
		}, plan.ReachDegraded, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pair(t, "")
			c.change(t, w)
			ctx, end := context.WithCancel(w.ctx())
			if c.silent { // a short while suffices: what takes longer to come would not be missed
				time.AfterFunc(shortWhile, end)
			}
			defer end()
			same(t, w.fleet().Reader().HoldProbe(ctx, w.topology, "a", c.reach), c.silent)
			w.noConnections(t)
		})
	}
}

// TestAProbeInFlightIsAnsweredAtOnce when the process of the primary goes on, and when a
// call that hung gets its answer.
func TestAProbeInFlightIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("its process goes on", func(t *testing.T) {
		t.Parallel()
		w := pair(t, "")
		at, goOn := stopped(t, w.Address("a"))
		w.move("a", at)
		answered := make(chan bool)
		reader := w.fleet().Reader()
		go func() { answered <- !reader.HoldProbe(w.ctx(), w.topology, "a", plan.ReachUnreachable) }()
		goOn()
		same(t, <-answered, true)
	})
	t.Run("its call gets through", func(t *testing.T) {
		t.Parallel()
		clock := milvussim.NewManualClock(time.Unix(1_800_000_000, 0))
		w := newWorld(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
		must(t, w.AddFault("a", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultDelay, For: time.Hour}))
		answered := make(chan bool, 1)
		reader := w.fleet().Reader()
		go func() { answered <- !reader.HoldProbe(w.ctx(), w.topology, "a", plan.ReachDegraded) }()
		w.await(func() bool { return w.calls("a", "ListDatabases")+w.calls("a", "GetReplicateConfiguration") == 2 })
		same(t, len(answered), 0)
		w.await(func() bool {
			clock.Advance(time.Hour)
			return len(answered) == 1
		})
		same(t, <-answered, true)
	})
}

// TestAClusterWithProbesInFlightIsNotAsked by an observation that was told what they show.
func TestAClusterWithProbesInFlightIsNotAsked(t *testing.T) {
	t.Parallel()
	w := pair(t, "")
	shows := plan.Round{Reach: plan.ReachDegraded, Class: plan.ClassTimeout, Error: "silent"}
	views := w.observe(plan.Depth{Progress: true, Hanging: "a", InFlight: &shows})
	a := views["a"]
	if a.Reach != plan.ReachDegraded || a.Class != plan.ClassTimeout || a.Error != "silent" || a.Credential != plan.CredentialBound || len(views["b"].Progress) == 0 {
		t.Errorf("%+v", views)
	}
	same(t, w.calls("a", ""), 0)
	w.cluster("b").ClientAddress = "192.0.2.1:19530" // nobody of the topology may be called by now
	same(t, w.observe(plan.Depth{Progress: true, Hanging: "a", InFlight: &shows})["a"].Class, plan.ClassNotCalled)
}
