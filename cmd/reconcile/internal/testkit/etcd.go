package testkit

import (
	"net"
	"sync"
	"testing"

	"milvus-reconcile/reconcile/reconciletest/etcdserver"
)

// StartEtcd starts a real etcd of one member and returns its host:port.
func StartEtcd(t *testing.T) string {
	t.Helper()
	address, _ := etcdserver.Start(t, etcdserver.Options{})
	return address
}

// Line leads to etcd and can be cut: then nothing arrives, and nobody is told,
// until it is healed.
type Line struct {
	listener net.Listener
	target   string
	mu       sync.RWMutex // held for writing while it is cut
}

// NewLine is a line that is whole, to a target.
func NewLine(t *testing.T, target string) *Line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &Line{listener: l, target: target}
	t.Cleanup(func() { _ = l.Close() })
	go out.accept()
	return out
}

// Address is where the line begins.
func (l *Line) Address() string { return l.listener.Addr().String() }

// Cut holds back what is sent, both ways.
func (l *Line) Cut() { l.mu.Lock() }

// Heal lets through what was held back.
func (l *Line) Heal() { l.mu.Unlock() }

func (l *Line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		go l.carry(near, far)
		go l.carry(far, near)
	}
}

// carry copies one way, and holds back what comes while the line is cut.
func (l *Line) carry(from, to net.Conn) {
	defer to.Close() //nolint:errcheck // the other way may have closed it
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.RLock()
		if n > 0 && err == nil {
			_, err = to.Write(buffer[:n])
		}
		l.mu.RUnlock()
		if err != nil {
			return
		}
	}
}
