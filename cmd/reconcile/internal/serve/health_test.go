package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"milvus-reconcile/reconcile/daemon"
)

// TestHealthAndReadiness: healthy until something is stuck, ready once all was
// looked at and until it stops; every answer carries the guarding headers.
func TestHealthAndReadiness(t *testing.T) {
	var stuck atomic.Bool
	var known atomic.Pointer[daemon.Snapshot]
	known.Store(&daemon.Snapshot{})
	s, err := Listen(Options{
		Address: "127.0.0.1:0", Ready: func() error { return Ready(*known.Load()) }, Note: func() string { return known.Load().GitCopy }, Webhook: &Webhook{Log: slog.New(slog.DiscardHandler)},
		Health: func() error {
			if stuck.Load() {
				return errors.New("the pass over orders is stuck")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	get := func(path string, code int, text string) {
		t.Helper()
		res, err := http.Get("http://" + s.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != code || !strings.Contains(string(body), text) {
			t.Errorf("%s answers %d %q (%v), want %d %q", path, res.StatusCode, body, err, code, text)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s lacks guarding headers: %v", path, res.Header)
		}
	}
	get("/healthz", http.StatusOK, "ok")
	get("/readyz", http.StatusServiceUnavailable, "not every topology")
	known.Store(&daemon.Snapshot{Swept: true})
	stuck.Store(true)
	get("/readyz", http.StatusOK, "ready")
	get("/healthz", http.StatusServiceUnavailable, "orders is stuck")
	known.Store(&daemon.Snapshot{Swept: true, GitCopy: "git.cacheDir /x: no space left on device"})
	get("/readyz", http.StatusOK, "ready; git.cacheDir /x: no space left on device")
	known.Store(&daemon.Snapshot{Swept: true, Stopping: true})
	get("/readyz", http.StatusServiceUnavailable, "stopping")
	get("/webhook/git", http.StatusMethodNotAllowed, "")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := Listen(Options{Address: "127.0.0.1:999999"}); err == nil {
		t.Error("an impossible address is taken")
	}
}
