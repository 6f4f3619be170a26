package milvus

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/wal"
)

// backlogs asks the sources of a topology whether they hold messages that their standbys
// have not replicated (milvus.md §6). Without that, the checkpoint of an idle channel
// looks like that of a stuck one. It needs both clusters up and a source that serves
// DumpMessages, and takes one deadline at most for each source.
func (f *Fleet) backlogs(ctx context.Context, t *topologyRead) {
	for _, source := range t.reads {
		if source.link == nil {
			continue
		}
		if asked := f.unsent(ctx, source); source.featuresFromDump && !asked {
			f.lasting(source)
			source.view.ForcePromotes, source.view.DumpDenied = f.probeFeatures(ctx, source.link, source.pass, source.view.Version)
		}
	}
}

// canDump says whether a source can be asked: it answers, it is the cluster that we mean,
// and nothing shows that it does not know DumpMessages.
func (s *clusterRead) canDump() bool {
	return s.view.Reach == plan.ReachUp && s.view.IdentityProven && !s.view.DumpDenied && (s.featuresFromDump || s.view.ForcePromotes == plan.SupportYes)
}

// logPosition is where the log of a source is read from. Standbys that have replicated
// equally far share one position. Where nothing was replicated yet, it is where the
// replication to that standby began.
type logPosition struct {
	channel, message string
	wal              commonpb.WALName
	tick             uint64
	standby          string // where nothing was replicated yet
}

// logQuestion is a position, and the channels of standbys that wait for what is behind it.
type logQuestion struct {
	logPosition
	waiting []*plan.ChannelProgress
}

// unsent sets what the channels of the standbys of a source have not replicated, and says
// whether the source was asked. What cannot be found out stays unset.
func (f *Fleet) unsent(ctx context.Context, source *clusterRead) (asked bool) {
	standbys := slices.DeleteFunc(slices.Clone(source.topology.reads), func(s *clusterRead) bool {
		return s.view.Belief.Kind != plan.BeliefStandby || s.view.Belief.Source != source.cluster.ID || s.link == nil && s.checkpoints == nil || len(s.view.Progress) == 0
	})
	if len(standbys) == 0 || !source.canDump() {
		return false
	}
	ctx, cancel := source.link.withReadTimeout(ctx)
	defer cancel()
	until := source.newestTick(ctx)
	if until == 0 {
		return true
	}
	for _, s := range standbys {
		s.view.SourceAt = plan.TickTime(until)
	}
	return f.ask(ctx, source, logQuestions(f.standbysBehind(ctx, source.cluster.ID, standbys), until), until)
}

// ask asks a source what it holds behind positions of its log, up to a tick, and says
// whether it made a call.
func (f *Fleet) ask(ctx context.Context, source *clusterRead, questions []*logQuestion, until uint64) bool {
	asked := len(questions)
	if questions = f.askBriefly(ctx, source, questions, until); len(questions) == 0 {
		if asked > 0 {
			source.learnFeatures([]plan.Support{plan.SupportYes}, false)
		}
		return asked > 0
	}
	f.lasting(source)
	told := make([]plan.Support, len(questions))
	denied := make([]bool, len(questions))
	kept := make([]localMessages, len(questions))
	var called atomic.Bool
	parallel.EachOvertaking(len(questions), f.concurrency, func(i int) {
		oldest, known, err := source.firstLosable(ctx, questions[i].logPosition, until, &kept[i])
		if errors.Is(err, errNotAsked) {
			return
		}
		called.Store(true)
		told[i], denied[i] = source.link.support(err)
		if err == nil && known {
			questions[i].answer(oldest, until)
		}
	})
	for _, k := range kept {
		source.topology.kept.join(k)
	}
	if called.Load() {
		source.learnFeatures(told, slices.Contains(denied, true))
	}
	return called.Load()
}

// firstLosable returns the tick of the oldest message behind a position, up to a tick,
// that a failover would lose; 0: there is none. It counts those that no standby gets.
func (s *clusterRead) firstLosable(ctx context.Context, at logPosition, until uint64, kept *localMessages) (oldest uint64, known bool, err error) {
	if at.standby != "" {
		return s.link.firstSince(ctx, s.cluster.ID, at, until, kept)
	}
	oldest, err = s.link.firstAfter(ctx, at, until, kept)
	return oldest, true, err
}

// newestTick returns the tick of a source. A source that gave none, because it does not
// believe to be a primary, is asked now.
func (s *clusterRead) newestTick(ctx context.Context) uint64 {
	if s.tick.asked {
		return s.tick.value
	}
	tick, _ := s.link.tick(ctx) // without one, nothing is told
	return tick
}

// standbyBehind is a channel of a standby, and how far it has replicated.
type standbyBehind struct {
	standby string
	channel *plan.ChannelProgress
	from    *commonpb.ReplicateCheckpoint
}

// standbysBehind returns the channels of standbys with their checkpoints. It reads again
// those that were read before the source gave its tick.
func (f *Fleet) standbysBehind(ctx context.Context, source string, standbys []*clusterRead) []standbyBehind {
	var out []standbyBehind
	var late []func()
	for _, s := range standbys {
		for i := range s.view.Progress {
			p := &s.view.Progress[i]
			if !p.Known {
				continue
			}
			if s.checkpoints != nil {
				out = append(out, standbyBehind{standby: s.cluster.ID, channel: p, from: s.checkpoints[i]})
				continue
			}
			at := len(out)
			out = append(out, standbyBehind{standby: s.cluster.ID, channel: p})
			late = append(late, func() {
				info, _ := s.link.info(ctx, p.Channel, source) // without an answer, nothing is told
				out[at].from = info.GetCheckpoint()
			})
		}
	}
	parallel.EachOvertaking(len(late), f.concurrency, func(i int) { late[i]() })
	return slices.DeleteFunc(out, func(b standbyBehind) bool { return b.from.GetClusterId() != source })
}

// logQuestions returns what to ask a source up to a tick, each question once. Those that
// read much of a log come last.
func logQuestions(stands []standbyBehind, until uint64) []*logQuestion {
	queue := walOf(func(yield func(*commonpb.MessageID) bool) {
		for _, b := range stands {
			if !yield(b.from.GetMessageId()) {
				return
			}
		}
	})
	known := map[logPosition]*logQuestion{}
	var out []*logQuestion
	for _, b := range stands {
		at := logPosition{b.from.GetPchannel(), b.from.GetMessageId().GetId(), b.from.GetMessageId().GetWALName(), b.from.GetTimeTick(), ""}
		if at.message == "" {
			at.wal, at.standby = queue, b.standby
		}
		q := known[at]
		if q == nil {
			q = &logQuestion{logPosition: at}
			known[at], out = q, append(out, q)
		}
		q.waiting = append(q.waiting, b.channel)
	}
	slices.SortStableFunc(out, func(a, b *logQuestion) int { return cmp.Compare(min(len(a.standby), 1), min(len(b.standby), 1)) })
	return slices.DeleteFunc(out, func(q *logQuestion) bool {
		through := q.tick >= until // nothing can be left behind it
		if through {
			q.answer(0, until)
		}
		return through
	})
}

// walOf returns the message queue of the cluster that the ids are of: a checkpoint without
// a message does not name it.
func walOf(ids iter.Seq[*commonpb.MessageID]) commonpb.WALName {
	for id := range ids {
		if id.GetWALName() != commonpb.WALName_Unknown {
			return id.GetWALName()
		}
	}
	return commonpb.WALName_Unknown
}

// answer sets the channels of a question. oldest is the tick of the first message that
// they lack; 0: there is none up to until.
func (q *logQuestion) answer(oldest, until uint64) {
	for _, p := range q.waiting {
		if oldest != 0 {
			at := plan.TickTime(oldest)
			p.Unsent = &at
		} else {
			at := plan.TickTime(until)
			p.CaughtUpAt = &at
		}
	}
}

// learnFeatures derives from the dumps of a source whether it knows DumpMessages, and
// whether our user may call it.
func (s *clusterRead) learnFeatures(told []plan.Support, denied bool) {
	s.view.DumpDenied = s.view.DumpDenied || denied
	if !s.featuresFromDump {
		return
	}
	for _, known := range []plan.Support{plan.SupportNo, plan.SupportYes} {
		if slices.Contains(told, known) {
			s.view.ForcePromotes = known
		}
	}
	s.link.fleet.rememberBuild(s.pass, s.view.Version, s.view.ForcePromotes, s.view.DumpDenied)
}

func (f *Fleet) dialBound(a access) (*link, error) {
	pass, err := f.ticket(a)
	if err != nil {
		return nil, err
	}
	return f.dial(pass)
}

// behind is the log behind a checkpoint, up to a tick.
func (at logPosition) behind(until uint64) stretch {
	return stretch{channel: at.channel, start: &commonpb.MessageID{Id: at.message, WALName: at.wal}, from: at.tick + 1, until: until}
}

// firstAfter returns the tick of the oldest message behind a checkpoint, up to a tick; 0:
// there is none.
func (l *link) firstAfter(ctx context.Context, at logPosition, until uint64, kept *localMessages) (oldest uint64, err error) {
	var unread error
	err = l.dump(ctx, at.behind(until), func(m *commonpb.ImmutableMessage) bool {
		if wal.Local(m) {
			kept.add(m)
			return true
		}
		oldest, unread = wal.Tick(m)
		return false
	})
	return oldest, errors.Join(err, unread)
}

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
func (l *link) firstSince(ctx context.Context, source string, at logPosition, until uint64, kept *localMessages) (oldest uint64, known bool, err error) {
	way := route{source, at.channel, at.standby}
	before := l.fleet.originOf(way)
	part := stretch{channel: at.channel, start: wal.Beginning(at.wal), after: true, until: until}
	switch {
	case before.at != nil: // the configuration must still be there, or retention cut the log behind it
		part.start, part.from = before.at, before.since
	case part.start == nil, before.since == 0 && l.fleet.clock.Now().Sub(before.tried) < rereadAfter:
		return 0, false, errNotAsked
	}
	since := sinceAttached{attachment: attachment{source: source, standby: at.standby}, kept: kept}
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
	if errors.Is(err, errLongLog) || errors.Is(err, wal.ErrHeader) {
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
	kept   *localMessages // counts those that no standby gets
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
	case wal.Local(m):
		s.kept.add(m)
	case s.since != 0 && s.oldest == 0:
		s.oldest, s.unread = wal.Tick(m)
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
