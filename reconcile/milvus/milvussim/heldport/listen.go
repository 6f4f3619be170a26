// Package heldport keeps the port of a server that is down, so that no other process takes it
// meanwhile.
package heldport

import (
	"fmt"
	"net"
	"strings"
)

// Listen listens at an address. A port that the kernel chose is taken a second time, by its
// number: only such a port stays with its socket when that ends to listen.
func Listen(address string) (net.Listener, error) {
	for {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		if !strings.HasSuffix(address, ":0") {
			return l, nil
		}
		chosen := l.Addr().String()
		_ = l.Close()
		if l, err := net.Listen("tcp", chosen); err == nil { // else another process took it in between
			return l, nil
		}
	}
}
