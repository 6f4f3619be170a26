package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"milvus-reconcile/reconcile/daemon"
)

// The limits of a request. All requests are short; a slow client must not hold a
// connection of the daemon.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 60 * time.Second
	idleTimeout     = 30 * time.Second
	maxHeader       = 64 << 10
	shutdownTimeout = 5 * time.Second
)

// Options configures a server.
type Options struct {
	Address string      // host:port; port 0 takes a free one
	TLS     *tls.Config // nil: plaintext
	// Hosts are the host names that requests may use, in addition to IP addresses,
	// localhost and the host of Address.
	Hosts []string
	// Health returns what is stuck; nil if nothing is.
	Health func() error
	// Ready returns why the daemon is not ready; nil if it is.
	Ready func() error
	// Note returns what /readyz adds while the daemon is ready; nil adds nothing.
	Note    func() string
	Webhook *Webhook
	// Log gets panics of handlers as errors, and mistakes of clients at debug level; nil
	// discards them.
	Log *slog.Logger
}

// Server listens from its creation on. It answers while Run runs.
type Server struct {
	mux      *http.ServeMux
	http     *http.Server
	listener net.Listener
}

// Listen creates a server and listens on its address. It fails if the address is in use.
func Listen(o Options) (*Server, error) {
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("serve.address: %w", err)
	}
	if o.TLS != nil {
		l = tls.NewListener(l, o.TLS)
	}
	s := &Server{mux: http.NewServeMux(), listener: l}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	own, _, _ := net.SplitHostPort(o.Address) // Listen took it
	names := append([]string{own}, o.Hosts...)
	var plain http.Protocols
	plain.SetHTTP1(true) // one request at a time, so that the limit on connections limits requests
	s.http = &http.Server{
		ConnState: newConnections().changed, Protocols: &plain, ErrorLog: log.New(serverLog{o.Log}, "", 0),
		Handler: withSecurityHeaders(knownHosts(names, s.mux)), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
	s.Handle("GET /healthz", probe(names, "ok", "stuck", o.Health, nil))
	s.Handle("GET /readyz", probe(names, "ready", "not ready", o.Ready, o.Note))
	s.Handle("POST /webhook/git", o.Webhook)
	return s, nil
}

// Handle adds a handler before Run. Patterns are those of http.ServeMux.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// HandleLimited adds a handler that serves only a few requests at a time.
func (s *Server) HandleLimited(pattern string, h http.Handler) {
	s.mux.Handle(pattern, limitConcurrency(h))
}

// OnStop calls f when the server stops, to end streams.
func (s *Server) OnStop(f func()) { s.http.RegisterOnShutdown(f) }

// Address returns the address that the server listens on.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run serves until ctx ends. Running requests may then finish within shutdownTimeout.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(bounded); err != nil {
		return errors.Join(fmt.Errorf("stop serving HTTP: %w", err), s.http.Close())
	}
	return nil
}

// withSecurityHeaders sets headers that forbid sniffing, framing and caching.
func withSecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Ready returns why the daemon would not act on an approved failover; nil if it would.
func Ready(s daemon.Snapshot) error {
	if why := s.Unready(); why != "" {
		return errors.New(why)
	}
	return nil
}

// serverLog is the error log of net/http.
type serverLog struct{ log *slog.Logger }

// Write logs one line. Only a panic is an error: clients can cause any number of others.
func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.Contains(line, []byte("panic serving")) {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "HTTP", "error", strings.TrimSpace(string(line)))
	return len(line), nil
}

// answer writes one line of plain text.
func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}
