package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

const (
	// wireTimeout is what a run is given whose candidate does not answer,
	// wirePatience one that must succeed, however busy the machine is, or see
	// whether a primary lives that does not answer; and wireGrace is how much
	// later it may end, since it reads once more.
	wireTimeout  = 8 * time.Second
	wirePatience = 40 * time.Second
	wireGrace    = 12 * time.Second
	// slowCall makes a call last, so that a fault meets it.
	slowCall = `{"method":%q,"kind":"delay","for":"700ms","times":1}`
)

// wires are the faults between a reconciler and a cluster, when they begin,
// and how the run ends that meets them.
var wires = []struct {
	cluster string // a is the old primary, b the candidate
	when    moment // nil: from the beginning
	name    string
	fault   wireFault
	code    int
	says    string
}{
	{"b", nil, "from the beginning", reset, 4, "CANDIDATE_UNREACHABLE"},
	{"b", nil, "from the beginning", blackHole, 4, "CANDIDATE_UNREACHABLE"},
	{"b", promoting(false), "while the promotion is under way", latency, 0, ""},
	{"b", promoting(false), "while the promotion is under way", reset, 5, ""},
	{"b", promoting(false), "while the promotion is under way", blackHole, 5, ""},
	{"b", promoting(false), "while the promotion is under way", deaf, 5, ""},
	{"b", promoting(false), "while the promotion is under way", mute, 5, ""},
	{"b", called("CreateCollection", 1), "while it is verified", blackHole, 5, ""},
	{"b", called("CreateCollection", 1), "while it is verified", mute, 5, ""},
	{"a", nil, "from the beginning", latency, 4, "PRIMARY_REACHABLE"},
	{"a", nil, "from the beginning", reset, 4, "PRIMARY_STILL_REPLICATING"},
	{"a", nil, "from the beginning", blackHole, 4, "PRIMARY_STILL_REPLICATING"},
	{"a", called("", 1), "while it plans", mute, 4, "blocked"},
}

// TestBadWire runs approved failovers with the real program over bad wires: to
// the candidate of a primary that is lost, and to a primary that is not, and
// takes writes. Each ends in time and says what is true, no force promote is
// sent beside a primary that lives, and the next run over a good wire settles
// with one that took effect.
func TestBadWire(t *testing.T) {
	t.Parallel()
	zerolog.SetGlobalLevel(zerolog.Disabled)
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	d, addresses := pairs(ctx, t, len(wires))
	d.via = map[string]*wire{}
	for i, c := range wires {
		for j, id := range []string{"a", "b"} {
			if c.cluster == id {
				d.via[crashName(i)+"-"+id] = newWire(t, addresses[2*i+j], c.fault)
			}
		}
		if c.cluster == "b" {
			d.post(t, "/clusters/"+crashName(i)+"-a/stop", "")
		}
	}
	d.throughWires(t)
	d.openLedger(t, "")
	d.failOver(t, addresses)
	d.each(len(wires), func(i int) {
		t.Run(fmt.Sprintf("%s/%s/%s", wires[i].cluster, wires[i].name, wires[i].fault.name), func(t *testing.T) { d.overWire(t, i) })
	})
	if code, out := d.reconcile("history"); code != 0 {
		t.Errorf("history ended with %d:\n%s", code, out)
	}
}

// throughWires has the configuration say where the clusters are reached.
func (d *crashDrill) throughWires(t *testing.T) {
	t.Helper()
	path := filepath.Join(d.play, "reconcile.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, w := range d.via {
		text = strings.Replace(text, fmt.Sprintf("address: %q", w.upstream), fmt.Sprintf("address: %q", w.proxy.Listen), 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d *crashDrill) overWire(t *testing.T, i int) {
	c, topology := wires[i], crashName(i)
	w := d.via[topology+"-"+c.cluster]
	if c.cluster == "a" {
		defer d.trickle(topology + "-a")()
	}
	for _, method := range []string{"UpdateReplicateConfiguration", "CreateCollection"} {
		d.post(t, "/clusters/"+candidate(topology)+"/faults", fmt.Sprintf(slowCall, method))
	}
	if c.when == nil {
		w.strike()
	}
	began, timeout := time.Now(), wireTimeout
	if c.cluster == "a" || c.code == 0 {
		timeout = wirePatience
	}
	code, out := d.applyAnd(t, topology, timeout, c.when, w.strike)
	if took := time.Since(began); took > timeout+wireGrace {
		t.Errorf("it ended after %s", took)
	}
	if code != c.code || !strings.Contains(out, c.says) {
		t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.says, out)
	}
	w.heal()
	if c.cluster == "a" {
		d.spared(t, topology)
		return
	}
	var told []string
	for range crashRuns {
		if code, out = d.reconcile("apply", topology); code == 0 {
			d.judge(t, c.name, topology)
			return
		}
		told = append(told, out)
	}
	t.Errorf("%d runs over a good wire did not finish it:\n%s", crashRuns, strings.Join(told, "\n"))
}

// applyAnd runs an apply and does something at a moment of it.
func (d *crashDrill) applyAnd(t *testing.T, topology string, timeout time.Duration, when moment, do func()) (int, string) {
	t.Helper()
	ended := make(chan struct{})
	struck := make(chan struct{})
	go func() {
		defer close(struck)
		if when != nil {
			d.reached(topology, when, ended)
			do()
		}
	}()
	code, out := d.reconcile("apply", topology, "--timeout", timeout.String())
	close(ended)
	<-struck
	return code, out
}

// spared demands that nothing was sent beside a primary that lives, and that
// the next run, which sees it, sends nothing either.
func (d *crashDrill) spared(t *testing.T, topology string) {
	t.Helper()
	code, out := d.reconcile("apply", topology)
	for range crashRuns { // a busy machine may not get to it in the first
		if code != 4 || strings.Contains(out, "PRIMARY_REACHABLE") {
			break
		}
		code, out = d.reconcile("apply", topology)
	}
	if code != 4 || !strings.Contains(out, "PRIMARY_REACHABLE") {
		t.Errorf("over a good wire it ended with %d:\n%s", code, out)
	}
	now, err := d.read()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range now.calls {
		if strings.HasPrefix(c.Cluster, topology+"-") && c.Method == "UpdateReplicateConfiguration" {
			t.Errorf("%s was sent a configuration beside a primary that lives", c.Cluster)
		}
	}
	if spent := now.snapshot.Spent(topology); len(spent) != 0 {
		t.Errorf("the approval is spent: %+v", spent)
	}
}

// trickle writes to a cluster until it is told to stop.
func (d *crashDrill) trickle(cluster string) (stop func()) {
	ctx, cancel := context.WithCancel(d.ctx)
	tick := time.NewTicker(50 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = request("POST", d.control+"/clusters/"+cluster+"/write", `{"rows":16}`) // the next one follows
			}
		}
	}()
	return func() { cancel(); tick.Stop(); <-done }
}
