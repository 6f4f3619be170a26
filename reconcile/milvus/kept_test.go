package milvus

import (
	"testing"
	"time"

	"google.golang.org/grpc"

	"milvus-reconcile/plan"
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
		for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, Depth{}) {
			out[v.Cluster] = v
		}
		return out
	}
	look := func() map[string]*grpc.ClientConn {
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
	first := look()
	same(t, len(first), 2)
	second := look()
	same(t, second["a"] == first["a"] && second["b"] == first["b"], true)

	<-w.clock.After(2 * time.Minute)
	third := look()
	same(t, third["a"] != first["a"] && third["b"] != first["b"], true)

	must(t, w.Stop("a"))
	gone := observe()["a"]
	same(t, gone.Reach, plan.ReachUnreachable)
	same(t, gone.Class, plan.ClassRefused)
	fourth := look()
	same(t, len(fourth), 1)
	same(t, fourth["b"] == third["b"], true)

	must(t, w.Revive("a"))
	same(t, len(look()), 2)
	token = "root:rotated"
	same(t, observe()["b"].Credential, plan.CredentialRefused)
	same(t, len(f.kept), 0)

	token = "root:Milvus"
	same(t, len(look()), 2)
	f.Close()
	same(t, observe()["b"].Reach, plan.ReachUnknown)
}

// TestNothingIsKeptUnasked: a command that looks once keeps nothing, and
// probes never do.
func TestNothingIsKeptUnasked(t *testing.T) {
	w := pair(t, "")
	f := w.fleet()
	f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, Depth{Progress: true})
	same(t, len(f.open)+len(f.kept), 0)
	w.config.KeepFor = time.Minute
	f = w.fleet()
	f.Reader().Round(w.ctx(), w.topology, plan.Want{Primary: "a", Candidate: "b"})
	same(t, len(f.open)+len(f.kept), 0)
}
