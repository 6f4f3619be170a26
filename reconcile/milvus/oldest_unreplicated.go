package milvus

import (
	"context"
	"errors"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// The log of a channel on which nothing was replicated yet is read from its beginning.
// Where replication began is kept, so that the next read takes only what follows. A log
// that takes too long to read is not read again soon.
const (
	longestLog  = 10_000 // messages
	rereadAfter = 10 * time.Minute
)

// route is the replication of one channel of a source to a standby.
type route struct{ source, channel, standby string }

// origin is where the replication over a route began.
type origin struct {
	since uint64              // by the ticks of the source; 0: not found
	at    *commonpb.MessageID // nil: not known
	tried time.Time
}

// errNotAsked: no call was made, so that nothing is told of the server either.
var errNotAsked = errors.New("the log was not read")

var errLongLog = errors.New("the log is too long to be read from its beginning")

// firstSince returns the tick of the oldest message that a source wrote on a channel since
// the replication to a standby began, up to a tick; 0: there is none. known says whether
// that could be found out. It is for channels on which nothing was replicated.
func (l *link) firstSince(ctx context.Context, source string, at logPosition, until uint64) (oldest uint64, known bool, err error) {
	way := route{source, at.channel, at.standby}
	before := l.fleet.originOf(way)
	part := stretch{channel: at.channel, start: beginning(at.wal), after: true, until: until}
	switch {
	case before.at != nil: // the configuration must still be there, or retention cut the log behind it
		part.start, part.from = before.at, before.since
	case part.start == nil, before.since == 0 && l.fleet.clock.Now().Sub(before.tried) < rereadAfter:
		return 0, false, errNotAsked
	}
	since := sinceAttached{attachment: attachment{source: source, standby: at.standby}}
	err = l.dump(ctx, part, since.next)
	if err == nil {
		err = since.unread
	}
	switch {
	case err == nil:
		l.fleet.keepOrigin(way, origin{since.since, since.at, l.fleet.clock.Now()})
		return since.oldest, since.since != 0, nil
	case since.unread != nil || ctx.Err() != nil:
		l.fleet.keepOrigin(way, origin{tried: l.fleet.clock.Now()})
	}
	if errors.Is(err, errLongLog) || errors.Is(err, errHeader) {
		err = nil // it is of the log, not of the server
	}
	return 0, false, err
}

// sinceAttached searches a log for the oldest message behind the place where replication
// began.
type sinceAttached struct {
	attachment
	oldest uint64
	read   int
	unread error
}

// next takes the next message of the log, and says whether to go on.
func (s *sinceAttached) next(m *commonpb.ImmutableMessage) bool {
	if s.read++; s.read > longestLog {
		s.unread = errLongLog
		return false
	}
	before := s.since
	switch s.unread = s.add(m); {
	case s.unread != nil:
	case s.since != before:
		s.oldest = 0
	case s.since != 0 && s.oldest == 0 && !local(m):
		s.oldest, s.unread = messageTick(m)
	}
	return s.unread == nil
}

// originOf returns where the replication over a route began, as far as it is known.
func (f *Fleet) originOf(way route) origin {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.origins[way]
}

func (f *Fleet) keepOrigin(way route, o origin) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.origins[way] = o
}
