package serve

import (
	"net"
	"net/http"
	"sync"
)

// mostConnections bounds the connections of clients. What promotes needs
// descriptors, too: clients get a quarter of them at most.
const (
	mostConnections  = 256
	descriptorsShare = 4
)

// connections keeps the clients of a server within a bound. When there are too
// many, the one that has waited longest without a request is closed; where none
// waits, the newest is.
type connections struct {
	most int

	mu   sync.Mutex
	open map[net.Conn]uint64 // with the turn since when it waits; 0: it is served
	turn uint64
}

func newConnections() *connections {
	return &connections{most: max(1, min(mostConnections, descriptors()/descriptorsShare)), open: map[net.Conn]uint64{}}
}

// changed is told by the server what a connection does (http.Server.ConnState).
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew, http.StateIdle:
		c.turn++
		c.open[conn] = c.turn
	case http.StateActive:
		c.open[conn] = 0
	default:
		delete(c.open, conn)
	}
	for len(c.open) > c.most {
		surplus := c.longestWaiting(conn)
		delete(c.open, surplus)
		_ = surplus.Close() // whatever came of it, it is no longer ours
	}
}

// longestWaiting is the connection to close for a new one; the new one itself
// where all others are served.
func (c *connections) longestWaiting(newest net.Conn) net.Conn {
	oldest, since := newest, uint64(0)
	for conn, waits := range c.open {
		if conn != newest && waits != 0 && (since == 0 || waits < since) {
			oldest, since = conn, waits
		}
	}
	return oldest
}
