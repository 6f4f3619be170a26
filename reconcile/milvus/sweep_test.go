package milvus

import (
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// trio is a converged primary a with its standbys b and c.
func trio(t *testing.T) *world {
	t.Helper()
	return newWorld(t, milvussim.Options{}, milvussim.Converged(append(milvussim.Pair("a", "b"), milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby}))...)
}

// sweep looks once more through a fleet, and returns the views and the calls that
// it took, by method.
func (w *world) sweep(f *Fleet, depth Depth) (views map[string]plan.View, calls map[string]int) {
	w.t.Helper()
	before := len(w.Calls())
	views, calls = map[string]plan.View{}, map[string]int{}
	for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, depth) {
		views[v.Cluster] = v
	}
	for _, c := range w.Calls()[before:] {
		calls[c.Method]++
	}
	return views, calls
}

// TestFewestCalls holds a look to the calls that it needs (docs/performance.md,
// the floor of a sweep), of three clusters with 16 channels each.
func TestFewestCalls(t *testing.T) {
	rest := map[string]int{"Connect": 3, "GetReplicateConfiguration": 3, "AllocTimestamp": 1, "GetReplicateInfo": 1 + 2*16, "DumpMessages": 16}
	first := maps.Clone(rest)
	first["DumpMessages"] += 2 // the features of the standbys
	cases := []struct {
		name  string
		depth Depth
		calls []map[string]int // of one sweep after the other
	}{
		{"plan at rest", Depth{}, []map[string]int{
			{"Connect": 3, "GetReplicateConfiguration": 3, "GetReplicateInfo": 3},
			{"Connect": 3, "GetReplicateConfiguration": 3, "GetReplicateInfo": 3},
		}},
		{"sweep", Depth{Progress: true}, []map[string]int{first, rest, rest}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := trio(t)
			f := w.fleet()
			for i, want := range c.calls {
				views, calls := w.sweep(f, c.depth)
				same(t, calls, want)
				for id, v := range views {
					if v.Reach != plan.ReachUp || !v.IdentityProven || (v.ForcePromotes == plan.SupportYes) != c.depth.Progress {
						t.Errorf("look %d, %s: %+v", i, id, v)
					}
					for _, p := range v.Progress {
						if p.CaughtUpAt == nil || p.Unsent != nil {
							t.Errorf("look %d, %s: %+v", i, id, p)
						}
					}
				}
				same(t, len(views["a"].Progress), 0) // a primary has none
			}
		})
	}
}

// TestStandbysThatDifferAreAskedForApart: standbys that stand at different places
// of the log are answered each for itself.
func TestStandbysThatDifferAreAskedForApart(t *testing.T) {
	w := trio(t)
	f := w.fleet()
	w.sweep(f, Depth{Progress: true})
	must(t, w.SetLink("a", "c", false))
	_, refused, err := w.Write("a", 160)
	must(t, err)
	must(t, refused)
	for ctx := w.ctx(); w.State("b").Rows != w.State("a").Rows && ctx.Err() == nil; {
		runtime.Gosched()
	}
	views, calls := w.sweep(f, Depth{Progress: true})
	same(t, calls["DumpMessages"], 2*16)
	for _, p := range views["b"].Progress {
		same(t, p.CaughtUpAt != nil && p.Unsent == nil, true)
	}
	for _, p := range views["c"].Progress {
		same(t, p.CaughtUpAt == nil && p.Unsent != nil, true)
	}
}

// TestTheMomentComesFirst: what a standby says is held against a tick that its
// source gave before. One that comes late has the channels read again, and a
// source that gives none is not asked for its backlog.
func TestTheMomentComesFirst(t *testing.T) {
	const channels = 16
	for name, c := range map[string]struct {
		fault   milvussim.Fault
		reads   int // of the channels of b
		known   bool
		ordered bool
	}{
		"at once": {reads: channels, known: true, ordered: true},
		"late":    {fault: milvussim.Fault{Kind: milvussim.FaultDelay, For: 400 * time.Millisecond, Times: 1}, reads: 2 * channels, known: true},
		"never":   {fault: milvussim.Fault{Kind: milvussim.FaultHang}, reads: channels},
		"refused": {fault: milvussim.Fault{Kind: milvussim.FaultError, Code: codes.PermissionDenied}, reads: channels},
	} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			w.config.ReadTimeout = time.Second
			if c.fault.Method = "AllocTimestamp"; c.fault.Kind != "" {
				must(t, w.AddFault("a", c.fault))
			}
			views, _ := w.sweep(w.fleet(), Depth{Progress: true})
			same(t, w.calls("a", "AllocTimestamp"), 1)
			same(t, w.calls("b", "GetReplicateInfo"), c.reads)
			for _, p := range views["b"].Progress {
				same(t, p.CaughtUpAt != nil, c.known)
				same(t, p.Unsent == nil, true)
			}
			if !c.ordered {
				return
			}
			calls := w.Calls()
			at := slices.IndexFunc(calls, func(x milvussim.Call) bool { return x.Method == "AllocTimestamp" })
			read := slices.IndexFunc(calls, func(x milvussim.Call) bool { return x.Cluster == "b" && x.Method == "GetReplicateInfo" })
			if at < 0 || read < at {
				t.Errorf("the moment is call %d, the first channel is read by call %d", at, read)
			}
		})
	}
}

// TestFeaturesAreProbedOncePerBuild: what the same build told over the same
// address and token is not asked again.
func TestFeaturesAreProbedOncePerBuild(t *testing.T) {
	w := pair(t, "")
	token := milvussim.RootToken
	w.config.Credentials[1].Token = func() (string, error) { return token, nil }
	probes := func(f *Fleet) int {
		views, calls := w.sweep(f, Depth{Progress: true})
		same(t, views["b"].ForcePromotes, plan.SupportYes)
		return calls["DumpMessages"] - 16
	}
	f := w.fleet()
	same(t, probes(f), 1)
	same(t, probes(f), 0)
	must(t, w.SetProfile("b", "2.6.22"))
	same(t, probes(f), 1)
	same(t, probes(f), 0)
	same(t, probes(w.fleet()), 1)
	must(t, w.AddFault("b", milvussim.Fault{Method: "Connect", Kind: milvussim.FaultError, Code: codes.Internal}))
	same(t, probes(f), 1) // it does not tell its build
	same(t, probes(f), 1)
}

// TestTheLookBeforeARequestProbes: nothing that is remembered speaks for a
// request that cannot be taken back.
func TestTheLookBeforeARequestProbes(t *testing.T) {
	w := pair(t, "")
	f := w.fleet()
	w.sweep(f, Depth{Progress: true})
	before := w.calls("b", "DumpMessages")
	v := f.view(w.ctx(), w.topology, bind(w.topology, f.credentials)["b"], look{features: true})
	same(t, v.ForcePromotes, plan.SupportYes)
	same(t, w.calls("b", "DumpMessages"), before+1)
}

// TestASourceTellsItsFeatures also where there is nothing to dump.
func TestASourceTellsItsFeatures(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *world){
		"its standby is away": func(t *testing.T, w *world) { must(t, w.Stop("b")) },
		"its dumps fail": func(t *testing.T, w *world) {
			must(t, w.AddFault("a", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError, Code: codes.Internal}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			change(t, w)
			views, _ := w.sweep(w.fleet(), Depth{Progress: true})
			same(t, views["a"].ForcePromotes, plan.SupportYes)
		})
	}
	w := pair(t, "")
	must(t, w.AddFault("a", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError, Code: codes.Unimplemented}))
	views, _ := w.sweep(w.fleet(), Depth{Progress: true})
	same(t, views["a"].ForcePromotes, plan.SupportNo)
}

// TestWhatAPrimaryIsAskedFor: its channels are read only where the answer
// decides something.
func TestWhatAPrimaryIsAskedFor(t *testing.T) {
	const channels = 16
	for name, c := range map[string]struct {
		change func(*world)
		reads  int // of the channels of a
		known  int
	}{
		"at rest":                 {func(*world) {}, 1, 0},
		"a member is to be stale": {func(w *world) { w.cluster("c").Role = plan.RoleStale }, channels, channels},
		"a member joins": {func(w *world) {
			w.topology.Clusters = append(w.topology.Clusters, plan.Cluster{ID: "d", Role: plan.RoleStandby})
		}, channels, channels},
		"its channels grow": {func(w *world) {
			a := w.cluster("a")
			a.PChannels = milvussim.PChannels("a-rootcoord-dml_", channels+2)
		}, channels + 2, channels},
	} {
		t.Run(name, func(t *testing.T) {
			w := trio(t)
			w.config.ReadTimeout = time.Second
			c.change(w)
			views, _ := w.sweep(w.fleet(), Depth{Progress: true})
			same(t, w.calls("a", "GetReplicateInfo"), c.reads)
			known := 0
			for _, p := range views["a"].Progress {
				if p.Known {
					known++
				}
			}
			same(t, known, c.known)
			same(t, views["a"].IdentityProven, true)
		})
	}
}
