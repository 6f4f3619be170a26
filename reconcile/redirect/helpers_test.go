package redirect_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/reconcile/redirect"
)

// addresses are what the operator's configuration holds.
var addresses = map[string]string{
	"cluster-a": "a.example:19530", "cluster-b": "b.example:19530", "cluster-c": "c.example:19530",
}

// clock is a time that only waiting moves.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) poster() notify.Poster {
	return notify.Poster{
		Clock: func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.slept, c.now = append(c.slept, d), c.now.Add(d)
			return ctx.Err()
		},
	}
}

// made prepares targets with a clock of their own.
func made(t *testing.T, targets ...redirect.Target) (*redirect.Redirector, *clock) {
	t.Helper()
	c := newClock()
	r, err := redirect.New(targets, redirect.Options{Addresses: addresses, Poster: c.poster()})
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// only demands one state and returns it.
func only(t *testing.T, states []plan.TrafficState) plan.TrafficState {
	t.Helper()
	if len(states) != 1 {
		t.Fatalf("got %+v, want one state", states)
	}
	return states[0]
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func script(t *testing.T, text string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "script"), "#!/bin/sh\n"+text+"\n", 0o700)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func seconds(n ...int) []time.Duration {
	var out []time.Duration
	for _, s := range n {
		out = append(out, time.Duration(s)*time.Second)
	}
	return out
}
