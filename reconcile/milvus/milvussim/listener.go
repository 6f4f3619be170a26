package milvussim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim/heldport"
)

// endpoint is a cluster's listener with the connections that came through it.
// All endpoints of a World share one gRPC server; a connection knows its cluster
// by its local address.
type endpoint struct {
	cluster  *cluster
	reserved *reservation
	cut      bool

	mu       sync.Mutex
	listener net.Listener
	held     *heldport.Port // while the cluster is down; nil: the port is not kept
	conns    map[net.Conn]struct{}
}

// reservation holds a port between the making of a spec and the start of its
// cluster. The first World that takes it gets the listener; one that starts the
// same spec again listens for itself.
type reservation struct {
	mu       sync.Mutex
	listener net.Listener
}

func (r *reservation) take() net.Listener {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.listener
	r.listener = nil
	return l
}

// localAddr is the local address of a connection, which names its cluster.
type localAddr struct {
	net.Addr
	cluster *cluster
}

// open listens at the cluster's address and has the World's server accept
// there. The first time the port may be 0; afterwards it is the one that was
// given. An endpoint whose outside is cut stays closed.
func (e *endpoint) open() error {
	if e.cut {
		return nil
	}
	if err := loopback(e.cluster.address); err != nil {
		return err
	}
	l, err := e.listen()
	if err != nil {
		return err
	}
	e.cluster.address = l.Addr().String()
	e.mu.Lock()
	e.listener = l
	e.mu.Unlock()
	w := e.cluster.world
	w.serving.Go(func() {
		// Serve ends when the listener is closed, which is how a cluster dies.
		_ = w.server.Serve(&tracking{Listener: l, endpoint: e})
	})
	return nil
}

// listen returns the listener that the spec reserved, or one at the port that was held
// while the cluster was down, or a new one.
func (e *endpoint) listen() (net.Listener, error) {
	if l := e.reserved.take(); l != nil {
		return l, nil
	}
	e.mu.Lock()
	held := e.held
	e.held = nil
	e.mu.Unlock()
	if held != nil {
		return held.Listen()
	}
	return heldport.Listen(e.cluster.address)
}

// release gives the port of a cluster that is down to others.
func (e *endpoint) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held != nil {
		e.held.Release()
		e.held = nil
	}
}

// close refuses new connections and resets the open ones. The port stays the cluster's.
func (e *endpoint) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listener != nil {
		e.held = heldport.Hold(e.listener)
		e.listener = nil
	}
	for conn := range e.conns {
		reset(conn)
	}
	e.conns = nil
}

// reset closes a connection so that its peer sees a reset, as after a crash,
// rather than an orderly end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// tracking is the listener that the gRPC server accepts from.
type tracking struct {
	net.Listener
	endpoint *endpoint
}

func (t *tracking) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	e := t.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listener != t.Listener {
		reset(conn)
		return nil, net.ErrClosed
	}
	if e.conns == nil {
		e.conns = map[net.Conn]struct{}{}
	}
	e.conns[conn] = struct{}{}
	e.cluster.world.accepted.Add(1)
	return &trackedConn{Conn: conn, endpoint: e}, nil
}

type trackedConn struct {
	net.Conn
	endpoint *endpoint
}

func (c *trackedConn) LocalAddr() net.Addr {
	return localAddr{c.Conn.LocalAddr(), c.endpoint.cluster}
}

func (c *trackedConn) Close() error {
	c.endpoint.mu.Lock()
	delete(c.endpoint.conns, c.Conn)
	c.endpoint.mu.Unlock()
	return c.Conn.Close()
}

// loopback demands an address that only this machine can reach: simulated
// clusters know a well-known password.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("address %q is not a loopback address; the simulator serves on this machine only", address)
	}
	return nil
}

// Authority signs the certificates of clusters that speak TLS. Each gets one of its own,
// for the address at which it is called.
type Authority struct {
	own  *x509.Certificate
	key  *ecdsa.PrivateKey
	mu   sync.Mutex
	made map[string]*tls.Certificate // by host
}

// validity is for how long certificates are valid, also before now: clocks differ.
const validity = 24 * time.Hour

// NewAuthority makes an authority with a new key.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "milvus simulator"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-validity), NotAfter: time.Now().Add(validity),
	}
	raw, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make an authority: %w", err)
	}
	own.Raw = raw
	return &Authority{own: own, key: key, made: map[string]*tls.Certificate{}}, nil
}

// PEM is the certificate of the authority, as a caFile holds it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.own.Raw})
}

// server is the TLS of the clusters.
func (a *Authority) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
		if err != nil {
			return nil, fmt.Errorf("the address of a connection: %w", err)
		}
		return a.certificate(host)
	}}
}

// certificate returns the one certificate of an address.
func (a *Authority) certificate(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.made[host]; known != nil {
		return known, nil
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.made)) + 2), Subject: pkix.Name{CommonName: host},
		IPAddresses: []net.IP{net.ParseIP(host)}, DNSNames: []string{"localhost"},
		NotBefore: a.own.NotBefore, NotAfter: a.own.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, a.own, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	a.made[host] = &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: a.key}
	return a.made[host], nil
}
