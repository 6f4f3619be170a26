package milvussim

import (
	"fmt"
	"net"
	"sync"

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
