package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// Breaker breaks the clusters under test from outside. A function that is nil
// cannot be asked for; the cases that need it are skipped.
type Breaker struct {
	// Stop ends every process of a cluster, Start brings it back with its state.
	Stop, Start func(id string) error
	// Cut lets nothing through from one cluster to another, Heal ends that. The
	// way back, and the ways from the suite, stay open.
	Cut, Heal func(from, to string) error
	// Grow gives a cluster one pchannel more (rootCoord.dmlChannelNum) and
	// returns when it serves again.
	Grow func(id string) error
	// Wipe brings a cluster back with nothing in it and never configured. What a
	// promotion by force or a fence leaves in a log is replayed when the cluster is
	// linked again (#52727); with Wipe no case begins with what another left.
	Wipe func(id string) error
	// StopCDC ends the CDC component of a cluster and nothing else, StartCDC
	// brings it back.
	StopCDC, StartCDC func(id string) error
}

// lacks tells what is missing of what a case needs, in the names of the
// variables that bring it.
func (b Breaker) lacks(needs []string) []string {
	have := map[string]bool{
		varStop: b.Stop != nil, varStart: b.Start != nil, varCut: b.Cut != nil, varHeal: b.Heal != nil, varGrow: b.Grow != nil,
		varStopCDC: b.StopCDC != nil, varStartCDC: b.StartCDC != nil,
	}
	var out []string
	for _, n := range needs {
		if !have[n] {
			out = append(out, n)
		}
	}
	return out
}

// commandTimeout ends a command that does not return.
const commandTimeout = 5 * time.Minute

// Variables that name a command; see docs/conformance.md.
const (
	varStop  = "MILVUS_STOP"
	varStart = "MILVUS_START"
	varCut   = "MILVUS_CUT"
	varHeal  = "MILVUS_HEAL"
	varGrow  = "MILVUS_GROW"

	varWipe = "MILVUS_WIPE"

	varStopCDC  = "MILVUS_STOP_CDC"
	varStartCDC = "MILVUS_START_CDC"
)

// Needs of cases.
var (
	needsStop = []string{varStop, varStart}
	needsCut  = []string{varCut, varHeal}
	needsGrow = []string{varGrow}
	needsCDC  = []string{varStopCDC, varStartCDC}
)

// CommandBreaker breaks clusters by commands of the person who runs the suite:
// MILVUS_STOP, MILVUS_START, MILVUS_GROW, MILVUS_WIPE, MILVUS_STOP_CDC and MILVUS_START_CDC
// with the id of the cluster in CLUSTER, MILVUS_CUT and MILVUS_HEAL with FROM and TO. Each is run by sh and must
// end with 0.
func CommandBreaker(getenv func(string) string) Breaker {
	one := func(name string) func(string) error {
		if getenv(name) == "" {
			return nil
		}
		return func(id string) error { return shell(name, getenv(name), "CLUSTER="+id) }
	}
	two := func(name string) func(string, string) error {
		if getenv(name) == "" {
			return nil
		}
		return func(from, to string) error { return shell(name, getenv(name), "FROM="+from, "TO="+to) }
	}
	return Breaker{
		Stop: one(varStop), Start: one(varStart), Cut: two(varCut), Heal: two(varHeal), Grow: one(varGrow), Wipe: one(varWipe),
		StopCDC: one(varStopCDC), StartCDC: one(varStartCDC),
	}
}

func shell(name, command string, env ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s with %s: %w: %s", name, strings.Join(env, " "), err, out)
	}
	return nil
}

// simulatedBreaker breaks the clusters of a World.
func simulatedBreaker(w *milvussim.World) Breaker {
	return Breaker{
		Stop: w.Stop, Start: w.Revive,
		Cut:  func(from, to string) error { return w.SetLink(from, to, false) },
		Heal: func(from, to string) error { return w.SetLink(from, to, true) },
		Grow: func(id string) error {
			n := len(w.PChannels(id))
			return w.Grow(id, milvussim.PChannels(id+"-rootcoord-dml_", n+1)[n])
		},
		StopCDC:  func(id string) error { return w.SetCDC(id, false) },
		StartCDC: func(id string) error { return w.SetCDC(id, true) },
	}
}

// stop kills a cluster; it is back when the case is over.
func (e *env) stop(c *Cluster) {
	e.t.Helper()
	e.sim(e.breaker.Stop(c.ID))
	e.t.Cleanup(func() {
		if err := e.breaker.Start(c.ID); err != nil {
			e.t.Error(err)
		}
	})
}

// start brings a cluster back and waits until it answers.
func (e *env) start(c *Cluster) {
	e.t.Helper()
	e.sim(e.breaker.Start(c.ID))
	e.sim(e.ready(c, e.limits.start))
}

// cut lets nothing through from one cluster to another, until heal or the end of
// the case.
func (e *env) cut(from, to *Cluster) {
	e.t.Helper()
	e.sim(e.breaker.Cut(from.ID, to.ID))
	e.t.Cleanup(func() {
		if err := e.breaker.Heal(from.ID, to.ID); err != nil && !errors.Is(err, milvussim.ErrUnknownCluster) {
			e.t.Error(err)
		}
	})
}

func (e *env) heal(from, to *Cluster) {
	e.t.Helper()
	e.sim(e.breaker.Heal(from.ID, to.ID))
}

// stopCDC ends the CDC component of a cluster; it is back when the case is over.
func (e *env) stopCDC(c *Cluster) {
	e.t.Helper()
	e.sim(e.breaker.StopCDC(c.ID))
	e.t.Cleanup(func() {
		if err := e.breaker.StartCDC(c.ID); err != nil {
			e.t.Error(err)
		}
	})
}
