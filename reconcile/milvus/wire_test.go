package milvus

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// wire is a TCP proxy between the fleet and one cluster.
type wire struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
	down  bool
}

// through puts a proxy between the fleet and a cluster; the other clusters reach
// it as before.
func (w *world) through(id string) *wire {
	w.t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, id, "127.0.0.1:0", w.Address(id))
	must(w.t, p.Start())
	x := &wire{t: w.t, proxy: p}
	w.t.Cleanup(x.cut)
	w.cluster(id).ClientAddress = p.Listen
	for i := range w.config.Credentials {
		if w.config.Credentials[i].ClusterID == id {
			w.config.Credentials[i].Address, w.config.Credentials[i].URI = p.Listen, w.cluster(id).URI
		}
	}
	return x
}

// cut refuses connections and resets the open ones.
func (x *wire) cut() {
	if !x.down {
		x.down = true
		x.proxy.Stop()
	}
}

// suffer has a fault begin on the open and on all later connections.
func (x *wire) suffer(f fault) {
	x.t.Helper()
	if f.refuse {
		x.cut()
		return
	}
	for _, toxic := range f.toxics {
		_, err := x.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
		must(x.t, err)
	}
}

// heal ends every fault, and the connections that suffered from it.
func (x *wire) heal() {
	x.t.Helper()
	x.cut()
	x.proxy.Toxics.ResetToxics(x.t.Context())
	must(x.t, x.proxy.Start())
	x.down = false
}

// fault is something that a network does.
type fault struct {
	name   string
	toxics []string
	refuse bool
	// slow: everything arrives all the same, so that every step must succeed.
	slow bool
}

func toxic(kind, stream, attributes string) string {
	return fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)
}

func bothWays(kind, attributes string) []string {
	return []string{toxic(kind, "upstream", attributes), toxic(kind, "downstream", attributes)}
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
	{name: "black hole", toxics: bothWays("timeout", `"timeout":0`)},
	{name: "half-open: nothing gets there", toxics: []string{toxic("timeout", "upstream", `"timeout":0`)}},
	{name: "half-open: nothing comes back", toxics: []string{toxic("timeout", "downstream", `"timeout":0`)}},
	{name: "closed in the middle of an answer", toxics: []string{toxic("limit_data", "downstream", `"bytes":150`)}},
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
	return usage{len(ours), len(fds)}, strings.Join(ours, "\n\n")
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
