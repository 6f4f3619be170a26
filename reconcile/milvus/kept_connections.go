package milvus

import "time"

// maxKept bounds the connections that are kept. Each takes 45 kB here, half of it the
// stacks of five goroutines, and some 24 µs of each garbage collection. A connection that
// is not kept costs 0.3 ms of processor time with each sweep, without TLS, and is as good:
// clusters beyond the bound get a new one each time.
const maxKept = 128

// kept is a connection that one read leaves for the next.
type kept struct {
	link  *link
	pass  ticket
	since time.Time
}

// linkFor returns a connection for a read: the kept one, if it was made with the same
// token, address and TLS and is not too old, or a new one.
func (f *Fleet) linkFor(pass ticket, mayReuse bool) (l *link, since time.Time, reused bool, err error) {
	now := f.clock.Now()
	if mayReuse && f.keepFor > 0 {
		f.mu.Lock()
		k, there := f.kept[pass.cluster]
		delete(f.kept, pass.cluster)
		f.mu.Unlock()
		switch {
		case there && k.pass == pass && now.Sub(k.since) < f.keepFor:
			return k.link, k.since, true, nil
		case there:
			k.link.close()
		}
	}
	l, err = f.dial(pass)
	return l, now, false, err
}

// keepLink keeps a connection over which a cluster answered for the next read: one for
// each cluster, and maxKept in all. gRPC closes a kept connection that was idle for
// keepFor. Connections that are too old, because their cluster is not read any more, make
// room here.
func (f *Fleet) keepLink(l *link, pass ticket, since time.Time) {
	for _, old := range f.storeLink(l, pass, since) {
		old.close()
	}
}

// storeLink keeps a connection and returns those to close.
func (f *Fleet) storeLink(l *link, pass ticket, since time.Time) (closing []*link) {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, k := range f.kept {
		if now.Sub(k.since) >= f.keepFor {
			closing = append(closing, k.link)
			delete(f.kept, id)
		}
	}
	if _, there := f.kept[pass.cluster]; f.keepFor <= 0 || there || f.ended || len(f.kept) >= f.mostKept {
		return append(closing, l)
	}
	f.kept[pass.cluster] = kept{link: l, pass: pass, since: since}
	return closing
}
