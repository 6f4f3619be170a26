package ledger

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

// leads makes a process the leader of a shard.
func leads(t *testing.T, l *Ledger, shard string) *Leadership {
	t.Helper()
	p, err := l.Campaign(t.Context(), Holder{Process: "run", Shard: shard})
	must(t, err)
	t.Cleanup(func() { must(t, p.Resign(context.Background())) })
	return p
}

// excluded fails unless a campaign finds the leadership held by that shard.
func excluded(t *testing.T, l *Ledger, shard, by string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	p, err := l.Campaign(ctx, Holder{Process: "run", Shard: shard})
	var held *HeldError
	if !errors.As(err, &held) {
		t.Fatalf("shard %q leads although shard %q does: %v, %v", shard, by, p, err)
	}
	h, ok, err := l.LeaderOf(t.Context(), shard)
	must(t, err)
	if !ok || h.Shard != by {
		t.Errorf("who keeps shard %q from leading is %+v", shard, h)
	}
}

func claimed(t *testing.T, p *Leadership, topology string) *Claim {
	t.Helper()
	c, err := p.Claim(t.Context(), topology, func(h Holder) { t.Errorf("%s is held by %s", topology, h) })
	must(t, err)
	return c
}

var shardCases = map[string]func(*testing.T, *fixture){
	"each shard has a leader of its own": func(t *testing.T, f *fixture) {
		leads(t, f.Ledger, "eu")
		leads(t, f.reopen(), "us")
		excluded(t, f.reopen(), "eu", "eu")
		h, ok, err := f.LeaderOf(t.Context(), "us")
		must(t, err)
		if !ok || h.Shard != "us" || h.Name() != "run (process "+strconv.Itoa(h.PID)+" on here, shard us)" {
			t.Errorf("us is led by %s, %v", h.Name(), ok)
		}
	},
	"a shard and the whole exclude each other": func(t *testing.T, f *fixture) {
		all := leads(t, f.Ledger, "")
		excluded(t, f.reopen(), "eu", "")
		must(t, all.Resign(t.Context()))
		leads(t, f.reopen(), "eu")
		excluded(t, f.reopen(), "", "eu")
	},
	"a topology has one shard": func(t *testing.T, f *fixture) {
		eu, us := leads(t, f.Ledger, "eu"), leads(t, f.reopen(), "us")
		own := claimed(t, eu, "orders")
		claimed(t, us, "users")
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan Holder, 1)
		ended := make(chan error, 1)
		go func() {
			_, err := us.Claim(ctx, "orders", func(h Holder) { told <- h })
			ended <- err
		}()
		if h := <-told; h.Shard != "eu" {
			t.Errorf("orders is held by %+v", h)
		}
		wants, err := eu.Wanted(t.Context())
		must(t, err)
		same(t, wants, []string{"orders"})
		if wants, err = us.Wanted(t.Context()); err != nil || len(wants) > 0 {
			t.Errorf("others want %q of us, %v", wants, err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if wants, err = eu.Wanted(t.Context()); err != nil || len(wants) > 0 {
			t.Errorf("who gave up still wants %q, %v", wants, err)
		}
		must(t, own.Release())
	},
	"what a shard gives back the next one gets": func(t *testing.T, f *fixture) {
		eu, us := leads(t, f.Ledger, "eu"), leads(t, f.reopen(), "us")
		own := claimed(t, eu, "orders")
		waits, got := make(chan Holder, 1), make(chan error, 1)
		go func() {
			c, err := us.Claim(t.Context(), "orders", func(h Holder) { waits <- h })
			if err == nil {
				err = c.Release()
			}
			got <- err
		}()
		<-waits
		must(t, own.Release())
		must(t, own.Release())
		must(t, <-got)
		must(t, claimed(t, eu, "orders").Release())
	},
	"who does not lead claims nothing": func(t *testing.T, f *fixture) {
		eu := leads(t, f.Ledger, "eu")
		must(t, eu.Resign(t.Context()))
		if _, err := eu.Claim(t.Context(), "orders", func(Holder) {}); !errors.Is(err, ErrLockLost) {
			t.Error(err)
		}
		if _, err := leads(t, f.reopen(), "eu").Claim(t.Context(), "../orders", func(Holder) {}); err == nil {
			t.Error("a path is a topology")
		}
	},
	"a claim is no lock": func(t *testing.T, f *fixture) {
		claimed(t, leads(t, f.Ledger, "eu"), "orders")
		k, err := f.reopen().Lock(t.Context(), "orders", 0) // of a person's apply
		must(t, err)
		must(t, k.Release())
	},
}
