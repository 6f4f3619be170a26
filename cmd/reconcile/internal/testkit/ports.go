package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The ports that a test may stop listening at and take again lie below those
// that the kernel gives to outgoing connections (Linux: from 32768): one of
// these could take the port of a cluster that is stopped for a moment.
const firstPort, ports = 15000, 17000

// ListenFree listens at a free loopback port.
func ListenFree() (net.Listener, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(ports))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

// FreeAddresses finds loopback addresses that nobody serves.
func FreeAddresses(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := ListenFree()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // only to learn its address
		out = append(out, l.Addr().String())
	}
	return out
}
