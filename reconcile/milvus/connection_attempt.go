package milvus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// stage is how far the newest attempt to connect came.
type stage int

const (
	stageNone      stage = iota // nothing was tried
	stageDialing                // no TCP connection yet
	stageConnected              // TCP stands, TLS or HTTP/2 not yet
	stageSpoke                  // the other side began to speak HTTP/2
)

// attempt is what the newest attempt to connect saw. gRPC puts all of it into one text
// under the code Unavailable. That does not suffice to tell a dead cluster from one that
// we only do not understand.
type attempt struct {
	stage     stage
	dial      error // of the TCP connection
	handshake error // of TLS
	secured   bool  // TLS was agreed on
	broken    error // how the connection ended before HTTP/2 was spoken
	garbage   bool  // something else than HTTP/2 came
}

// connectionTrace records how a connection is made.
type connectionTrace struct {
	mu     sync.Mutex
	last   attempt
	before attempt // the attempt before the last
	ever   bool    // some attempt spoke HTTP/2, so a request may have left
}

func (t *connectionTrace) set(change func(*attempt)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.last)
	t.ever = t.ever || t.last.stage == stageSpoke
}

// seen returns the attempt that belongs to a call which ended with err. By then gRPC may
// have begun the next attempt: a call that ends as Unavailable cannot belong to an attempt
// that is still under way.
func (t *connectionTrace) seen(err error) attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.underWay() && status.Code(err) == codes.Unavailable {
		return t.before
	}
	return t.last
}

func (a attempt) underWay() bool {
	return a.stage < stageSpoke && a.dial == nil && a.handshake == nil && a.broken == nil && !a.garbage
}

func (t *connectionTrace) spoke() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ever
}

func (t *connectionTrace) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before, t.last = t.last, attempt{stage: stageDialing}
}

// dial is the dialer of gRPC.
func (t *connectionTrace) dial(ctx context.Context, address string) (net.Conn, error) {
	t.begin()
	conn, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", address) // every call has a deadline, and most connections last for one read
	if err != nil {
		t.set(func(a *attempt) { a.dial = err })
		return nil, err //nolint:wrapcheck // gRPC looks at its type
	}
	t.set(func(a *attempt) { a.stage = stageConnected })
	return conn, nil
}

// tracedTransport is the transport security of a connection, recorded.
type tracedTransport struct {
	credentials.TransportCredentials
	trace *connectionTrace
}

// ClientHandshake makes the handshake and records what comes after it.
func (c tracedTransport) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		c.trace.set(func(a *attempt) { a.handshake = err })
		return conn, info, err //nolint:wrapcheck // gRPC looks at its type
	}
	c.trace.set(func(a *attempt) { a.secured = info.AuthType() == "tls" })
	return &firstBytes{Conn: conn, trace: c.trace}, info, nil
}

// Clone returns a copy that records too.
func (c tracedTransport) Clone() credentials.TransportCredentials {
	return tracedTransport{TransportCredentials: c.TransportCredentials.Clone(), trace: c.trace}
}

// frameHeader is the length of an HTTP/2 frame header, settingsFrame the type
// of the frame with which a server begins (RFC 9113 sections 4.1 and 3.4).
const (
	frameHeader   = 9
	frameTypeAt   = 3
	settingsFrame = 4
)

// firstBytes reads the first bytes of the other side, to see whether it speaks HTTP/2.
type firstBytes struct {
	net.Conn
	trace    *connectionTrace
	received []byte
	done     bool
}

// Read passes the bytes on.
func (l *firstBytes) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if !l.done {
		l.received = append(l.received, p[:min(n, frameHeader)]...)
		l.inspect(err)
	}
	return n, err //nolint:wrapcheck // gRPC looks at its type
}

func (l *firstBytes) inspect(err error) {
	switch {
	case len(l.received) >= frameHeader:
		l.done = true
		if l.received[frameTypeAt] == settingsFrame {
			l.trace.set(func(a *attempt) { a.stage = stageSpoke })
		} else {
			l.trace.set(func(a *attempt) { a.garbage = true })
		}
	case err != nil:
		l.done = true
		garbage := len(l.received) > 0
		l.trace.set(func(a *attempt) { a.garbage = garbage })
		l.brokenBy(err)
	}
}

// Write passes the bytes on. A peer that closes at once may show only here: gRPC then
// closes the connection itself, and its reader sees no more than that.
func (l *firstBytes) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil {
		l.brokenBy(err)
	}
	return n, err //nolint:wrapcheck // gRPC looks at its type
}

// brokenBy keeps the first reason; later ones follow from it.
func (l *firstBytes) brokenBy(err error) {
	l.trace.set(func(a *attempt) {
		if a.broken == nil {
			a.broken = err
		}
	})
}

// transportFault is why no transport was made, in words that an operator knows.
type transportFault struct {
	words string
	cause error
}

// Error returns the words.
func (e transportFault) Error() string { return e.words }

// Words returns them without what calls put around the error.
func (e transportFault) Words() string { return e.words }

// Unwrap returns the error of gRPC.
func (e transportFault) Unwrap() error { return e.cause }

// explained returns the error of a call that got no transport, with its cause in words.
func explained(err error, seen attempt) error {
	words := ""
	switch {
	case seen.dial != nil:
	case seen.handshake != nil && !isTimeout(seen.handshake):
		words = "TLS fails: " + handshakeWords(seen.handshake)
	case refusesOurs(seen.broken):
		words = "TLS fails: it does not accept our client certificate (" + seen.broken.Error() + "; hint: tls.certFile of its credential)"
	case seen.garbage:
		words = "the server there does not speak gRPC (hint: check the port; if the server speaks TLS, set tls in its credential)"
	case seen.secured && seen.broken != nil && !isTimeout(seen.broken): // its alert may be lost with the connection
		words = "TLS fails: it ends the connection once TLS is agreed on (hint: it may want a client certificate: tls.certFile of its credential)"
	case seen.broken != nil && !isTimeout(seen.broken):
		words = "it ends the connection before gRPC begins (hint: check the port; if the server speaks TLS, set tls in its credential)"
	}
	if words == "" {
		return err
	}
	return transportFault{words: words, cause: err}
}

// handshakeWords says why a TLS handshake failed. The words of one cause do not change with
// the time, so that a log can tell whether it is the same.
func handshakeWords(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an authority that is not trusted (hint: tls.caFile of its credential)"
	case errors.As(err, &name):
		return "its certificate has another name (" + name.Error() + "; hint: tls.serverName of its credential)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return "its certificate, or one above it, is valid only from " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339) + " on (hint: check the clocks)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return "its certificate, or one above it, expired at " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339) + " (hint: renew it)"
	case errors.As(err, &record):
		return "it does not speak TLS there (hint: check the port; if the cluster has no TLS, leave tls out of its credential)"
	case refusesOurs(err):
		return "it does not accept our client certificate (" + err.Error() + "; hint: tls.certFile of its credential)"
	default:
		return err.Error()
	}
}

// refusesOurs says whether the other side ended TLS because of our certificate.
func refusesOurs(err error) bool {
	if err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
		return false
	}
	for _, alert := range []string{"certificate", "unknown certificate authority", "access denied"} {
		if strings.Contains(err.Error(), alert) {
			return true
		}
	}
	return false
}
