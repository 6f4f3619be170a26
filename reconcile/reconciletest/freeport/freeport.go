// Package freeport gives tests loopback ports that nobody else takes, not even while the
// test does not listen there.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	block     int        // the next one to try
	locks     []*os.File // held until the process ends
}

// Listen listens at a free loopback port, which no other call is given.
func Listen() (net.Listener, error) {
	reserved.Lock()
	defer reserved.Unlock()
	for {
		for reserved.next < reserved.end {
			port := reserved.next
			reserved.next++
			if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				return l, nil
			}
		}
		if err := reserveBlock(); err != nil {
			return nil, err
		}
	}
}

// reserveBlock takes the next ports that no other process has reserved, by a lock
// on a file that ends with the process.
func reserveBlock() error {
	dir := locksDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for ; reserved.block < portBlocks; reserved.block++ {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(reserved.block)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			_ = f.Close() // another process has it
			continue
		}
		reserved.locks = append(reserved.locks, f)
		reserved.next = firstPort + reserved.block*portsInBlock
		reserved.end = reserved.next + portsInBlock
		reserved.block++
		return nil
	}
	return errors.New("all ports of the tests are reserved")
}

func locksDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("reconcile-test-ports-%d", os.Getuid()))
}

// Holds says whether a file is one of the locks, which stay open until the process ends:
// for tests that count open files.
func Holds(file string) bool { return filepath.Dir(file) == locksDir() }

// Addresses finds loopback addresses that nobody serves, and that no other test
// is given.
func Addresses(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := Listen()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // only to learn its address
		out = append(out, l.Addr().String())
	}
	return out
}

// Address finds one.
func Address(t testing.TB) string {
	t.Helper()
	return Addresses(t, 1)[0]
}
