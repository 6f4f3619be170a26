package milvus

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// TestLooksKeepTheirConnections: one for each cluster, until it is too old, the
// token is another one, or the cluster no longer answers over it.
func TestLooksKeepTheirConnections(t *testing.T) {
	w := pair(t, "")
	token := "root:Milvus"
	w.config.KeepFor = time.Minute
	for i := range w.config.Credentials {
		w.config.Credentials[i].Token = func() (string, error) { return token, nil }
	}
	f := w.fleet()
	observe := func() map[string]plan.View {
		out := map[string]plan.View{}
		for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{}) {
			out[v.Cluster] = v
		}
		return out
	}
	kept := func() map[string]*grpc.ClientConn {
		t.Helper()
		observe()
		out := map[string]*grpc.ClientConn{}
		for id, k := range f.kept {
			out[id] = k.link.conn
		}
		if len(f.open) != len(out) {
			t.Errorf("%d connections are open, %d are kept", len(f.open), len(out))
		}
		return out
	}
	first := kept()
	same(t, len(first), 2)
	second := kept()
	same(t, second["a"] == first["a"] && second["b"] == first["b"], true)

	<-w.clock.After(2 * time.Minute)
	third := kept()
	same(t, third["a"] != first["a"] && third["b"] != first["b"], true)

	must(t, w.Stop("a"))
	gone := observe()["a"]
	same(t, gone.Reach, plan.ReachUnreachable)
	same(t, gone.Class, plan.ClassRefused)
	fourth := kept()
	same(t, len(fourth), 1)
	same(t, fourth["b"] == third["b"], true)

	must(t, w.Revive("a"))
	same(t, len(kept()), 2)
	token = "root:rotated"
	same(t, observe()["b"].Credential, plan.CredentialRefused)
	same(t, len(f.kept), 0)

	token = "root:Milvus"
	same(t, len(kept()), 2)
	f.Close()
	same(t, observe()["b"].Reach, plan.ReachUnknown)
}

// TestNothingIsKeptUnasked: a command that observes once keeps nothing, and
// probes never do.
func TestNothingIsKeptUnasked(t *testing.T) {
	w := pair(t, "")
	f := w.fleet()
	f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{Progress: true})
	same(t, len(f.open)+len(f.kept), 0)
	w.config.KeepFor = time.Minute
	f = w.fleet()
	f.Reader().Round(w.ctx(), w.topology, plan.Want{Primary: "a", Candidate: "b"})
	same(t, len(f.open)+len(f.kept), 0)
}

// TestKeptIsBounded: beyond the bound connections end with the observation, and those of
// clusters that nobody observes any more make room once they are too old.
func TestKeptIsBounded(t *testing.T) {
	w := newWorld(t, milvussim.Options{}, milvussim.Converged(append(milvussim.Pair("a", "b"), milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby}))...)
	w.config.KeepFor = time.Minute
	f := w.fleet()
	f.mostKept = 2
	observe := func(topology plan.Topology) {
		t.Helper()
		for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{topology}, plan.Depth{}) {
			same(t, v.Reach, plan.ReachUp)
		}
		same(t, len(f.open), len(f.kept))
	}
	observe(w.topology)
	same(t, len(f.kept), 2)
	<-w.clock.After(2 * time.Minute)
	smaller := w.topology
	smaller.Clusters = smaller.Clusters[:1]
	observe(smaller)
	same(t, len(f.kept), 1)
}

// TestOneReadOneConnection: whatever an observation reads, it connects to each cluster
// once.
func TestOneReadOneConnection(t *testing.T) {
	w := pair(t, "")
	_, _, err := w.Write("a", 3)
	must(t, err)
	var connected atomic.Int32
	for i := range w.topology.Clusters {
		c := &w.topology.Clusters[i]
		behind := c.ClientAddress
		c.ClientAddress = listen(t, func(front net.Conn) {
			connected.Add(1)
			back, err := net.Dial("tcp", behind)
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(back, front); _ = back.Close() }()
			_, _ = io.Copy(front, back)
			_ = front.Close()
		})
		c.URI = "http://" + c.ClientAddress
		w.config.Credentials[i].Address = c.ClientAddress
	}
	for _, v := range w.fleet().Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{Progress: true, Contents: true}) {
		if v.Reach != plan.ReachUp || len(v.Progress) == 0 && v.Cluster == "b" || !v.Contents.Known {
			t.Errorf("%+v", v)
		}
	}
	same(t, int(connected.Load()), len(w.topology.Clusters))
}

// TestAFreshObservationFollowsTheName: over a kept connection an observation reaches the cluster
// that bore the name before, a fresh one that which bears it now.
func TestAFreshObservationFollowsTheName(t *testing.T) {
	w := pair(t, "")
	w.config.KeepFor = time.Hour
	var target atomic.Value
	target.Store(w.Address("b"))
	w.move("b", listen(t, func(front net.Conn) {
		back, err := net.Dial("tcp", target.Load().(string)) //nolint:forcetypeassert // stored above
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(back, front); _ = back.Close() }()
		_, _ = io.Copy(front, back)
		_ = front.Close()
	}))
	f := w.fleet()
	sees := func(depth plan.Depth) plan.View {
		views, _ := w.sweep(f, depth)
		return views["b"]
	}
	same(t, sees(plan.Depth{}).IdentityProven, true)
	target.Store(w.Address("a"))
	same(t, sees(plan.Depth{Contents: true}).IdentityProven, true)
	if v := sees(plan.Depth{Contents: true, Fresh: true}); v.Reach != plan.ReachUp || v.IdentityProven {
		t.Errorf("%+v", v)
	}
}

// TestLimitedDoesAll, and never more at once than it may.
func TestLimitedDoesAll(t *testing.T) {
	for _, c := range []struct{ n, atOnce, most int }{{0, 4, 0}, {3, 8, 3}, {100, 4, 4}, {5, 0, 1}} {
		var now, most, sum atomic.Int32
		parallel.Each(c.n, c.atOnce, func(i int) {
			at := now.Add(1)
			for seen := most.Load(); at > seen && !most.CompareAndSwap(seen, at); seen = most.Load() {
			}
			sum.Add(int32(i))
			now.Add(-1)
		})
		if int(most.Load()) > c.most || int(sum.Load()) != c.n*(c.n-1)/2 {
			t.Errorf("%+v: %d at once, sum %d", c, most.Load(), sum.Load())
		}
	}
}
