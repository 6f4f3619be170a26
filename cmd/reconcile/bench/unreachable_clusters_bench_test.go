package bench

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// deadline is that of a read (contract.md §8.5).
const deadline = 3 * time.Second

// losses are the ways in which a cluster does not answer; each returns how it is
// brought back.
var losses = []struct {
	name string
	lose func(b *testing.B, e *estate, id, address string) (back func())
}{
	{"refused", func(b *testing.B, e *estate, id, _ string) func() {
		e.tell(b, "POST", "/clusters/"+id+"/stop", "")
		return func() { e.tell(b, "POST", "/clusters/"+id+"/start", "") }
	}},
	{"silent", func(b *testing.B, e *estate, id, address string) func() {
		e.tell(b, "POST", "/clusters/"+id+"/stop", "")
		l, err := net.Listen("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		return func() { _ = l.Close(); e.tell(b, "POST", "/clusters/"+id+"/start", "") }
	}},
	{"black hole", func(b *testing.B, e *estate, id, address string) func() {
		e.tell(b, "POST", "/clusters/"+id+"/stop", "")
		end := swallow(b, address)
		return func() { end(); e.tell(b, "POST", "/clusters/"+id+"/start", "") }
	}},
	{"hanging", disturbed(`{"method":"*","kind":"hang"}`)},
	{"slow", disturbed(`{"method":"*","kind":"delay","for":"5s"}`)},
}

func disturbed(fault string) func(*testing.B, *estate, string, string) func() {
	return func(b *testing.B, e *estate, id, _ string) func() {
		e.tell(b, "POST", "/clusters/"+id+"/faults", fault)
		return func() { e.tell(b, "DELETE", "/clusters/"+id+"/faults", "") }
	}
}

func (e *estate) tell(b *testing.B, method, path, body string) {
	b.Helper()
	if _, err := testkit.Request(method, e.control+path, body); err != nil {
		b.Fatal(err)
	}
}

// swallow makes an address drop what is sent to it, as a host without power does:
// Linux drops the SYN of a listener whose queue is full.
func swallow(b *testing.B, address string) (end func()) {
	b.Helper()
	at, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		b.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte(at.IP.To4()), Port: at.Port})
	}
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	for range 3 {
		go func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err != nil {
				return
			}
			<-ctx.Done()
			_ = conn.Close()
		}()
	}
	return func() { cancel(); _ = syscall.Close(fd) }
}

// BenchmarkLost is a pass while a tenth of the clusters does not answer: of three
// topologies in ten one, by turns their primary and their standbys. What it takes
// longer than with all of them, in units of the deadline of a read, must be one
// at most, however many are lost.
func BenchmarkLost(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := newEstate(b, n)
			healthy := map[string]time.Duration{}
			pass := func(b *testing.B, name, command string) {
				b.Run(command+"/"+name, func(b *testing.B) {
					b.StopTimer()
					var c cost
					for range b.N {
						c.spend(b, e, -1, command, "--config", e.config)
					}
					c.report(b, n)
					wall := c.wall / time.Duration(c.runs)
					if healthy[command] == 0 {
						healthy[command] = wall
					}
					b.ReportMetric(float64(wall-healthy[command])/float64(deadline), "deadlines-lost")
				})
			}
			both := func(name string) { pass(b, name, "plan"); pass(b, name, "drift") }
			new(cost).spend(b, e, 0, "drift", "--config", e.config) // the first of all is slower
			both("none")
			for _, loss := range losses {
				var back []func()
				for i := range n * 3 / 10 {
					back = append(back, loss.lose(b, e, fmt.Sprintf("t%04d-%c", i, 'a'+rune(i%3)), address(3*i+i%3)))
				}
				<-time.After(100 * time.Millisecond) // the queues fill
				both(loss.name)
				for _, f := range back {
					f()
				}
			}
		})
	}
}
