package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"milvus-reconcile/reconcile"
)

// served is a server that runs until the test ends.
func served(t *testing.T, hosts ...string) *Server {
	t.Helper()
	s, err := Listen(Options{
		Address: "127.0.0.1:0", Hosts: hosts, Webhook: &Webhook{Log: slog.New(slog.DiscardHandler)},
		Ready: func() error { return Ready(reconcile.Snapshot{Swept: true}) }, Health: func() error { return nil },
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

// TestClientsAreBounded: clients that wait make room for new ones, so that their
// number is bounded and the newest is always served.
func TestClientsAreBounded(t *testing.T) {
	s := served(t)
	most := newConnections().most
	var silent, idle []net.Conn
	for range most {
		silent = append(silent, connect(t, s)) // says nothing
	}
	for range most {
		conn := connect(t, s)
		if got := ask(t, conn, "/readyz", "localhost"); got != 200 {
			t.Fatalf("a new client is answered with %d", got)
		}
		idle = append(idle, conn)
	}
	for i, conn := range silent {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("the silent client %d of %d is still connected", i, most)
		}
	}
	if got := ask(t, connect(t, s), "/readyz", "localhost"); got != 200 {
		t.Errorf("one more client is answered with %d", got)
	}
	if got := ask(t, idle[0], "/readyz", "localhost"); got != 0 {
		t.Errorf("the client that waited longest is answered with %d", got)
	}
	if got := ask(t, idle[most-1], "/readyz", "localhost"); got != 200 {
		t.Errorf("the client that waited shortest is answered with %d", got)
	}
}
