// Package freeport gives tests loopback ports that nobody else takes, not even while the
// test does not listen there.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
)

// The ports that a test may stop listening at and take again lie below those
// that the kernel gives to outgoing connections (Linux: from 32768): one of
// these could take the port of a cluster that is stopped for a moment.
const (
	firstPort    = 15000
	portBlocks   = 170
	portsInBlock = 100
)

// reserved are the ports that only this process may use: test binaries run at the
// same time, and each frees ports that it will take again.
var reserved struct {
	sync.Mutex
	next, end int
	block     int            // the next one to try
	held      []net.Listener // at the first port of each block of ours, until the process ends
}

// Listen listens at a free loopback port, which no other call is given.
func Listen() (net.Listener, error) {
	reserved.Lock()
	defer reserved.Unlock()
	for {
		for reserved.next < reserved.end {
			port := reserved.next
			reserved.next++
			if l, err := listen(port); err == nil {
				return l, nil
			}
		}
		if err := reserveBlock(); err != nil {
			return nil, err
		}
	}
}

// reserveBlock takes the next ports that no other process has reserved: those that follow
// a port at which it alone can listen.
func reserveBlock() error {
	for ; reserved.block < portBlocks; reserved.block++ {
		first := firstPort + reserved.block*portsInBlock
		l, err := listen(first)
		if err != nil {
			continue // another process has it
		}
		reserved.held = append(reserved.held, l)
		reserved.next, reserved.end = first+1, first+portsInBlock
		reserved.block++
		return nil
	}
	return errors.New("all ports of the tests are reserved")
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

// Held is how many files stay open until the process ends: for tests that count them.
func Held() int {
	reserved.Lock()
	defer reserved.Unlock()
	return len(reserved.held)
}

// Choose finds loopback addresses that nobody serves, and that no other call is given.
func Choose(n int) ([]string, error) {
	var out []string
	var listeners []net.Listener
	err := WithoutForks(func() error {
		defer func() {
			for _, l := range listeners {
				_ = l.Close() // it was only to learn its address
			}
		}()
		for range n {
			l, err := Listen()
			if err != nil {
				return err
			}
			listeners, out = append(listeners, l), append(out, l.Addr().String())
		}
		return nil
	})
	return out, err
}

// WithoutForks calls do while no process is being started. Until a new process runs its
// program it holds a copy of all that is open: a listener that was closed meanwhile still
// has its port, for as long as the machine is busy.
func WithoutForks(do func() error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return do()
}

// Addresses are the addresses of Choose.
func Addresses(t testing.TB, n int) []string {
	t.Helper()
	out, err := Choose(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Address finds one.
func Address(t testing.TB) string {
	t.Helper()
	return Addresses(t, 1)[0]
}
