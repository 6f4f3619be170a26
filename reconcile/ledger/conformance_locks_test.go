package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

var lockCases = map[string]func(*testing.T, *fixture){
	"the second is told who holds it, and from which time on": func(t *testing.T, f *fixture) {
		f.lock("orders")
		_, err := f.reopen().Lock(t.Context(), "orders", 0)
		var held *HeldError
		if !errors.As(err, &held) || held.Holder.Process != "test" || held.Holder.Host != "here" || held.Holder.Since.IsZero() {
			t.Fatal(err)
		}
		if !strings.Contains(err.Error(), "test") || !strings.Contains(err.Error(), "2026-11-22") {
			t.Fatal(err)
		}
	},
	"others read who holds it, and take nothing": func(t *testing.T, f *fixture) {
		other := f.reopen()
		other.holder.Host = "there"
		held := func(l *Ledger) bool {
			h, held, err := l.HeldByAnother(t.Context(), "orders")
			must(t, err)
			if held && (h.Process != "test" || h.Host != "here" || h.Since.IsZero()) {
				t.Errorf("it is held by %+v", h)
			}
			return held
		}
		same(t, held(other), false)
		k := f.lock("orders")
		same(t, held(other), true)
		same(t, held(f.Ledger), false) // it is ours
		must(t, k.Release())
		same(t, held(other), false)
		if _, _, err := other.HeldByAnother(t.Context(), "../orders"); err == nil {
			t.Error("a path is a topology")
		}
	},
	"topologies are locked apart": func(t *testing.T, f *fixture) {
		f.lock("orders")
		f.lock("users")
	},
	"a released lock is free": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Release())
		must(t, k.Release())
		f.lock("orders")
	},
	"who waits gets it": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		got := make(chan error, 1)
		go func() {
			other, err := f.reopen().Lock(context.Background(), "orders", time.Minute)
			if err == nil {
				err = other.Release()
			}
			got <- err
		}()
		must(t, k.Release())
		must(t, <-got)
	},
	"waiting ends with the context": func(t *testing.T, f *fixture) {
		f.lock("orders")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.reopen().Lock(ctx, "orders", time.Hour)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	},
	"readers need no lock": func(t *testing.T, f *fixture) {
		must(t, f.lock("orders").Begin(t.Context(), failover("orders", 8, "d1")))
		same(t, len(f.read().Memory().Intents), 1)
	},
	"a released lock writes nothing": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Release())
		select {
		case <-k.Lost():
		default:
			t.Fatal("not told")
		}
		if err := k.Begin(t.Context(), failover("orders", 8, "d1")); !errors.Is(err, ErrLockLost) {
			t.Fatal(err)
		}
		same(t, f.kinds("orders"), []Kind(nil))
	},
	"a name that is a path is refused": func(t *testing.T, f *fixture) {
		for _, name := range []string{"", "../x", "a/b", "A", "-a"} {
			if k, err := f.Lock(t.Context(), name, 0); err == nil {
				t.Errorf("%q locked", name)
				must(t, k.Release())
			}
		}
	},
	"a lock writes for its own topology only": func(t *testing.T, f *fixture) {
		must(t, f.lock("orders").Begin(t.Context(), failover("users", 8, "d1")))
		same(t, f.read().Memory().Intents[0].Topology, "orders")
	},
}
