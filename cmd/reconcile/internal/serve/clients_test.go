package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/daemon"
)

// served is a server that runs until the test ends.
func served(t *testing.T, hosts ...string) *Server {
	t.Helper()
	s, err := Listen(Options{
		Address: "127.0.0.1:0", Hosts: hosts, Webhook: &Webhook{Log: slog.New(slog.DiscardHandler)},
		Ready: func() error { return Ready(daemon.Snapshot{Swept: true}) }, Health: func() error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Handle("GET /api/v1/status", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret plans") }))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends one request over a connection and returns its status.
func ask(t *testing.T, conn net.Conn, path, host string) int {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host); err != nil {
		return 0
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close() // read to its end
	return res.StatusCode
}

func connect(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the server may have closed it
	return conn
}

// TestHostsAreChecked: a name that the operator did not give leads nowhere, so that
// a page elsewhere cannot read ours by making its own name lead here.
func TestHostsAreChecked(t *testing.T) {
	s := served(t, "Reconcile.example", "reconcile.svc.")
	for host, want := range map[string]int{
		s.Address(): 200, "127.0.0.1": 200, "localhost": 200, "LOCALHOST:9640": 200, "[::1]:9640": 200, "10.1.2.3": 200,
		"reconcile.example": 200, "reconcile.example:80": 200, "RECONCILE.EXAMPLE.": 200, "reconcile.svc": 200,
		"attacker.example": 421, "attacker.example:9640": 421, "127.0.0.1.attacker.example": 421, "reconcile.example.attacker.example": 421, "localhost.attacker.example": 421, "1.2.3": 421,
	} {
		if got := ask(t, connect(t, s), "/api/v1/status", host); got != want {
			t.Errorf("Host %q is answered with %d, want %d", host, got, want)
		}
		if got := ask(t, connect(t, s), "/readyz", host); got != 200 {
			t.Errorf("a probe under the name %q is answered with %d", host, got)
		}
	}
}

// TestProbesUnderAForeignName: whether all is well is told under any name, why not only
// under a known one.
func TestProbesUnderAForeignName(t *testing.T) {
	bad := func() error { return errors.New("no answer from https://git.example") }
	h := probe([]string{"reconcile.example"}, "ready", "not ready", bad)
	for host, want := range map[string]string{"reconcile.example": bad().Error(), "127.0.0.1:9640": bad().Error(), "attacker.example": "not ready"} {
		r, w := httptest.NewRequest(http.MethodGet, "/readyz", nil), httptest.NewRecorder()
		r.Host = host
		h.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusServiceUnavailable || got != want {
			t.Errorf("under %q a probe is answered %d %q, want 503 %q", host, w.Code, got, want)
		}
	}
}

// TestClientsAreBounded: of too many clients the one that has waited longest without a
// request goes, of clients that are all served the newest.
func TestClientsAreBounded(t *testing.T) {
	c := &connections{most: 3, open: map[net.Conn]uint64{}}
	conns := make([]*closable, 7)
	for i := range conns {
		conns[i] = &closable{}
	}
	closed := func(want ...int) {
		t.Helper()
		for i, conn := range conns {
			if is := slices.Contains(want, i); conn.closed != is {
				t.Errorf("the client %d is closed: %t, want %t", i, conn.closed, is)
			}
		}
	}
	for i := range 3 {
		c.changed(conns[i], http.StateNew)
	}
	closed()
	c.changed(conns[0], http.StateActive)
	c.changed(conns[0], http.StateIdle) // waits since after the others
	c.changed(conns[3], http.StateNew)
	closed(1)
	c.changed(conns[0], http.StateActive)
	c.changed(conns[4], http.StateNew)
	closed(1, 2)
	c.changed(conns[3], http.StateActive)
	c.changed(conns[4], http.StateActive)
	c.changed(conns[5], http.StateNew) // all others are served
	closed(1, 2, 5)
	c.changed(conns[4], http.StateClosed)
	c.changed(conns[6], http.StateNew)
	closed(1, 2, 5)
	if most := newConnections().most; most < 1 || most > mostConnections {
		t.Errorf("%d clients are let in", most)
	}
}

// closable is a connection that notes whether it was closed.
type closable struct {
	net.Conn
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}
