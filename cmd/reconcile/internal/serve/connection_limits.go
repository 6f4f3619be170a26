package serve

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// mostConnections bounds the connections of clients. What promotes needs
// descriptors, too: clients get a quarter of them at most.
const (
	mostConnections  = 256
	descriptorsShare = 4
)

// sameSubscriber is the part of an IPv6 address that names one client: who has one
// address of such a network has them all.
const sameSubscriber = 64

// crowd keeps what clients hold, as connections, within a bound. The newest always
// gets in, so that many slow clients keep no probe out. What makes room for it belongs
// to the client who holds the most; of that client's, one that is idle after an answer
// goes first, the one that is idle for longest, and then the oldest: a probe is answered
// long before it is that.
type crowd[M comparable] struct {
	most int

	mu   sync.Mutex
	held map[M]holding
	turn uint64
}

type holding struct {
	client netip.Prefix
	idle   bool
	since  uint64 // the turn at which it came, or became idle
}

func newCrowd[M comparable](most int) *crowd[M] {
	return &crowd[M]{most: most, held: map[M]holding{}}
}

// note says that a client holds something, and whether it is idle. It returns what has
// to go for it.
func (c *crowd[M]) note(what M, client netip.Prefix, idle bool) (surplus M, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	known, there := c.held[what]
	if !there || idle != known.idle {
		c.held[what] = holding{client, idle, c.turn}
	}
	if len(c.held) <= c.most {
		return surplus, false
	}
	surplus = c.surplus(what)
	delete(c.held, surplus)
	return surplus, true
}

func (c *crowd[M]) leave(what M) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, what)
}

// surplus is what goes for the newest; the lock is held.
func (c *crowd[M]) surplus(newest M) M {
	of, most := map[netip.Prefix]int{}, 0
	for _, p := range c.held {
		of[p.client]++
		most = max(most, of[p.client])
	}
	out, found := newest, holding{}
	for what, p := range c.held {
		if what == newest || of[p.client] < most {
			continue
		}
		if out == newest || p.idle == found.idle && p.since < found.since || p.idle && !found.idle {
			out, found = what, p
		}
	}
	return out
}

// connections keeps the connections of a server within a bound.
type connections struct{ *crowd[net.Conn] }

func newConnections() connections {
	return connections{newCrowd[net.Conn](max(1, min(mostConnections, descriptors()/descriptorsShare)))}
}

// changed is told by the server what a connection does (http.Server.ConnState).
func (c connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew, http.StateIdle, http.StateActive:
		if surplus, over := c.note(conn, clientOf(conn.RemoteAddr().String()), state == http.StateIdle); over {
			cut(surplus)
		}
	default:
		c.leave(conn)
	}
}

// cut ends a connection without a word: to a client that reads nothing, TLS would wait
// for seconds to say that it ends.
func cut(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close() // whatever came of it, it is no longer ours
}

// clientOf is the client of an address: the address itself, or its network.
func clientOf(address string) netip.Prefix {
	from, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{} // all whose address is none are one
	}
	ip := from.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = sameSubscriber
	}
	client, _ := ip.Prefix(bits) // so many bits it has
	return client
}
