package milvus

import (
	"crypto/tls"
	"time"
)

// maxSession is for how long a TLS session may be resumed. Then a server shows its
// certificate again.
const maxSession = time.Hour

// tlsSession lets the reads of one cluster resume a TLS session, which costs a fraction of
// a handshake.
type tlsSession struct {
	of    ticket
	since time.Time
	conf  *tls.Config
}

// resuming returns a ticket whose TLS resumes the session of an earlier read of the same
// cluster, at the same address, with the same token and certificates. Only observations of
// a process that makes them again and again use it: what probes and requests are sent over
// begins with a whole handshake.
func (f *Fleet) resuming(t ticket) ticket {
	if t.tls == nil {
		return t
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, there := f.sessions[t.cluster]
	if now := f.clock.Now(); !there || s.of != t || now.Sub(s.since) >= maxSession {
		s = tlsSession{of: t, since: now, conf: t.tls.Clone()}
		s.conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		f.sessions[t.cluster] = s
	}
	t.tls = s.conf
	return t
}
