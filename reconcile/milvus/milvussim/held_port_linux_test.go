package milvussim_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestAStoppedClusterKeepsItsPort: an outgoing connection of another process must not
// take the port of a cluster that comes back.
func TestAStoppedClusterKeepsItsPort(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	for _, name := range []string{"stopped", "stopped again"} {
		t.Run(name, func(t *testing.T) {
			if err := w.Stop("b"); err != nil {
				t.Fatal(err)
			}
			if _, err := net.Dial("tcp", w.Address("b")); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a connection to it: %v", err)
			}
			port, err := net.ResolveTCPAddr("tcp", w.Address("b"))
			if err != nil {
				t.Fatal(err)
			}
			from := net.Dialer{LocalAddr: port}
			if _, err := from.Dial("tcp", w.Address("a")); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a connection from its port: %v", err)
			}
			if err := w.Revive("b"); err != nil {
				t.Fatal(err)
			}
			if _, err := dial(t, w, "b").ListDatabases(root(t), &milvuspb.ListDatabasesRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	address := w.Address("b")
	if err := w.Stop("b"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the port of a world that is closed: %v", err)
	}
	_ = l.Close()
}
