package milvus

import "time"

// maxKept bounds the connections that are kept. Each takes 45 kB here, half of it
// the stacks of five goroutines, and each collection of garbage costs some 24 µs
// more for it. One that is not kept costs 0.3 ms of processor time with each
// sweep, without TLS, and is as good: beyond the bound, clusters are connected to
// anew.
const maxKept = 128

// kept is a connection that one look leaves for the next.
type kept struct {
	link  *link
	pass  ticket
	since time.Time
}

// linkFor returns a connection for a look: one that was kept, if it was made
// with the same token, address and TLS and is not too old, or a new one.
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

// keepLink leaves a connection over which a cluster answered to the next look, one
// for each cluster and maxKept of all. gRPC closes it when it was idle for as long
// as it may be kept; what is too old, since nobody looks at its cluster any more,
// makes room here.
func (f *Fleet) keepLink(l *link, pass ticket, since time.Time) {
	for _, old := range f.storeLink(l, pass, since) {
		old.close()
	}
}

// storeLink puts a connection in its place, and returns those that are to be closed.
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
