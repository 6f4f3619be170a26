package testkit

import (
	"errors"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"

	"milvus-reconcile/reconcile/milvus/milvussim/badwire"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// Wire is a TCP proxy between the reconciler and one cluster. Its toxics stay
// as they are while connections are open: what begins in the middle of one is
// a gate that closes, or the proxy starts again at its address.
type Wire struct {
	t        *testing.T
	Upstream string
	fault    WireFault
	Proxy    *toxiproxy.Proxy
	gate     *badwire.Gate
}

// NewWire is a wire to a cluster that is good until its fault begins.
func NewWire(t *testing.T, upstream string, f WireFault) *Wire {
	t.Helper()
	w := &Wire{t: t, Upstream: upstream, fault: f, gate: &badwire.Gate{}}
	all := f.toxics
	for _, direction := range f.drops {
		all = append(all, w.gate.Toxic(direction))
	}
	if err := w.start(freeport.Address(t), all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Proxy.Stop() })
	return w
}

func (w *Wire) start(address string, toxics []string) error {
	proxy, err := badwire.Start(address, w.Upstream, toxics)
	if err != nil {
		return err
	}
	w.Proxy = proxy
	return nil
}

// renew starts the proxy again at its address. Open connections are reset.
func (w *Wire) renew(toxics []string) {
	address := w.Proxy.Listen
	err := freeport.WithoutForks(func() error {
		w.Proxy.Stop()
		return w.start(address, toxics)
	})
	// A child that was being started a moment ago may hold the port until it runs its program.
	for tries := 0; errors.Is(err, syscall.EADDRINUSE) && tries < 500; tries++ {
		time.Sleep(20 * time.Millisecond)
		err = w.start(address, toxics)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// Strike makes the fault begin, on open connections too.
func (w *Wire) Strike() {
	switch {
	case w.fault.drops != nil:
		w.gate.Close()
	case w.fault.resets:
		w.renew([]string{badwire.Toxic("reset_peer", "downstream", `"timeout":0`), badwire.Toxic("reset_peer", "upstream", `"timeout":0`)})
	}
}

// Heal ends it for new connections.
func (w *Wire) Heal() {
	w.gate.Open()
	if w.fault.resets {
		w.renew(nil)
	}
}

// WireFault is something that a network does.
type WireFault struct {
	Name string
	// toxics are in force on all connections.
	toxics []string
	// resets: the connections that are open when it begins are reset, and so
	// is every later one.
	resets bool
	// drops are the directions in which nothing arrives any more, on open
	// connections too, and nobody is told.
	drops []string
}

// What a network does to a wire.
var (
	Latency   = WireFault{Name: "latency", toxics: []string{badwire.Toxic("latency", "upstream", `"latency":60,"jitter":20`), badwire.Toxic("latency", "downstream", `"latency":60,"jitter":20`)}}
	Reset     = WireFault{Name: "reset", resets: true}
	BlackHole = WireFault{Name: "black hole", drops: []string{"upstream", "downstream"}}
	Deaf      = WireFault{Name: "half-open, nothing gets there", drops: []string{"upstream"}}
	Mute      = WireFault{Name: "half-open, nothing comes back", drops: []string{"downstream"}}
)
