package milvus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/wal"
)

// Replay reads the two logs that a replay compares: what a stale primary holds that was
// never replicated, and what the promoted cluster took since its promotion. It writes
// nothing.
type Replay struct {
	Promoted, Stale string
	Until           time.Time // by the stale cluster's own ticks
	Fenced          bool      // it refuses writes: nothing comes later
	Refused         string    // why the promoted cluster cannot take a replay; empty: it can
	Channels        []ReplayChannel
	Collections     map[int64]*logrows.Collection
	Now             time.Time // of the promoted cluster, when the reading began

	fleet    *Fleet
	stale    *salvaging
	promoted *salvaging
}

// ReplayChannel is one channel of both clusters.
type ReplayChannel struct {
	Channel  string // of the stale cluster
	Promoted string
	// Why says why nothing of it can be written again; empty: rows can.
	Why string

	lost  stretch
	since stretch // of the promoted cluster, behind its promotion
}

// OpenReplay prepares to read. since is about when the promotion was; zero: not known.
// Close it.
func (r *Reader) OpenReplay(ctx context.Context, t plan.Topology, promoted, stale string, since time.Time) (*Replay, error) {
	f, bound := r.fleet, r.fleet.bind(t)
	marks, err := f.salvageMarks(ctx, bound[promoted], stale)
	if err != nil {
		return nil, fmt.Errorf("read the salvage checkpoints of %s: %w", promoted, err)
	}
	x := &Replay{Promoted: promoted, Stale: stale, fleet: f}
	v, err := f.writes(ctx, t, bound[promoted])
	if err != nil {
		return nil, err
	}
	if version := release.Parse(v.Version); version.Lacks(release.FeatureTransactionRows) {
		x.Refused = fmt.Sprintf("the log of %s does not give out the rows of upserts, so that a replay could not be checked: upgrade it to %s", promoted, version.Since(release.FeatureTransactionRows))
	}
	if x.promoted, err = f.salvagingOf(ctx, bound[promoted], promoted, stale, nil); err != nil {
		return nil, err
	}
	v = f.view(ctx, t, bound[stale], probeOptions{identity: true, features: true, askTwice: true})
	switch {
	case v.Reach != plan.ReachUp:
		err = fmt.Errorf("%s is %s: %s", stale, v.Reach, v.Error)
	case !v.IdentityProven:
		err = fmt.Errorf("nothing proves that %s is what answers at its address", stale)
	default:
		x.stale, err = f.salvagingOf(ctx, bound[stale], promoted, stale, marks)
	}
	if err == nil {
		x.Now = plan.TickTime(x.promoted.until)
		x.Until, x.Fenced = plan.TickTime(x.stale.until), v.Belief.Kind == plan.BeliefStandby
		err = x.open(ctx, bound, marks, since)
	}
	if err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// Close closes the connections.
func (x *Replay) Close() {
	if x.promoted != nil {
		x.promoted.close()
	}
	if x.stale != nil {
		x.stale.close()
	}
}

// writes checks that a cluster is the one of the file, and by its own word takes writes.
func (f *Fleet) writes(ctx context.Context, t plan.Topology, a access) (plan.View, error) {
	v := f.view(ctx, t, a, probeOptions{identity: true, features: true})
	switch {
	case v.Reach != plan.ReachUp:
		return v, fmt.Errorf("%s is %s: %s", a.cluster.ID, v.Reach, v.Error)
	case !v.IdentityProven:
		return v, fmt.Errorf("nothing proves that %s is what answers at its address", a.cluster.ID)
	case v.Belief.Kind != plan.BeliefPrimary && v.Belief.Kind != plan.BeliefStandalone:
		return v, fmt.Errorf("%s stores the role %s, so it takes no writes", a.cluster.ID, describe(v.Belief))
	default:
		return v, nil
	}
}

func (f *Fleet) salvagingOf(ctx context.Context, a access, promoted, stale string, marks []salvageMark) (*salvaging, error) {
	l, err := f.dialBound(a)
	if err != nil {
		return nil, f.secrets.Err(err)
	}
	until, err := l.tick(ctx)
	if err != nil {
		l.close()
		return nil, fmt.Errorf("ask %s: %w", a.cluster.ID, err)
	}
	return newSalvaging(l, promoted, stale, marks, until), nil
}

// open reads the collections, and finds in each log where the reading begins.
func (x *Replay) open(ctx context.Context, bound map[string]access, marks []salvageMark, since time.Time) error {
	there := &data{link: x.promoted.link}
	here := &data{link: x.stale.link}
	var err error
	x.Collections, err = replayCollections(ctx, there, here, bound[x.Promoted].cluster.PChannels, bound[x.Stale].cluster.PChannels)
	if err != nil {
		return err
	}
	x.Channels = make([]ReplayChannel, len(marks))
	ours := bound[x.Stale].cluster.PChannels
	parallel.Each(len(marks), x.fleet.concurrency, func(i int) {
		c := x.channel(ctx, marks[i], since)
		if c.Why == "" && slices.Index(ours, c.Channel) != i {
			c.Why = otherPlace
		}
		x.Channels[i] = c
	})
	return context.Cause(ctx)
}

func (x *Replay) channel(ctx context.Context, m salvageMark, since time.Time) ReplayChannel {
	c := ReplayChannel{Promoted: m.promoted, Channel: m.checkpoint.GetPchannel(), Why: m.problem}
	if c.Why != "" {
		return c
	}
	if c.lost, c.Why = x.stale.behind(ctx, m.checkpoint); c.Why != "" {
		return c
	}
	var err error
	if c.since, err = x.sincePromotion(ctx, m.promoted, since); err != nil {
		c.Why = "what " + x.Promoted + " took since its promotion is not known: " + err.Error()
	}
	return c
}

// otherPlace: keys would be compared with those of another channel.
const otherPlace = "the file lists the channels of the two clusters in another order than the replication used"

// clockSlack is by how much the clocks of two clusters and ours may differ. It only bounds
// how much of a log is read to find a promotion.
const clockSlack = time.Hour

// tickLogicalBits are the low bits of a tick, behind the milliseconds.
const tickLogicalBits = 18

var errNoPromotion = errors.New("its log does not hold its promotion any more: retention removed it")

// sincePromotion returns the part of a channel of the promoted cluster that follows its
// promotion: the first by force there is, from about when the failover was. After a later
// one, a cluster may have been a standby and the primary again: all that it took counts.
func (x *Replay) sincePromotion(ctx context.Context, channel string, since time.Time) (stretch, error) {
	out := stretch{channel: channel, after: true, until: x.promoted.until}
	if !since.IsZero() {
		out.from = uint64(since.Add(-clockSlack).UnixMilli()) << tickLogicalBits //nolint:gosec // after 1970
	}
	var err error
	for _, queue := range wal.Queues(x.stale.wal) {
		found := false
		out.start = wal.Beginning(queue)
		next := out
		err = x.promoted.read(ctx, out, func(m *commonpb.ImmutableMessage) bool {
			if found = wal.Type(m) == wal.TypeAlterReplicateConfig && wal.ForcesPromotion(m); found {
				next.behind(m)
			}
			return !found
		})
		if err == nil && found {
			return next, nil
		}
		if err == nil {
			return out, errNoPromotion
		}
	}
	return out, err
}

// behind moves the beginning of a stretch behind a message.
func (s *stretch) behind(m *commonpb.ImmutableMessage) {
	if confirmed := m.GetProperties()[wal.PropertyConfirmed]; confirmed != "" {
		s.start, s.after = &commonpb.MessageID{Id: confirmed, WALName: m.GetId().GetWALName()}, false
	}
	if tick, err := wal.Tick(m); err == nil {
		s.from = tick + 1
	}
}

// LoggedMessage is a message of a log: rows that can be compared and written again, or why
// it has none.
type LoggedMessage struct {
	SalvagedMessage
	Rows *logrows.Rows // nil: it has none that could be written again
	Why  string
	// Taints: no row of the collection on this channel can be written again, or, with
	// collection 0, no row of the channel.
	Taints bool
}

// Lost reads what a channel of the stale cluster holds that was never replicated.
func (x *Replay) Lost(ctx context.Context, channel int, visit func(LoggedMessage) error) error {
	c := x.Channels[channel]
	if c.lost.start == nil {
		return nil
	}
	_, err := x.read(ctx, x.stale, c.lost, visit)
	return err
}

// Newer reads what a channel of the promoted cluster took since its promotion, or since
// the place that an earlier reading returned, up to now.
func (x *Replay) Newer(ctx context.Context, channel int, from *ReplayPlace, visit func(LoggedMessage) error) (*ReplayPlace, error) {
	part := x.Channels[channel].since
	if from != nil {
		part = from.next
	}
	until, err := x.promoted.tick(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", x.Promoted, err)
	}
	part.until = until
	next, err := x.read(ctx, x.promoted, part, visit)
	if err != nil {
		return nil, err
	}
	next.from = max(next.from, until+1)
	return &ReplayPlace{next}, nil
}

// ReplayPlace is a place in the log of the promoted cluster.
type ReplayPlace struct{ next stretch }

func (x *Replay) read(ctx context.Context, s *salvaging, part stretch, visit func(LoggedMessage) error) (stretch, error) {
	next, group, transaction := part, uint64(0), ""
	var visiting error
	err := s.read(ctx, part, func(raw *commonpb.ImmutableMessage) bool {
		next.behind(raw)
		if skip := wal.Local(raw) || wal.Housekeeping(raw); skip && (s != x.promoted || !mayChangeRows(raw)) {
			return true
		}
		if of := raw.GetProperties()[wal.PropertyTxn]; of == "" || of != transaction {
			transaction = of
			group++
		}
		visiting = visit(x.message(part.channel, raw, group))
		return visiting == nil
	})
	return next, errors.Join(visiting, err)
}

// mayChangeRows says of a message that is never replicated, whether rows of the cluster that
// wrote it may come from it all the same, or lie in another log behind it.
func mayChangeRows(m *commonpb.ImmutableMessage) bool {
	number := wal.Type(m)
	return number == wal.TypeAlterWAL || wal.Kinds[number] != "" && wal.BringsHiddenRows(number)
}

var vchannelCollection = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`_([0-9]+)v[0-9]+$`) })

func (x *Replay) message(channel string, raw *commonpb.ImmutableMessage, group uint64) LoggedMessage {
	m := LoggedMessage{SalvagedMessage: salvagedMessage(channel, raw)}
	number := wal.Type(raw)
	if of := vchannelCollection().FindStringSubmatch(m.VChannel); m.CollectionID == 0 && of != nil {
		m.CollectionID, _ = strconv.ParseInt(of[1], 10, 64) // digits only
	}
	c := x.Collections[m.CollectionID]
	if c != nil {
		m.Database, m.Collection = c.Database, c.Name
	}
	switch number {
	case wal.TypeInsert, wal.TypeDelete:
		switch {
		case c == nil:
			m.Why = logrows.WhyNotThere
		case c.Why != "":
			m.Why = c.Why
		default:
			m.readRows(c, group)
		}
	case wal.TypeDropCollection, wal.TypeDropPartition, wal.TypeTruncate:
		m.Taints, m.Why = true, "the log holds a "+m.Kind+" of the collection"
	default:
		m.Why = "it is a change of the schema, the topology or the rights, not of rows"
		if m.RowsHidden {
			m.Taints, m.Why = true, "the log holds rows that cannot be compared: "+m.Kind
		}
		if number == wal.TypeAlterWAL {
			m.Taints, m.Why = true, "its log moved to another message queue"
		}
		if number == wal.TypeTxn {
			m.Why = closedTransactions
		}
	}
	return m
}

func (m *LoggedMessage) readRows(c *logrows.Collection, group uint64) {
	rows, err := logrows.Read(c, logrows.Message{
		Tick: m.TimeTick, Group: group, Delete: m.Kind == wal.Kinds[wal.TypeDelete], Partition: m.Partition, PartitionID: m.PartitionID,
		Count: int(m.RowCount), Keys: m.keys, Fields: m.fields, Weight: m.weight,
	})
	if err != nil || m.RowsHidden {
		m.Taints, m.Why = true, "the rows of a message cannot be read"
		if err != nil {
			m.Why += ": " + err.Error()
		}
		return
	}
	m.Rows = rows
}
