package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

const (
	// wireTimeout is what a run is given whose candidate stops to answer, at least: it
	// takes all of it. wireFailovers is how many failovers over a good wire must find
	// room in it, on a busy machine too.
	wireTimeout   = 8 * time.Second
	wireFailovers = 4
	// wirePatience is what a run is given that ends by itself, and wireGrace how much
	// later a run may end, since it reads once more.
	wirePatience = 3 * time.Minute
	wireGrace    = time.Minute
	// slowCall makes a call last, so that a fault meets it.
	slowCall = `{"method":%q,"kind":"delay","for":"700ms","times":1}`
)

// wires are the faults between a reconciler and a cluster, when they begin,
// and how the run ends that meets them.
var wires = []struct {
	cluster string        // a is the old primary, b the candidate
	when    testkit.Stage // nil: from the beginning
	name    string
	fault   testkit.WireFault
	code    int
	says    string
}{
	{"b", nil, "from the beginning", testkit.Reset, 4, "CANDIDATE_UNREACHABLE"},
	{"b", nil, "from the beginning", testkit.BlackHole, 4, "CANDIDATE_UNREACHABLE"},
	{"b", testkit.Promoting(false), "while the promotion is under way", testkit.Latency, 0, ""},
	{"b", testkit.Promoting(false), "while the promotion is under way", testkit.Reset, 5, ""},
	{"b", testkit.Promoting(false), "while the promotion is under way", testkit.BlackHole, 5, ""},
	{"b", testkit.Promoting(false), "while the promotion is under way", testkit.Deaf, 5, ""},
	{"b", testkit.Promoting(false), "while the promotion is under way", testkit.Mute, 5, ""},
	{"b", testkit.Called("CreateCollection", 1), "while it is verified", testkit.BlackHole, 5, ""},
	{"b", testkit.Called("CreateCollection", 1), "while it is verified", testkit.Mute, 5, ""},
	{"a", nil, "from the beginning", testkit.Latency, 4, "PRIMARY_REACHABLE"},
	{"a", nil, "from the beginning", testkit.Reset, 4, "PRIMARY_STILL_REPLICATING"},
	{"a", nil, "from the beginning", testkit.BlackHole, 4, "PRIMARY_STILL_REPLICATING"},
	{"a", testkit.Called("", 1), "while it plans", testkit.Mute, 4, "blocked"},
}

// TestBadWire runs approved failovers with the real program over bad wires: to
// the candidate of a primary that is lost, and to a primary that is not, and
// takes writes. Each ends in time and says what is true, no force promote is
// sent next to a primary that lives, and the next run over a good wire settles
// with one that took effect.
func TestBadWire(t *testing.T) {
	t.Parallel()
	zerolog.SetGlobalLevel(zerolog.Disabled)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d, addresses := newDrill(ctx, t, len(wires)+1) // the last has good wires
	d.Via = map[string]*testkit.Wire{}
	for i, c := range wires {
		for j, id := range []string{"a", "b"} {
			if c.cluster == id {
				d.Via[testkit.TopologyName(i)+"-"+id] = testkit.NewWire(t, addresses[2*i+j], c.fault)
			}
		}
		if c.cluster == "b" {
			d.Post(t, "/clusters/"+testkit.TopologyName(i)+"-a/stop", "")
		}
	}
	d.Post(t, "/clusters/"+testkit.TopologyName(len(wires))+"-a/stop", "")
	d.throughWires(t)
	d.OpenLedger(t, "")
	d.FailOver(t, addresses)
	began := time.Now()
	if code, out := d.Reconcile("apply", testkit.TopologyName(len(wires))); code != 0 {
		t.Fatalf("the failover over a good wire ended with %d:\n%s", code, out)
	}
	timeout := max(wireTimeout, wireFailovers*time.Since(began))
	t.Logf("a run whose candidate stops to answer is given %s", timeout)
	d.Each(len(wires), func(i int) {
		t.Run(fmt.Sprintf("%s/%s/%s", wires[i].cluster, wires[i].name, wires[i].fault.Name), func(t *testing.T) { d.overWire(t, i, timeout) })
	})
	if code, out := d.Reconcile("history"); code != 0 {
		t.Errorf("history ended with %d:\n%s", code, out)
	}
}

// throughWires has the configuration say where the clusters are reached.
func (d drill) throughWires(t *testing.T) {
	t.Helper()
	path := filepath.Join(d.Play, "reconcile.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, w := range d.Via {
		text = strings.Replace(text, fmt.Sprintf("address: %q", w.Upstream), fmt.Sprintf("address: %q", w.Proxy.Listen), 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d drill) overWire(t *testing.T, i int, timeout time.Duration) {
	c, topology := wires[i], testkit.TopologyName(i)
	w := d.Via[topology+"-"+c.cluster]
	if c.cluster == "a" {
		defer d.trickle(topology + "-a")()
	}
	for _, method := range []string{"UpdateReplicateConfiguration", "CreateCollection"} {
		d.Post(t, "/clusters/"+testkit.Candidate(topology)+"/faults", fmt.Sprintf(slowCall, method))
	}
	if c.when == nil {
		w.Strike()
	}
	began := time.Now()
	if c.cluster == "a" || c.code == 0 || c.when == nil {
		timeout = wirePatience
	}
	code, out := d.applyAnd(t, topology, timeout, c.when, w.Strike)
	if took := time.Since(began); took > timeout+wireGrace {
		t.Errorf("it ended after %s", took)
	}
	if code != c.code || !strings.Contains(out, c.says) {
		t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.says, out)
	}
	w.Heal()
	if c.cluster == "a" {
		d.spared(t, topology)
		return
	}
	var told []string
	for range testkit.Runs {
		if code, out = d.Reconcile("apply", topology); code == 0 {
			d.Judge(t, c.name, topology)
			return
		}
		told = append(told, out)
	}
	t.Errorf("%d runs over a good wire did not finish it:\n%s", testkit.Runs, strings.Join(told, "\n"))
}

// applyAnd runs an apply and does something at a moment of it.
func (d drill) applyAnd(t *testing.T, topology string, timeout time.Duration, when testkit.Stage, do func()) (int, string) {
	t.Helper()
	ended := make(chan struct{})
	struck := make(chan struct{})
	go func() {
		defer close(struck)
		if when != nil {
			d.Reached(topology, when, ended)
			do()
		}
	}()
	code, out := d.Reconcile("apply", topology, "--timeout", timeout.String())
	close(ended)
	<-struck
	return code, out
}

// spared demands that nothing was sent next to a primary that lives, and that
// the next run, which sees it, sends nothing either.
func (d drill) spared(t *testing.T, topology string) {
	t.Helper()
	code, out := d.Reconcile("apply", topology)
	for range testkit.Runs { // a busy machine may not get to it in the first
		if code != 4 || strings.Contains(out, "PRIMARY_REACHABLE") {
			break
		}
		code, out = d.Reconcile("apply", topology)
	}
	if code != 4 || !strings.Contains(out, "PRIMARY_REACHABLE") {
		t.Errorf("over a good wire it ended with %d:\n%s", code, out)
	}
	now, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range now.Calls {
		if strings.HasPrefix(c.Cluster, topology+"-") && c.Method == "UpdateReplicateConfiguration" {
			t.Errorf("%s was sent a configuration next to a primary that lives", c.Cluster)
		}
	}
	if spent := now.Snapshot.Spent(topology); len(spent) != 0 {
		t.Errorf("the approval is spent: %+v", spent)
	}
}

// trickle writes to a cluster until it is told to stop.
func (d drill) trickle(cluster string) (stop func()) {
	ctx, cancel := context.WithCancel(d.Ctx)
	tick := time.NewTicker(50 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = testkit.Request("POST", d.Control+"/clusters/"+cluster+"/write", `{"rows":16}`) // the next one follows
			}
		}
	}()
	return func() { cancel(); tick.Stop(); <-done }
}
