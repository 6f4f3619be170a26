package milvus

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

// backlogs asks the sources of a topology whether they hold messages that their
// standbys have not replicated (milvus.md §6): a checkpoint that stands
// still is one of an idle channel, or one that is stuck. It needs both up, and a
// source that serves DumpMessages. It takes a deadline at most for each source.
func (f *Fleet) backlogs(ctx context.Context, t *scene) {
	for _, source := range t.sights {
		if source.link == nil {
			continue
		}
		if asked := f.unsent(ctx, source); source.unprobed && !asked {
			source.view.ForcePromotes, source.view.DumpDenied = f.probe(ctx, source.link, source.pass, source.view.Version)
		}
	}
}

// dumps says whether a source can be asked: it answers, it is the one we mean,
// and nothing shows that it does not know DumpMessages.
func (s *sight) dumps() bool {
	return s.view.Reach == plan.ReachUp && s.view.IdentityProven && !s.view.DumpDenied && (s.unprobed || s.view.ForcePromotes == plan.SupportYes)
}

// place is where the log of a source is asked from. Standbys that have
// replicated equally far ask the same, once. Where nothing was replicated yet, it
// is where the replication to that standby began.
type place struct {
	channel, message string
	wal              commonpb.WALName
	tick             uint64
	standby          string // where nothing was replicated yet
}

// question is a place, and the channels of standbys that wait for the answer.
type question struct {
	place
	waiting []*plan.ChannelProgress
}

// unsent fills in what the channels of the standbys of a source have not
// replicated, and says whether the source was asked for that. Where it cannot be
// told, it stays unsaid.
func (f *Fleet) unsent(ctx context.Context, source *sight) (asked bool) {
	standbys := slices.DeleteFunc(slices.Clone(source.scene.sights), func(s *sight) bool {
		return s.view.Belief.Kind != plan.BeliefStandby || s.view.Belief.Source != source.cluster.ID || s.link == nil || len(s.view.Progress) == 0
	})
	if len(standbys) == 0 || !source.dumps() {
		return false
	}
	ctx, cancel := source.link.shortly(ctx)
	defer cancel()
	until := source.newest(ctx)
	if until == 0 {
		return true
	}
	questions := questions(f.stands(ctx, source.cluster.ID, standbys), until)
	told := make([]plan.Support, len(questions))
	denied := make([]bool, len(questions))
	var called atomic.Bool
	unhurried(len(questions), f.concurrency, func(i int) {
		oldest, known, err := source.first(ctx, questions[i].place, until)
		if errors.Is(err, errNotAsked) {
			return
		}
		called.Store(true)
		told[i], denied[i] = source.link.support(err)
		if err == nil && known {
			questions[i].answer(oldest, until)
		}
	})
	if called.Load() {
		source.learn(told, slices.Contains(denied, true))
	}
	return called.Load()
}

// first is the tick of the oldest message that is not replicated behind a place,
// up to a tick; 0: there is none.
func (s *sight) first(ctx context.Context, at place, until uint64) (oldest uint64, known bool, err error) {
	if at.standby != "" {
		return s.link.firstSince(ctx, s.cluster.ID, at, until)
	}
	oldest, err = s.link.firstAfter(ctx, at, until)
	return oldest, true, err
}

// newest is the moment of a source: one that gave none, because it does not
// believe to be a primary, is asked now.
func (s *sight) newest(ctx context.Context) uint64 {
	if s.moment.asked {
		return s.moment.tick
	}
	tick, _ := s.link.tick(ctx) // without one, nothing is told
	return tick
}

// behind is a channel of a standby, and where it stands.
type behind struct {
	standby string
	channel *plan.ChannelProgress
	from    *commonpb.ReplicateCheckpoint
}

// stands are the channels of standbys with their checkpoints. Those that were
// read before the moment of the source are read again.
func (f *Fleet) stands(ctx context.Context, source string, standbys []*sight) []behind {
	var out []behind
	var late []func()
	for _, s := range standbys {
		for i := range s.view.Progress {
			p := &s.view.Progress[i]
			if !p.Known {
				continue
			}
			if s.checkpoints != nil {
				out = append(out, behind{s.cluster.ID, p, s.checkpoints[i]})
				continue
			}
			at := len(out)
			out = append(out, behind{standby: s.cluster.ID, channel: p})
			late = append(late, func() {
				info, _ := s.link.info(ctx, p.Channel, source) // without an answer, nothing is told
				out[at].from = info.GetCheckpoint()
			})
		}
	}
	unhurried(len(late), f.concurrency, func(i int) { late[i]() })
	return slices.DeleteFunc(out, func(b behind) bool { return b.from.GetClusterId() != source })
}

// questions are what is to be asked of a source up to a tick, each once. Those
// that need a long reading come last.
func questions(stands []behind, until uint64) []*question {
	wal := walOf(func(yield func(*commonpb.MessageID) bool) {
		for _, b := range stands {
			if !yield(b.from.GetMessageId()) {
				return
			}
		}
	})
	known := map[place]*question{}
	var out []*question
	for _, b := range stands {
		at := place{b.from.GetPchannel(), b.from.GetMessageId().GetId(), b.from.GetMessageId().GetWALName(), b.from.GetTimeTick(), ""}
		if at.message == "" {
			at.wal, at.standby = wal, b.standby
		}
		q := known[at]
		if q == nil {
			q = &question{place: at}
			known[at], out = q, append(out, q)
		}
		q.waiting = append(q.waiting, b.channel)
	}
	slices.SortStableFunc(out, func(a, b *question) int { return cmp.Compare(min(len(a.standby), 1), min(len(b.standby), 1)) })
	return slices.DeleteFunc(out, func(q *question) bool {
		through := q.tick >= until // nothing can be left behind it
		if through {
			q.answer(0, until)
		}
		return through
	})
}

// walOf is the message queue of the cluster that ids are of: a checkpoint without
// a message does not name it.
func walOf(ids iter.Seq[*commonpb.MessageID]) commonpb.WALName {
	for id := range ids {
		if id.GetWALName() != commonpb.WALName_Unknown {
			return id.GetWALName()
		}
	}
	return commonpb.WALName_Unknown
}

// answer fills in the channels: oldest is the tick of the first message that
// they lack, 0: there is none up to a tick of the source.
func (q *question) answer(oldest, until uint64) {
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

// learn takes from the dumps of a source whether it knows DumpMessages, and
// whether it lets us.
func (s *sight) learn(told []plan.Support, denied bool) {
	s.view.DumpDenied = s.view.DumpDenied || denied
	if !s.unprobed {
		return
	}
	for _, known := range []plan.Support{plan.SupportNo, plan.SupportYes} {
		if slices.Contains(told, known) {
			s.view.ForcePromotes = known
		}
	}
	s.link.fleet.remember(s.pass, s.view.Version, s.view.ForcePromotes, s.view.DumpDenied)
}

func (f *Fleet) connect(a access) (*link, error) {
	pass, err := f.ticket(a)
	if err != nil {
		return nil, err
	}
	return f.dial(pass)
}

// firstAfter is the tick of the oldest message behind a checkpoint, up to a
// tick; 0: there is none.
func (l *link) firstAfter(ctx context.Context, at place, until uint64) (oldest uint64, err error) {
	start := &commonpb.MessageID{Id: at.message, WALName: at.wal}
	var unread error
	err = l.dump(ctx, stretch{channel: at.channel, start: start, from: at.tick + 1, until: until}, func(m *commonpb.ImmutableMessage) bool {
		if local(m) {
			return true
		}
		oldest, unread = messageTick(m)
		return false
	})
	return oldest, errors.Join(err, unread)
}
