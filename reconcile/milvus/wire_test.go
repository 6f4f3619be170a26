package milvus

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"milvus-reconcile/reconcile/milvus/milvussim/badwire"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// wire is a TCP proxy between the fleet and one cluster. Its toxics are never
// changed while connections are open, which the proxy may wait for in vain: it is
// started again at its address, or a gate within it closes.
type wire struct {
	t        *testing.T
	upstream string
	proxy    *toxiproxy.Proxy
	gate     *badwire.Gate
}

// through puts a proxy between the fleet and a cluster; the other clusters reach
// it as before.
func (w *world) through(id string) *wire {
	w.t.Helper()
	x := &wire{t: w.t, upstream: w.Address(id), gate: &badwire.Gate{}}
	x.start(freeport.Address(w.t), nil)
	w.t.Cleanup(func() { x.proxy.Stop() })
	w.cluster(id).ClientAddress = x.proxy.Listen
	for i := range w.config.Credentials {
		if w.config.Credentials[i].ClusterID == id {
			w.config.Credentials[i].Address, w.config.Credentials[i].URI = x.proxy.Listen, w.cluster(id).URI
		}
	}
	return x
}

func (x *wire) start(address string, toxics []string) {
	x.t.Helper()
	proxy, err := badwire.Start(address, x.upstream, toxics)
	must(x.t, err)
	x.proxy = proxy
}

// suffer has a fault begin: the open connections are reset, later ones suffer.
func (x *wire) suffer(f fault) {
	x.t.Helper()
	x.proxy.Stop()
	if !f.refuse {
		x.start(x.proxy.Listen, f.toxics)
	}
}

// heal ends every fault, and the connections that suffered from it.
func (x *wire) heal() {
	x.t.Helper()
	x.proxy.Stop()
	x.start(x.proxy.Listen, nil)
}

// watch prepares the proxy for a fault that begins on open connections: what is
// dropped then goes through gates, what is slow is slow from the beginning.
func (x *wire) watch(f fault) {
	x.t.Helper()
	toxics := f.toxics
	if !f.slow {
		toxics = nil
	}
	for _, direction := range f.drops {
		toxics = append(toxics, x.gate.Toxic(direction))
	}
	x.proxy.Stop()
	x.start(x.proxy.Listen, toxics)
}

// strike has a fault begin that was watched for.
func (x *wire) strike(f fault) {
	switch {
	case f.slow:
	case f.drops != nil:
		x.gate.Close()
	default:
		x.suffer(f)
	}
}

// fault is something that a network does.
type fault struct {
	name   string
	toxics []string
	refuse bool
	// slow: everything arrives all the same, so that every step must succeed.
	slow bool
	// drops are the directions in which nothing arrives any more.
	drops []string
}

func bothWays(kind, attributes string) []string {
	return []string{badwire.Toxic(kind, "upstream", attributes), badwire.Toxic(kind, "downstream", attributes)}
}

// faults are those of the wire. A half-open connection is one on which nothing
// arrives any more, in one direction or in both, and that nobody closes.
var faults = []fault{
	{name: "latency", toxics: bothWays("latency", `"latency":10,"jitter":3`), slow: true},
	{name: "bandwidth", toxics: bothWays("bandwidth", `"rate":200`), slow: true},
	{name: "small packets", toxics: bothWays("slicer", `"average_size":200,"size_variation":20,"delay":50`), slow: true},
	{name: "refused", refuse: true},
	{name: "reset at once", toxics: bothWays("reset_peer", `"timeout":0`)},
	{name: "reset after a while", toxics: bothWays("reset_peer", `"timeout":60`)},
	{name: "black hole", toxics: bothWays("timeout", `"timeout":0`), drops: []string{"upstream", "downstream"}},
	{name: "half-open: nothing gets there", toxics: []string{badwire.Toxic("timeout", "upstream", `"timeout":0`)}, drops: []string{"upstream"}},
	{name: "half-open: nothing comes back", toxics: []string{badwire.Toxic("timeout", "downstream", `"timeout":0`)}, drops: []string{"downstream"}},
	{name: "closed in the middle of an answer", toxics: []string{badwire.Toxic("limit_data", "downstream", `"bytes":150`)}},
}

// TestMain keeps the proxy from telling what it does: parts of it use the global
// logger.
func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	os.Exit(m.Run())
}

// usage is what a process holds on to.
type usage struct{ goroutines, files int }

func used(t *testing.T) (u usage, stacks string) {
	t.Helper()
	buf := make([]byte, 4<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	// The proxy leaves goroutines of a connection behind that it reset.
	ours := slices.DeleteFunc(all, func(g string) bool { return strings.Contains(g, "Shopify/toxiproxy") })
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("this system does not tell the open files: %v", err)
	}
	return usage{len(ours), len(fds) - freeport.Held()}, strings.Join(ours, "\n\n")
}

// nothingLeaks demands that no more is held on to than before, once what was
// closed has ended. The libraries keep a goroutine or two of their own.
func nothingLeaks(t *testing.T, before usage) {
	t.Helper()
	const spare = 2
	now, stacks := used(t)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); now, stacks = used(t) {
		if now.goroutines <= before.goroutines+spare && now.files <= before.files {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("before %+v, after %+v\n%s", before, now, stacks)
}

// noConnections demands that no fleet has kept one.
func (w *world) noConnections(t *testing.T) {
	t.Helper()
	for _, f := range w.fleets {
		f.mu.Lock()
		if n := len(f.open); n > 0 {
			t.Errorf("%d connections are open after the step", n)
		}
		f.mu.Unlock()
	}
}
