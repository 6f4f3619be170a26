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

// routine is what a daemon reads of a topology that was in sync.
var routine = plan.Depth{Progress: true, Contents: true, AtRest: true}

// resting is a trio that a fleet has observed until it found it at rest. It keeps so many
// connections; what has none is asked over a brief one.
func resting(t *testing.T, kept int) (*world, *Fleet) {
	t.Helper()
	w := trio(t)
	w.config.KeepFor = time.Hour
	f := w.fleetWithLongWait()
	f.mostKept = kept
	for range 3 {
		w.sweep(f, routine)
	}
	return w, f
}

// TestATopologyAtRestIsReadWithoutCollections holds the routine observation to the calls of
// docs/performance.md: all but those for collections, which the log proves to be unchanged.
func TestATopologyAtRestIsReadWithoutCollections(t *testing.T) {
	w, f := resting(t, 1)
	part := map[string]int{"Connect": 3, "GetReplicateConfiguration": 3, "AllocTimestamp": 1, "GetReplicateInfo": 33, "DumpMessages": 16}
	for range 3 {
		views, calls := w.sweep(f, routine)
		same(t, calls, part)
		for id, v := range views {
			same(t, v.Reach == plan.ReachUp && v.IdentityProven && v.Version != "" && v.ForcePromotes == plan.SupportYes && v.Contents.Known, true)
			for _, p := range v.Progress {
				if !p.Known || p.CaughtUpAt == nil || p.SourceCluster != "a" {
					t.Fatalf("%s: %+v", id, p)
				}
			}
		}
	}
	whole := maps.Clone(part)
	whole["SelectUser"], whole["ListDatabases"], whole["ShowCollections"] = 3, 3, 3
	_, calls := w.sweep(f, plan.Depth{Progress: true, Contents: true}) // as before anything is sent
	same(t, calls, whole)
}

// TestAtRestFindsWhatAWholeReadFinds: whatever happens to a topology at rest, the next
// routine observation finds what one that reads everything finds.
func TestAtRestFindsWhatAWholeReadFinds(t *testing.T) {
	fault := func(cluster string, f milvussim.Fault) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { must(t, w.AddFault(cluster, f)) }
	}
	for name, change := range map[string]func(*testing.T, *world){
		"nothing":         func(*testing.T, *world) {},
		"rows for both":   func(t *testing.T, w *world) { w.writeAndWait(t, "b", "c") },
		"rows, and a cut": func(t *testing.T, w *world) { must(t, w.SetLink("a", "c", false)); w.writeAndWait(t, "b") },
		"rows, and two cuts": func(t *testing.T, w *world) {
			must(t, w.SetLink("a", "b", false))
			must(t, w.SetLink("a", "c", false))
			w.writeAndWait(t)
		},
		"a collection": func(t *testing.T, w *world) {
			w.create("a", "new", 1)
			w.await(func() bool { return len(w.observe(plan.Depth{Contents: true})["c"].Contents.Collections) == 1 })
		},
		"a resource group":  func(_ *testing.T, w *world) { w.alterGroups("a", "rg_local") },
		"a loose channel":   func(t *testing.T, w *world) { must(t, w.DetachChannel("b", "b-rootcoord-dml_2", true)) },
		"another version":   func(t *testing.T, w *world) { must(t, w.SetProfile("c", "2.6.22")) },
		"the primary's new": func(t *testing.T, w *world) { must(t, w.SetProfile("a", "2.6.22")) },
		"a half promotion":  func(t *testing.T, w *world) { must(t, w.HalfPromote("b", true, 0)) },
		"a switchover": func(_ *testing.T, w *world) {
			for _, id := range []string{"a", "b", "c"} {
				w.tell(id, "b")
			}
		},
		"the primary refuses":       func(t *testing.T, w *world) { must(t, w.Stop("a")) },
		"a standby refuses":         func(t *testing.T, w *world) { must(t, w.Stop("c")) },
		"no version":                fault("b", milvussim.Fault{Method: "Connect", Kind: milvussim.FaultError, Code: codes.Internal}),
		"no tick":                   fault("a", milvussim.Fault{Method: "AllocTimestamp", Kind: milvussim.FaultError, Code: codes.PermissionDenied}),
		"no dumps":                  fault("a", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError, Code: codes.Internal}),
		"no progress":               fault("b", milvussim.Fault{Method: "GetReplicateInfo", Kind: milvussim.FaultError, Code: codes.Internal}),
		"no configuration":          fault("b", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultError, Code: codes.Internal}),
		"the primary does not know": fault("a", milvussim.Fault{Method: "GetReplicateInfo", Kind: milvussim.FaultError, Code: codes.Internal}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kept := range []int{0, 3} {
				w, f := resting(t, kept)
				change(t, w)
				got, _ := w.sweep(f, routine)
				want := w.observe(plan.Depth{Progress: true, Contents: true})
				for id := range want {
					same(t, timeless(got[id]), timeless(want[id]))
				}
			}
		})
	}
}

// timeless is a view without the moments of its reads: of some only whether they are set.
func timeless(v plan.View) plan.View {
	some := time.Unix(1, 0)
	v.At, v.ForcePromotes = time.Time{}, "" // what a build can do is known from before
	if !v.SourceAt.IsZero() {
		v.SourceAt = some
	}
	v.Progress = append([]plan.ChannelProgress{}, v.Progress...)
	for i := range v.Progress {
		if v.Progress[i].CaughtUpAt != nil {
			v.Progress[i].CaughtUpAt = &some
		}
	}
	return v
}

// writeAndWait writes to every channel of a, and waits until standbys have it.
func (w *world) writeAndWait(t *testing.T, standbys ...string) {
	t.Helper()
	_, refused, err := w.Write("a", 160)
	must(t, err)
	must(t, refused)
	for _, id := range standbys {
		for ctx := w.ctx(); w.State(id).Rows != w.State("a").Rows && ctx.Err() == nil; {
			runtime.Gosched()
		}
	}
}

// TestALooseChannelIsFoundInTheNextSweep: so is one that lost its checkpoint alone, without
// a message in the log, and every sweep after that finds it too.
func TestALooseChannelIsFoundInTheNextSweep(t *testing.T) {
	w, f := resting(t, 0)
	must(t, w.DetachChannel("b", "b-rootcoord-dml_2", true))
	for range 3 {
		views, _ := w.sweep(f, routine)
		same(t, len(views["b"].Unattached()), 1)
	}
}

// TestWhatIsKnownIsOfOneToken: what was seen with another token, or of another document,
// is not used.
func TestWhatIsKnownIsOfOneToken(t *testing.T) {
	for name, change := range map[string]func(w *world, f *Fleet){
		"token": func(_ *world, f *Fleet) { f.resting["orders"].byCluster["b"].pass.token = "root:old" },
		"document": func(w *world, _ *Fleet) {
			w.topology.Clusters = slices.Clone(w.topology.Clusters)
			w.cluster("c").Promotable = !w.cluster("c").Promotable
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := resting(t, 0)
			before := w.calls("b", "ShowCollections")
			change(w, f)
			w.sweep(f, routine)
			same(t, w.calls("b", "ShowCollections")-before, 1)
		})
	}
}
