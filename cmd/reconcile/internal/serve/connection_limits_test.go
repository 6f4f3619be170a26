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
	"net/netip"
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
	h := probe([]string{"reconcile.example"}, "ready", "not ready", bad, nil)
	for host, want := range map[string]string{"reconcile.example": bad().Error(), "127.0.0.1:9640": bad().Error(), "attacker.example": "not ready"} {
		r, w := httptest.NewRequest(http.MethodGet, "/readyz", nil), httptest.NewRecorder()
		r.Host = host
		h.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusServiceUnavailable || got != want {
			t.Errorf("under %q a probe is answered %d %q, want 503 %q", host, w.Code, got, want)
		}
	}
}

// TestClientsAreBounded: the newest client gets in. For it one goes of the client who
// holds the most: the one that is idle for longest, or else the oldest.
func TestClientsAreBounded(t *testing.T) {
	const many, few = "203.0.113.1:1", "198.51.100.1:1"
	for name, c := range map[string]struct {
		clients []string // by connection
		does    []http.ConnState
		of      []int // whose state it is
		want    []int // connections that are closed
	}{
		"there is room":                 {clients: []string{many, many, many}},
		"one too many":                  {clients: []string{many, many, many, many}, want: []int{0}},
		"who has the most":              {clients: []string{few, many, many, few}, want: []int{0}},
		"of the greater, not the older": {clients: []string{few, many, many, many}, want: []int{1}},
		"a client that is new":          {clients: []string{many, many, many, few}, want: []int{0}},
		"all of different clients":      {clients: []string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1"}, want: []int{0}},
		"one network of IPv6":           {clients: []string{few, "[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1"}, want: []int{1}},
		"one that is idle goes first": {
			clients: []string{many, many, many, many},
			does:    []http.ConnState{http.StateActive, http.StateIdle}, of: []int{1, 1}, want: []int{1},
		},
		"one that is idle for longest": {
			clients: []string{many, many, many, many},
			does:    []http.ConnState{http.StateIdle, http.StateIdle}, of: []int{2, 1}, want: []int{2},
		},
		"all are served": {
			clients: []string{many, many, many, few},
			does:    []http.ConnState{http.StateActive, http.StateActive, http.StateActive}, of: []int{1, 0, 2}, want: []int{0},
		},
		"one that is served again is new": {
			clients: []string{many, many, many, many},
			does:    []http.ConnState{http.StateIdle, http.StateActive}, of: []int{0, 0}, want: []int{1},
		},
		"one that has gone": {
			clients: []string{many, many, many, many}, does: []http.ConnState{http.StateClosed}, of: []int{1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bound, conns := connections{newHolders[net.Conn](3)}, []*closable{}
			for i, from := range c.clients {
				if i == 3 {
					for j, state := range c.does {
						bound.changed(conns[c.of[j]], state)
					}
				}
				conns = append(conns, &closable{from: from})
				bound.changed(conns[i], http.StateNew)
			}
			for i, conn := range conns {
				if want := slices.Contains(c.want, i); conn.closed != want {
					t.Errorf("the connection %d is closed: %t, want %t", i, conn.closed, want)
				}
			}
		})
	}
	if most := newConnections().most; most < 1 || most > mostConnections {
		t.Errorf("%d clients are let in", most)
	}
}

// closable is a connection that notes whether it was closed.
type closable struct {
	net.Conn
	from   string
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

func (c *closable) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}
