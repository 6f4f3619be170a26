package milvus

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// trio is a converged primary a with its standbys b and c.
func trio(t *testing.T) *world {
	t.Helper()
	return newWorld(t, milvussim.Options{}, milvussim.Converged(append(milvussim.Pair("a", "b"), milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby}))...)
}

// sweep observes once more through a fleet, and returns the views and the calls that
// it took, by method.
func (w *world) sweep(f *Fleet, depth plan.Depth) (views map[string]plan.View, calls map[string]int) {
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

// fleetWithLongWait waits as long as it takes for what nearly always comes soon, so
// that what it asks does not depend on the speed of the machine.
func (w *world) fleetWithLongWait() *Fleet {
	f := w.fleet()
	f.awaitSoon = time.Minute
	return f
}

// TestFewestCalls holds an observation to the calls that it needs (docs/performance.md,
// the floor of a sweep), of three clusters with 16 channels each.
func TestFewestCalls(t *testing.T) {
	rest := map[string]int{"Connect": 3, "GetReplicateConfiguration": 3, "AllocTimestamp": 1, "GetReplicateInfo": 1 + 2*16, "DumpMessages": 16}
	features := map[string]int{"DumpMessages": 2} // of the standbys; the dumps of the primary tell its own
	contents := map[string]int{"SelectUser": 3, "ListDatabases": 3, "ShowCollections": 3}
	first := with(rest, features)
	cases := []struct {
		name  string
		depth plan.Depth
		calls []map[string]int // of one sweep after the other
	}{
		{"plan at rest", plan.Depth{}, []map[string]int{
			{"Connect": 3, "GetReplicateConfiguration": 3, "GetReplicateInfo": 3},
			{"Connect": 3, "GetReplicateConfiguration": 3, "GetReplicateInfo": 3},
		}},
		{"sweep", plan.Depth{Progress: true}, []map[string]int{first, rest, rest}},
		{"sweep of run", plan.Depth{Progress: true, Contents: true}, []map[string]int{with(first, contents), with(rest, contents)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := trio(t)
			f := w.fleetWithLongWait()
			for i, want := range c.calls {
				views, calls := w.sweep(f, c.depth)
				same(t, calls, want)
				for id, v := range views {
					if v.Reach != plan.ReachUp || !v.IdentityProven || (v.ForcePromotes == plan.SupportYes) != c.depth.Progress {
						t.Errorf("observation %d, %s: %+v", i, id, v)
					}
					for _, p := range v.Progress {
						if p.CaughtUpAt == nil || p.Unsent != nil {
							t.Errorf("observation %d, %s: %+v", i, id, p)
						}
					}
				}
				same(t, len(views["a"].Progress), 0) // a primary has none
			}
		})
	}
}

func with(calls, more map[string]int) map[string]int {
	out := maps.Clone(calls)
	for method, n := range more {
		out[method] += n
	}
	return out
}

// TestStandbysThatDifferAreAskedForApart: standbys that stand at different places
// of the log are answered each for itself.
func TestStandbysThatDifferAreAskedForApart(t *testing.T) {
	w := trio(t)
	f := w.fleetWithLongWait()
	w.sweep(f, plan.Depth{Progress: true})
	must(t, w.SetLink("a", "c", false))
	_, refused, err := w.Write("a", 160)
	must(t, err)
	must(t, refused)
	for ctx := w.ctx(); w.State("b").Rows != w.State("a").Rows && ctx.Err() == nil; {
		runtime.Gosched()
	}
	views, calls := w.sweep(f, plan.Depth{Progress: true})
	same(t, calls["DumpMessages"], 2*16)
	for _, p := range views["b"].Progress {
		same(t, p.CaughtUpAt != nil && p.Unsent == nil, true)
	}
	for _, p := range views["c"].Progress {
		same(t, p.CaughtUpAt == nil && p.Unsent != nil, true)
	}
}

// TestTheTickComesFirst: what a standby says is held against a tick that its
// source gave before. One that comes late has the channels read again, and a
// source that gives none is not asked for its backlog.
func TestTheTickComesFirst(t *testing.T) {
	const channels = 16
	for name, c := range map[string]struct {
		fault   milvussim.Fault
		reads   int // of the channels of b
		known   bool
		ordered bool
	}{
		"at once": {reads: channels, known: true, ordered: true},
		"late":    {fault: milvussim.Fault{Kind: milvussim.FaultDelay, For: 1500 * time.Millisecond, Times: 1}, reads: 2 * channels, known: true},
		"never":   {fault: milvussim.Fault{Kind: milvussim.FaultHang}, reads: channels},
		"refused": {fault: milvussim.Fault{Kind: milvussim.FaultError, Code: codes.PermissionDenied}, reads: channels},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pair(t, "")
			w.config.ReadTimeout = 3 * time.Second
			if c.fault.Method = "AllocTimestamp"; c.fault.Kind != "" {
				must(t, w.AddFault("a", c.fault))
			}
			f := w.fleetWithLongWait()
			if c.fault.Kind == milvussim.FaultDelay {
				f.awaitSoon = 700 * time.Millisecond
			}
			views, _ := w.sweep(f, plan.Depth{Progress: true})
			same(t, w.calls("a", "AllocTimestamp"), 1)
			same(t, w.calls("b", "GetReplicateInfo"), c.reads)
			for _, p := range views["b"].Progress {
				same(t, p.CaughtUpAt != nil, c.known)
				same(t, p.Unsent == nil, true)
			}
			if !c.known { // nor is a second deadline spent on its features
				same(t, w.calls("a", "DumpMessages"), 0)
			}
			if !c.ordered {
				return
			}
			calls := w.Calls()
			at := slices.IndexFunc(calls, func(x milvussim.Call) bool { return x.Method == "AllocTimestamp" })
			read := slices.IndexFunc(calls, func(x milvussim.Call) bool { return x.Cluster == "b" && x.Method == "GetReplicateInfo" })
			if at < 0 || read < at {
				t.Errorf("the tick is call %d, the first channel is read by call %d", at, read)
			}
		})
	}
}

// TestAPrimaryIsSeenFirst: its standbys do not wait for its turn.
func TestAPrimaryIsSeenFirst(t *testing.T) {
	w := pair(t, "")
	slices.Reverse(w.topology.Clusters)
	w.config.Concurrency = 1
	f := w.fleet()
	f.awaitSoon = 20 * time.Millisecond
	views, _ := w.sweep(f, plan.Depth{Progress: true})
	same(t, w.calls("b", "GetReplicateInfo"), 16)
	same(t, views["b"].Progress[0].CaughtUpAt != nil, true)
}

// TestQuestions: what stands at the same place is asked for once, what has
// replicated beyond the tick not at all, and what has replicated nothing last.
func TestQuestions(t *testing.T) {
	const until = 100
	at := func(cluster, id string, tick uint64) *commonpb.ReplicateCheckpoint {
		return &commonpb.ReplicateCheckpoint{ClusterId: cluster, Pchannel: "a_0", MessageId: &commonpb.MessageID{Id: id}, TimeTick: tick}
	}
	channels := make([]plan.ChannelProgress, 8)
	for i := range channels {
		channels[i] = plan.ChannelProgress{Channel: "b_" + strconv.Itoa(i), Known: i != 6, MessageID: "00"}
	}
	channels[7].MessageID = ""
	standby := &clusterRead{access: access{cluster: plan.Cluster{ID: "b"}}, view: plan.View{Progress: channels}, checkpoints: []*commonpb.ReplicateCheckpoint{
		at("a", "x", 50), at("a", "x", 50), at("a", "y", 50), at("a", "x", 100), at("z", "x", 50), nil, at("a", "x", 50), at("a", "", 0),
	}}
	standby.checkpoints[2].MessageId.WALName = commonpb.WALName_Kafka
	stands := NewFleet(Config{}).standbysBehind(t.Context(), "a", []*clusterRead{standby})
	same(t, len(stands), 5)
	asked := logQuestions(stands, until)
	same(t, len(asked), 3)
	if last := asked[2].logPosition; last != (logPosition{channel: "a_0", wal: commonpb.WALName_Kafka, standby: "b"}) {
		t.Errorf("the last is asked from %+v", last)
	}
	same(t, len(asked[0].waiting), 2)
	same(t, *channels[3].CaughtUpAt, plan.TickTime(until))
	asked[0].answer(60, until)
	asked[1].answer(0, until)
	for i, p := range channels {
		same(t, p.Unsent != nil, i < 2)
		same(t, p.CaughtUpAt != nil, i == 2 || i == 3)
	}
}

// TestFeaturesAreProbedOncePerBuild: what the same build told over the same
// address and token is not asked again.
func TestFeaturesAreProbedOncePerBuild(t *testing.T) {
	w := pair(t, "")
	token := milvussim.RootToken
	w.config.Credentials[1].Token = func() (string, error) { return token, nil }
	probes := func(f *Fleet) int {
		views, calls := w.sweep(f, plan.Depth{Progress: true})
		same(t, views["b"].ForcePromotes, plan.SupportYes)
		return calls["DumpMessages"] - 16
	}
	f := w.fleetWithLongWait()
	same(t, probes(f), 1)
	same(t, probes(f), 0)
	must(t, w.SetProfile("b", "2.6.22"))
	same(t, probes(f), 1)
	same(t, probes(f), 0)
	same(t, probes(w.fleetWithLongWait()), 1)
	must(t, w.AddFault("b", milvussim.Fault{Method: "Connect", Kind: milvussim.FaultError, Code: codes.Internal}))
	same(t, probes(f), 1) // it does not tell its build
	same(t, probes(f), 1)

	of := ticket{cluster: "b", token: "root:old"}
	f.rememberBuild(of, "2.6.19", plan.SupportYes, false)
	same(t, f.knownBuild(of, "2.6.19"), true)
	of.token = "root:new"
	same(t, f.knownBuild(of, "2.6.19"), false)
	f.rememberBuild(of, "2.6.20", plan.SupportNo, false)
	same(t, f.knownBuild(of, "2.6.20"), false)
}

// TestTheReadBeforeARequestProbes: nothing that is remembered speaks for a
// request that cannot be taken back.
func TestTheReadBeforeARequestProbes(t *testing.T) {
	w := pair(t, "")
	f := w.fleet()
	w.sweep(f, plan.Depth{Progress: true})
	before := w.calls("b", "DumpMessages")
	v := f.view(w.ctx(), w.topology, bind(w.topology, f.credentials)["b"], probeOptions{features: true})
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
			views, _ := w.sweep(w.fleet(), plan.Depth{Progress: true})
			same(t, views["a"].ForcePromotes, plan.SupportYes)
		})
	}
	w := pair(t, "")
	must(t, w.AddFault("a", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError, Code: codes.Unimplemented}))
	views, _ := w.sweep(w.fleet(), plan.Depth{Progress: true})
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
			views, _ := w.sweep(w.fleetWithLongWait(), plan.Depth{Progress: true})
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
