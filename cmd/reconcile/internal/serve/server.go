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

// The bounds of a request. None of ours is long: a slow client must not hold
// a connection of the daemon.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 60 * time.Second
	idleTimeout     = 30 * time.Second
	maxHeader       = 64 << 10
	shutdownTimeout = 5 * time.Second
)

// Options of a server.
type Options struct {
	Address string      // host:port; port 0 takes a free one
	TLS     *tls.Config // nil: plaintext
	// Hosts are the names under which clients may ask for it, beside addresses,
	// localhost and the host of Address.
	Hosts []string
	// Health says what is stuck; nil: nothing is.
	Health func() error
	// Ready says why it is not ready; nil: it is.
	Ready func() error
	// Note says what to know while it is ready; nil: nothing.
	Note    func() string
	Webhook *Webhook
	// Log is told of handlers that broke; of what clients do wrong only where it wants
	// to know all. Nil: nobody is.
	Log *slog.Logger
}

// Server listens from the moment that it is made, and answers while Run runs.
type Server struct {
	mux      *http.ServeMux
	http     *http.Server
	listener net.Listener
}

// Listen takes the address, so that one that is taken is found out at once.
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
	plain.SetHTTP1(true) // one request at a time, so that connections bound requests
	s.http = &http.Server{
		ConnState: newConnections().changed, Protocols: &plain, ErrorLog: log.New(serverLog{o.Log}, "", 0),
		Handler: guarded(knownHosts(names, s.mux)), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
	s.Handle("GET /healthz", probe(names, "ok", "stuck", o.Health, nil))
	s.Handle("GET /readyz", probe(names, "ready", "not ready", o.Ready, o.Note))
	s.Handle("POST /webhook/git", o.Webhook)
	return s, nil
}

// Handle adds a handler before Run. Patterns are those of http.ServeMux.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// HandleGated adds a handler of answers that take work: few of them are made at once.
func (s *Server) HandleGated(pattern string, h http.Handler) { s.mux.Handle(pattern, gated(h)) }

// OnStop has f called when the server stops, to end what would not by itself.
func (s *Server) OnStop(f func()) { s.http.RegisterOnShutdown(f) }

// Address is where it listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run answers until ctx ends; requests that are under way may finish.
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

// guarded sets what every answer carries: nothing of ours is to be sniffed,
// framed or kept.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Ready says why a daemon is not ready: it would not act on an approved failover.
func Ready(s daemon.Snapshot) error {
	if why := s.Unready(); why != "" {
		return errors.New(why)
	}
	return nil
}

// serverLog is where net/http says what went wrong.
type serverLog struct{ log *slog.Logger }

// Write takes one line. A client may cause as many of the others as it likes.
func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.Contains(line, []byte("panic serving")) {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "HTTP", "error", strings.TrimSpace(string(line)))
	return len(line), nil
}

// answer is one line of plain text.
func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}
