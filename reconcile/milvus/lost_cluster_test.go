package milvus

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// blackHole is an address that drops whatever is sent to it, as a host that lost
// its power does: Linux drops the SYN of a listener whose queue is full.
func blackHole(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux drops what a full listener gets")
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(t, err)
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	must(t, err)
	at := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port} //nolint:forcetypeassert // of AF_INET
	for range 16 {
		conn, err := net.DialTimeout("tcp", at.String(), 200*time.Millisecond)
		if err != nil {
			return at.String()
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the listener takes every connection")
	return ""
}

// lose makes b not answer in some way.
var lose = map[string]struct {
	change func(*testing.T, *world)
	reach  plan.Reach
	class  plan.ErrorClass
	calls  map[string]int // that b still hears
}{
	"refused":    {func(t *testing.T, w *world) { must(t, w.Stop("b")) }, plan.ReachUnreachable, plan.ClassRefused, nil},
	"black hole": {func(t *testing.T, w *world) { w.move("b", blackHole(t)) }, plan.ReachUnreachable, plan.ClassTimeout, nil},
	"accepts and is silent": {
		func(t *testing.T, w *world) { w.move("b", listen(t, func(net.Conn) {})) }, plan.ReachUnreachable, plan.ClassTimeout, nil,
	},
	"hangs": {
		func(t *testing.T, w *world) {
			must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
		}, plan.ReachDegraded, plan.ClassTimeout, map[string]int{"Connect": 1, "GetReplicateConfiguration": 1, "ListDatabases": 1},
	},
	"slow": {
		func(t *testing.T, w *world) {
			must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultDelay, For: time.Minute}))
		}, plan.ReachDegraded, plan.ClassTimeout, map[string]int{"Connect": 1, "GetReplicateConfiguration": 1, "ListDatabases": 1},
	},
}

// move has a cluster be looked for at another address.
func (w *world) move(id, address string) {
	c := w.cluster(id)
	c.ClientAddress, c.URI = address, "http://"+address
	i := slices.IndexFunc(w.config.Credentials, func(c Credential) bool { return c.ClusterID == id })
	w.config.Credentials[i].Address = address
}

// TestALostClusterCostsOneDeadline: everything that a lost cluster is asked for
// is under way together, so that it all ends with one deadline; and it is called
// what it was called when one was asked after the other.
func TestALostClusterCostsOneDeadline(t *testing.T) {
	t.Parallel()
	for name, c := range lose {
		for what, depth := range map[string]plan.Depth{"plan": {}, "run": {Progress: true, Contents: true}} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				unhurried(t, func(w *world) error {
					c.change(t, w)
					views, calls := w.sweep(w.fleet(), depth)
					var errs []error
					if b := views["b"]; b.Reach != c.reach || b.Class != c.class || b.IdentityProven || len(b.Progress) != 0 {
						errs = append(errs, fmt.Errorf("%+v", b))
					}
					if a := views["a"]; a.Reach != plan.ReachUp || !a.IdentityProven || (a.ForcePromotes == plan.SupportYes) != depth.Progress || a.Contents.Known != depth.Contents {
						errs = append(errs, fmt.Errorf("%+v", a))
					}
					received := map[string]int{}
					for _, x := range w.Calls() {
						if x.Cluster == "b" {
							received[x.Method]++
						}
					}
					if asked := w.callsOver("b"); asked >= w.config.ReadTimeout {
						errs = append(errs, fmt.Errorf("it was asked again %s after the first question: %v", asked, calls))
					}
					return errors.Join(append(errs, differ(received, c.calls))...)
				})
			})
		}
	}
}

// callsOver is the time from the first call that was made to the last that a cluster got.
func (w *world) callsOver(cluster string) time.Duration {
	calls := w.Calls()
	var last time.Time
	for _, x := range calls {
		if x.Cluster == cluster {
			last = x.At
		}
	}
	if last.IsZero() {
		return 0
	}
	return last.Sub(calls[0].At)
}

// TestAKeptConnectionCostsNoSecondDeadline: a cluster is lost behind a connection
// that an earlier read kept. Why is told by a new one, which is made next to it.
func TestAKeptConnectionCostsNoSecondDeadline(t *testing.T) {
	t.Parallel()
	unhurried(t, func(w *world) error {
		w.config.KeepFor = time.Hour
		f := w.fleet()
		w.sweep(f, plan.Depth{})
		must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
		before := len(w.Calls())
		views, calls := w.sweep(f, plan.Depth{})
		var errs []error
		if b := views["b"]; b.Reach != plan.ReachDegraded || b.Class != plan.ClassTimeout {
			errs = append(errs, fmt.Errorf("%+v", b))
		}
		received := w.Calls()[before:]
		if asked := received[len(received)-1].At.Sub(received[0].At); asked >= w.config.ReadTimeout {
			errs = append(errs, fmt.Errorf("it was asked again after %s", asked))
		}
		errs = append(errs, differ(calls["ListDatabases"], 2), differ(len(f.open), 1)) // over each of the two; a's
		return errors.Join(errs...)
	})
}

// TestWhichConnectionAnswersIsEnough: nothing waits for a kept connection or for
// the new one next to it when the other has answered.
func TestWhichConnectionAnswersIsEnough(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		soon   time.Duration
		faults []milvussim.Fault
		kept   bool
	}{
		"the kept one": {soon: 100 * time.Millisecond, kept: true, faults: []milvussim.Fault{
			{Method: "GetReplicateConfiguration", Kind: milvussim.FaultDelay, For: 500 * time.Millisecond, Times: 1},
			{Method: "GetReplicateConfiguration", Kind: milvussim.FaultHang, Times: 1},
		}},
		"the new one": {soon: 100 * time.Millisecond, faults: []milvussim.Fault{
			{Method: "GetReplicateConfiguration", Kind: milvussim.FaultHang, Times: 1},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			w.config.KeepFor, w.config.ReadTimeout = time.Hour, time.Hour
			f := w.fleet()
			w.sweep(f, plan.Depth{})
			f.awaitSoon = c.soon
			before := f.kept["b"].link
			for _, x := range c.faults {
				must(t, w.AddFault("b", x))
			}
			views, _ := w.sweep(f, plan.Depth{})
			same(t, views["b"].Class, plan.ClassNone)
			same(t, f.kept["b"].link == before, c.kept)
			same(t, len(f.open), 2)
		})
	}
}

// TestASlowConfigurationIsNoLostCluster: the coordinator that is asked at the same time
// changes nothing, and is not waited for, once the configuration came.
func TestASlowConfigurationIsNoLostCluster(t *testing.T) {
	t.Parallel()
	w := pair(t, "")
	w.config.ReadTimeout = time.Hour
	must(t, w.AddFault("b", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultDelay, For: 500 * time.Millisecond}))
	must(t, w.AddFault("b", milvussim.Fault{Method: "ListDatabases", Kind: milvussim.FaultHang}))
	views, _ := w.sweep(w.fleet(), plan.Depth{})
	if b := views["b"]; b.Reach != plan.ReachUp || b.Class != plan.ClassNone || b.Belief.Kind != plan.BeliefStandby {
		t.Errorf("%+v", b)
	}
	same(t, w.calls("b", "ListDatabases"), 1)
}

// TestTheCoordinatorDecides where a configuration is refused at once.
func TestTheCoordinatorDecides(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		reach  plan.Reach
	}{
		"it answers": {"GetReplicateConfiguration", plan.ReachUp}, "it does not": {milvussim.AnyMethod, plan.ReachDegraded},
	} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			must(t, w.AddFault("b", milvussim.Fault{Method: c.method, Kind: milvussim.FaultError, Code: codes.Unavailable}))
			views, calls := w.sweep(w.fleet(), plan.Depth{})
			same(t, views["b"].Reach, c.reach)
			same(t, views["b"].Class, plan.ClassUnavailable)
			same(t, calls["ListDatabases"], 1)
		})
	}
}

// TestAClusterThatDiesDuringAReadIsGone: both questions that were under way end
// with their connection, and only a new one tells that nobody is there.
func TestAClusterThatDiesDuringAReadIsGone(t *testing.T) {
	w := pair(t, "")
	w.config.ReadTimeout = time.Minute
	must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
	f, ctx, seen := w.fleet(), w.ctx(), make(chan plan.View, 1)
	go func() { seen <- f.view(ctx, w.topology, bind(w.topology, f.credentials)["b"], probeOptions{}) }()
	w.await(func() bool { return w.calls("b", "ListDatabases") == 1 })
	must(t, w.Stop("b"))
	b := <-seen
	same(t, b.Reach, plan.ReachUnreachable)
	same(t, b.Class, plan.ClassRefused)
}

// TestAHangingStandbyHoldsUpNoChannel: channels that are not answered for cost
// one deadline together, and the others are read.
func TestAHangingStandbyHoldsUpNoChannel(t *testing.T) {
	t.Parallel()
	unhurried(t, func(w *world) error {
		w.config.Concurrency = 2
		must(t, w.AddFault("b", milvussim.Fault{Method: "GetReplicateInfo", Kind: milvussim.FaultHang, Times: 10}))
		views, _ := w.sweep(w.fleet(), plan.Depth{Progress: true})
		known := 0
		for _, p := range views["b"].Progress {
			if p.Known {
				known++
			}
		}
		if known < 6 || known > 7 { // one may hang that was asked for on behalf of a
			return fmt.Errorf("%d channels are known", known)
		}
		var read []time.Time
		for _, x := range w.Calls() {
			if x.Cluster == "b" && x.Method == "GetReplicateInfo" {
				read = append(read, x.At)
			}
		}
		if took := read[len(read)-1].Sub(read[0]); took >= w.config.ReadTimeout {
			return fmt.Errorf("the last channel was asked for %s after the first", took)
		}
		return nil
	})
}

// TestLostClustersHoldUpNoTopology: the healthy ones are read while the lost ones
// are waited for, however many there are.
func TestLostClustersHoldUpNoTopology(t *testing.T) {
	t.Parallel()
	const topologies, lost = 30, 9
	names := make([]string, topologies)
	for i := range names {
		names[i] = "t" + string(rune('a'+i/10)) + string(rune('0'+i%10))
	}
	fresh := func() *world {
		var specs []milvussim.ClusterSpec
		for _, name := range names {
			specs = append(specs, milvussim.Converged(milvussim.Pair(name+"-a", name+"-b"))...)
		}
		return newWorld(t, milvussim.Options{}, specs...)
	}
	hole := blackHole(t)
	unhurriedOn(t, fresh, func(w *world) error {
		w.config.Concurrency = 2
		all := w.topology.Clusters
		var each []plan.Topology
		for i, name := range names {
			each = append(each, plan.Topology{Name: name, Clusters: all[2*i : 2*i+2]})
			if i >= lost {
				continue
			}
			switch primary := name + "-a"; i % 3 {
			case 0:
				w.move(primary, hole)
			case 1:
				must(t, w.AddFault(primary, milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
			case 2:
				must(t, w.Stop(primary))
			}
		}
		up := 0
		for _, v := range w.fleet().Reader().Observe(w.ctx(), each, plan.Depth{Progress: true}) {
			if v.Reach == plan.ReachUp && v.IdentityProven {
				up++
			}
		}
		if up != 2*topologies-lost {
			return fmt.Errorf("%d clusters are up, want %d", up, 2*topologies-lost)
		}
		calls := w.Calls()
		if took := calls[len(calls)-1].At.Sub(calls[0].At); took >= w.config.ReadTimeout {
			return fmt.Errorf("the last call came %s after the first", took)
		}
		return nil
	})
}
