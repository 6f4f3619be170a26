package serve

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// mostConnections is the maximum number of client connections. An apply needs file
// descriptors too, so clients get at most a quarter of them.
const (
	mostConnections  = 256
	descriptorsShare = 4
)

// ipv6ClientBits is the prefix length that identifies an IPv6 client. A subscriber usually
// has all addresses of such a network.
const ipv6ClientBits = 64

// holders limits what clients hold, such as connections. It always admits a new one, so
// that many slow clients cannot keep a probe out. At the limit it ends one of the client
// that holds the most: the one that has been idle longest, else the oldest.
type holders[M comparable] struct {
	most int

	mu   sync.Mutex
	held map[M]holder
	turn uint64
}

type holder struct {
	client netip.Prefix
	idle   bool
	since  uint64 // the turn at which it was added, or became idle
}

func newHolders[M comparable](most int) *holders[M] {
	return &holders[M]{most: most, held: map[M]holder{}}
}

// add records that a client holds something, and whether it is idle. At the limit it
// returns what the caller must end, and over is true.
func (c *holders[M]) add(what M, client netip.Prefix, idle bool) (surplus M, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	known, there := c.held[what]
	if !there || idle != known.idle {
		c.held[what] = holder{client, idle, c.turn}
	}
	if len(c.held) <= c.most {
		return surplus, false
	}
	surplus = c.choose(what)
	delete(c.held, surplus)
	return surplus, true
}

func (c *holders[M]) remove(what M) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, what)
}

// choose returns what to end in favour of the newest. The caller holds the lock.
func (c *holders[M]) choose(newest M) M {
	of, most := map[netip.Prefix]int{}, 0
	for _, p := range c.held {
		of[p.client]++
		most = max(most, of[p.client])
	}
	out, found := newest, holder{}
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

// connections limits the connections of a server.
type connections struct{ *holders[net.Conn] }

func newConnections() connections {
	return connections{newHolders[net.Conn](max(1, min(mostConnections, descriptorLimit()/descriptorsShare)))}
}

// changed is the http.Server.ConnState of the server.
func (c connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew, http.StateIdle, http.StateActive:
		if surplus, over := c.add(conn, clientOf(conn.RemoteAddr().String()), state == http.StateIdle); over {
			closeAbruptly(surplus)
		}
	default:
		c.remove(conn)
	}
}

// closeAbruptly closes a connection without the TLS close message, which would wait
// seconds for a client that reads nothing.
func closeAbruptly(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close() // the connection is given up either way
}

// clientOf returns the prefix that identifies the client: an IPv4 address, or the network
// of an IPv6 address.
func clientOf(address string) netip.Prefix {
	from, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{} // clients without a valid address count as one
	}
	ip := from.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = ipv6ClientBits
	}
	client, _ := ip.Prefix(bits) // so many bits it has
	return client
}
