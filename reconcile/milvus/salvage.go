package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
	"milvus-reconcile/reconcile/milvus/wal"
)

// salvageIdle is for how long a stream may bring nothing before it is given up. A server
// ends a stream once its channel has passed the wanted tick; a channel without time ticks
// never does.
const salvageIdle = 15 * time.Second

// SalvagedChannel is one channel of a stale primary, as it was read.
type SalvagedChannel struct {
	Channel  string // of the stale primary; empty when no checkpoint names it
	Promoted string // the channel of the promoted cluster that it replicated to
	// Replicated is the tick up to which it was replicated; 0: not known.
	Replicated uint64
	// Untouched: nothing was ever replicated on it. It was read from where the
	// replication to Promoted began; with no message and no problem, nothing was
	// ever written there.
	Untouched bool
	Messages  int64  // found behind it
	First     uint64 // tick of the first of them; 0: none
	Last      uint64
	// Problem says why what was found may not be all that the channel holds;
	// empty: it is.
	Problem string
}

// Salvage holds the messages of a stale primary that were never replicated.
type Salvage struct {
	Promoted string
	Stale    string
	Until    time.Time // by the stale cluster's own ticks; what it writes later is not in it
	Fenced   bool      // it refuses writes: nothing comes later
	Channels []SalvagedChannel
}

// Salvage reads, from each channel of a stale primary, what follows the place up to which
// it was replicated when promoted was promoted (milvus.md §1.4, §5.7). It calls visit with
// one message after the other, and never holds more than one. It changes nothing. Names of
// collections are those of the stale cluster.
func (r *Reader) Salvage(ctx context.Context, t plan.Topology, promoted, stale string, visit func(SalvagedMessage) error) (Salvage, error) {
	f, out := r.fleet, Salvage{Promoted: promoted, Stale: stale}
	bound := f.bind(t)
	marks, err := f.salvageMarks(ctx, bound[promoted], stale)
	if err != nil {
		return out, fmt.Errorf("read the salvage checkpoints of %s: %w", promoted, err)
	}
	v := f.view(ctx, t, bound[stale], probeOptions{identity: true, features: true, askTwice: true})
	switch {
	case v.Reach != plan.ReachUp:
		return out, fmt.Errorf("%s is %s: %s", stale, v.Reach, v.Error)
	case !v.IdentityProven:
		return out, fmt.Errorf("nothing proves that %s is what answers at its address", stale)
	}
	l, err := f.dialBound(bound[stale])
	if err != nil {
		return out, f.secrets.Err(err)
	}
	defer l.close()
	until, err := l.tick(ctx)
	if err != nil {
		return out, fmt.Errorf("ask %s: %w", stale, err)
	}
	out.Until, out.Fenced = plan.TickTime(until), v.Belief.Kind == plan.BeliefStandby
	s := newSalvaging(l, promoted, stale, marks, until)
	s.visit, s.names = visit, l.collectionNames(ctx)
	for _, m := range marks {
		c, err := s.channel(ctx, m)
		if err != nil {
			return out, err
		}
		out.Channels = append(out.Channels, c)
	}
	return out, nil
}

// salvageMark is the checkpoint that a force promote left on one channel.
type salvageMark struct {
	promoted   string // channel of the promoted cluster
	checkpoint *commonpb.ReplicateCheckpoint
	problem    string
}

// salvageMarks asks the promoted cluster how far each of its channels had replicated from
// the stale one.
func (f *Fleet) salvageMarks(ctx context.Context, a access, stale string) ([]salvageMark, error) {
	if !a.allowed() || a.cluster.ID == "" {
		return nil, errors.New(a.reason)
	}
	l, err := f.dialBound(a)
	if err != nil {
		return nil, f.secrets.Err(err)
	}
	defer l.close()
	out := make([]salvageMark, len(a.cluster.PChannels))
	read := func(i int) error {
		one, cancel := l.withReadTimeout(ctx)
		defer cancel()
		info, err := l.info(one, a.cluster.PChannels[i], stale)
		out[i] = salvageMark{promoted: a.cluster.PChannels[i], checkpoint: info.GetSalvageCheckpoint()}
		switch {
		case err != nil:
			out[i].problem = "its salvage checkpoint could not be read: " + f.secrets.Scrub(tokens.Text(err))
		case out[i].checkpoint == nil:
			out[i].problem = "the force promote left no salvage checkpoint on it"
		}
		return f.secrets.Err(err)
	}
	if len(out) == 0 {
		return nil, errors.New("it has no channels")
	}
	if err := read(0); err != nil { // the first one tells for all
		return nil, fmt.Errorf("%w (hint: Milvus %s reports them on a primary)", err, release.Version{}.Since(release.FeatureInfoOnPrimary))
	}
	parallel.Each(len(out)-1, f.concurrency, func(i int) { _ = read(i + 1) }) // its problem is noted
	if !slices.ContainsFunc(out, func(m salvageMark) bool { return m.checkpoint != nil }) {
		return nil, fmt.Errorf("it holds none of %s: it was not promoted by force in its place", stale)
	}
	return out, nil
}

// salvaging reads one stale primary.
type salvaging struct {
	*link
	promoted, stale string
	wal             commonpb.WALName // of the stale cluster; unknown where no checkpoint tells
	until           uint64
	visit           func(SalvagedMessage) error
	names           map[int64]collectionName
	keyFields       map[int64]string // by collection, of those that were asked for; empty: not known
}

func newSalvaging(l *link, promoted, stale string, marks []salvageMark, until uint64) *salvaging {
	queue := walOf(func(yield func(*commonpb.MessageID) bool) {
		for _, m := range marks {
			if !yield(m.checkpoint.GetMessageId()) {
				return
			}
		}
	})
	return &salvaging{link: l, promoted: promoted, stale: stale, wal: queue, until: until, keyFields: map[int64]string{}}
}

// channel reads one channel. Only an error of visit ends the read of all channels.
func (s *salvaging) channel(ctx context.Context, m salvageMark) (SalvagedChannel, error) {
	c := SalvagedChannel{Promoted: m.promoted, Problem: m.problem}
	if cp := m.checkpoint; cp != nil {
		c.Channel, c.Replicated, c.Untouched = cp.GetPchannel(), cp.GetTimeTick(), blank(cp)
	}
	if c.Problem != "" {
		return c, nil
	}
	behind, problem := s.behind(ctx, m.checkpoint)
	c.Problem = problem
	if behind.start == nil {
		return c, nil
	}
	var visiting error
	closed := false
	err := s.read(ctx, behind, func(raw *commonpb.ImmutableMessage) bool {
		if !wal.Losable(raw) {
			return true
		}
		msg := s.message(ctx, c.Channel, raw)
		c.Messages++
		closed = closed || wal.Type(raw) == wal.TypeTxn
		c.Last = msg.TimeTick
		if c.First == 0 {
			c.First = msg.TimeTick
		}
		visiting = s.visit(msg)
		return visiting == nil
	})
	if err != nil && visiting == nil && c.Problem == "" {
		c.Problem = "it could not be read to its end: " + err.Error()
	}
	if closed && c.Problem == "" {
		c.Problem = closedTransactions
	}
	return c, visiting
}

// closedTransactions: before #50574 and #51102 a transaction, which every upsert
// is, comes out of DumpMessages as one message without content.
const closedTransactions = "it holds transactions, upserts among them, whose rows this server does not give out: upgrade it in place to 2.6.20 or newer, and salvage again"

// blank says that nothing was ever replicated on a channel: its checkpoint names
// the cluster and the channel only (seen on 2.6 and master, 2026-11-29).
func blank(cp *commonpb.ReplicateCheckpoint) bool { return cp.GetMessageId().GetId() == "" }

// behind returns the part of a channel's log that was not replicated. problem says why
// that may not be all. Without a start the part cannot be read.
func (s *salvaging) behind(ctx context.Context, cp *commonpb.ReplicateCheckpoint) (out stretch, problem string) {
	if blank(cp) {
		return s.sinceAttached(ctx, cp.GetPchannel())
	}
	out = stretch{channel: cp.GetPchannel(), start: cp.GetMessageId(), from: cp.GetTimeTick() + 1, until: s.until}
	kept, err := s.keepsCheckpoint(ctx, cp)
	switch {
	case err != nil:
		problem = "it could not be read whether its log still holds the checkpoint: " + err.Error()
	case !kept:
		problem = "its log no longer holds the message that was replicated last: retention may have removed later messages, and Milvus' stream skips them without an error"
	}
	return out, problem
}

// sinceAttached returns all that a channel took since replication to the promoted cluster
// began. It is for channels that replicated nothing.
func (s *salvaging) sinceAttached(ctx context.Context, channel string) (out stretch, problem string) {
	out = stretch{channel: channel, start: wal.Beginning(s.wal), after: true, until: s.until}
	if out.start == nil {
		return stretch{}, "nothing had been replicated on it, and no other channel shows which message queue holds its log"
	}
	a := attachment{source: s.stale, standby: s.promoted}
	var unread error
	err := s.read(ctx, out, func(m *commonpb.ImmutableMessage) bool {
		unread = a.add(m)
		return unread == nil
	})
	switch err = errors.Join(err, unread); {
	case err != nil:
		return out, "nothing had been replicated on it, and where replication began could not be found: " + err.Error()
	case a.since == 0:
		return out, "nothing had been replicated on it, and " + noBeginning(a).Error() + ": retention may have removed later messages"
	}
	out.from = a.since + 1
	return out, ""
}

// keepsCheckpoint says whether the log still holds the message that was replicated last. A
// log that retention cut behind it begins later, and does not say so (milvus.md §1.4).
func (s *salvaging) keepsCheckpoint(ctx context.Context, cp *commonpb.ReplicateCheckpoint) (bool, error) {
	kept := false
	last := stretch{channel: cp.GetPchannel(), start: cp.GetMessageId(), from: cp.GetTimeTick(), until: cp.GetTimeTick()}
	err := s.read(ctx, last, func(*commonpb.ImmutableMessage) bool {
		kept = true
		return false
	})
	if kept {
		return true, nil
	}
	return false, err
}

// read streams a stretch for as long as messages come. Its error holds no secret.
func (s *salvaging) read(ctx context.Context, part stretch, take func(*commonpb.ImmutableMessage) bool) error {
	ctx, take, stop := whileMessagesCome(ctx, take)
	defer stop()
	err := s.dump(ctx, part, take)
	if err != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return s.deniedOr(err)
}

// whileMessagesCome returns a context that ends when no message comes for salvageIdle. The
// time that take needs does not count: a replay writes batches in it.
func whileMessagesCome(ctx context.Context, take func(*commonpb.ImmutableMessage) bool) (context.Context, func(*commonpb.ImmutableMessage) bool, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(salvageIdle, func() { cancel(fmt.Errorf("nothing came for %s", plan.DurationText(salvageIdle))) })
	watched := func(m *commonpb.ImmutableMessage) bool {
		idle.Stop()
		defer idle.Reset(salvageIdle)
		return take(m)
	}
	return ctx, watched, func() { idle.Stop(); cancel(nil) }
}

// deniedOr names the grant that a dump lacked, or gives the error as it came.
func (l *link) deniedOr(err error) error {
	if err == nil {
		return nil
	}
	if _, denied := l.support(err); denied {
		return fmt.Errorf("unknown: our user lacks the privilege %s there (hint: %s)", release.PrivilegeDump, release.GrantOf(release.PrivilegeDump))
	}
	return l.fleet.secrets.Err(err)
}
