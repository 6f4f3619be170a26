package milvus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/encoding/protowire"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
	"milvus-reconcile/reconcile/milvus/wal"
)

// stretch is a part of a channel's log.
type stretch struct {
	channel string
	start   *commonpb.MessageID
	after   bool   // without the message of start itself
	from    uint64 // the least tick
	until   uint64 // the greatest; 0: for ever
}

// includeStartMessage is the number of DumpMessagesRequest.include_start_message,
// which this version of the generated API lacks. A server before 2.6.20 does not
// know it and starts after the message. That is as good for what stands alone:
// the id of a checkpoint is that of a last-confirmed message, which is older than
// the checkpoint. Only a transaction that begins with that very message is missed
// there.
const includeStartMessage = 5

func (s stretch) request() *milvuspb.DumpMessagesRequest {
	req := &milvuspb.DumpMessagesRequest{Pchannel: s.channel, StartMessageId: s.start, StartTimetick: s.from, EndTimetick: s.until}
	if !s.after {
		req.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, includeStartMessage, protowire.VarintType), 1))
	}
	return req
}

// dump streams a stretch until take returns false.
func (l *link) dump(ctx context.Context, s stretch, take func(*commonpb.ImmutableMessage) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what comes after the last message taken is not needed
	stream, err := l.api.DumpMessages(ctx, s.request())
	if err != nil {
		return err //nolint:wrapcheck // classified by the caller
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err //nolint:wrapcheck // classified by the caller
		}
		if bad := classifyStatus(answer.GetStatus()); answer.GetStatus() != nil && bad.err != nil {
			return bad.err
		}
		if m := answer.GetMessage(); m != nil && !take(m) {
			return nil
		}
	}
}

// maxStaleMessages bounds what is counted of one channel: an observation only has to know
// that a stale cluster took writes, and about how many.
const maxStaleMessages = 1000

// StaleLog counts what each channel of a stale cluster holds behind the salvage checkpoint
// that promoted keeps of it. It takes one read timeout at most.
func (r *Reader) StaleLog(ctx context.Context, t plan.Topology, promoted, stale string) plan.StaleLog {
	f, out := r.fleet, plan.StaleLog{Cluster: stale}
	bound := f.bind(t)
	marks, err := f.salvageMarks(ctx, bound[promoted], stale)
	if err != nil || !bound[stale].allowed() {
		return out
	}
	l, err := f.dialBound(bound[stale])
	if err != nil {
		return out
	}
	defer l.close()
	until, err := l.tick(ctx)
	if err != nil {
		return out
	}
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	out.Known = true
	var mu sync.Mutex
	s := newSalvaging(l, promoted, stale, marks, until)
	parallel.Each(len(marks), f.concurrency, func(i int) {
		one := s.count(ctx, marks[i])
		mu.Lock()
		defer mu.Unlock()
		out.Known = out.Known && one.Known
		out.More = out.More || one.More
		out.Messages += one.Messages
		out.Rows += one.Rows
		if one.Newest.After(out.Newest) {
			out.Newest = one.Newest
		}
	})
	return out
}

// count counts the messages of one channel.
func (s *salvaging) count(ctx context.Context, m salvageMark) plan.StaleLog {
	var out plan.StaleLog
	if m.problem != "" {
		return out
	}
	behind, problem := s.behind(ctx, m.checkpoint)
	if behind.start == nil {
		return out
	}
	hidden := false
	err := s.read(ctx, behind, func(raw *commonpb.ImmutableMessage) bool {
		if !wal.Losable(raw) {
			return true
		}
		out.Messages++
		rows, inside := rowsOf(raw)
		out.Rows += rows
		hidden = hidden || inside
		out.More = out.Messages >= maxStaleMessages
		tick, _ := wal.Tick(raw)
		if at := plan.TickTime(tick); at.After(out.Newest) {
			out.Newest = at
		}
		return !out.More
	})
	out.Known = err == nil && problem == "" && !hidden
	return out
}

// attachment finds in the log of a source where its replication to a standby began: behind
// the newest configuration that made the edge. CDC starts there (InitializedCheckpoint),
// and the standby must get what follows.
type attachment struct {
	source, standby string

	edge  bool
	since uint64              // the tick of that configuration; 0: not found
	at    *commonpb.MessageID // it lies behind this; nil: not known
}

// add takes the next message of the log.
func (a *attachment) add(m *commonpb.ImmutableMessage) error {
	if wal.Type(m) != wal.TypeAlterReplicateConfig {
		return nil
	}
	cfg, ignored, err := wal.ReplicateConfiguration(m)
	if err != nil || ignored {
		return err
	}
	had := a.edge
	a.edge = false
	for _, e := range cfg.GetCrossClusterTopology() {
		a.edge = a.edge || e.GetSourceClusterId() == a.source && e.GetTargetClusterId() == a.standby
	}
	if had || !a.edge {
		return nil
	}
	a.at = nil
	if confirmed := m.GetProperties()[wal.PropertyConfirmed]; confirmed != "" {
		a.at = &commonpb.MessageID{Id: confirmed, WALName: m.GetId().GetWALName()}
	}
	a.since, err = wal.Tick(m)
	return err
}

// noBeginning says why a channel without a checkpoint cannot be read whole.
func noBeginning(a attachment) error {
	return fmt.Errorf("its log does not hold any more where the replication from %s to %s began", a.source, a.standby)
}

// WipeProof reads what shows whether a stale cluster was wiped: since when the database
// exists that every Milvus makes with its metadata, and whether its log holds an older
// message. promoted names the message queue of that log: it keeps salvage checkpoints.
func (r *Reader) WipeProof(ctx context.Context, t plan.Topology, promoted, stale string) plan.WipeProof {
	f, out := r.fleet, wipeProof{plan.WipeProof{Cluster: stale}}
	bound := f.bind(t)
	if !bound[stale].allowed() {
		out.Unread = bound[stale].reason
		return out.WipeProof
	}
	l, err := f.dialBound(bound[stale])
	if err != nil {
		out.Unread = tokens.Text(f.secrets.Err(err))
		return out.WipeProof
	}
	defer l.close()
	if out.Instance, err = l.instance(ctx); err != nil {
		out.Unread = "since when its metadata exist could not be read: " + tokens.Text(err)
		return out.WipeProof
	}
	marks, err := f.salvageMarks(ctx, bound[promoted], stale)
	if err != nil {
		out.Unread = fmt.Sprintf("which message queue holds its log could not be read from %s: %s", promoted, tokens.Text(f.secrets.Err(err)))
		return out.WipeProof
	}
	ctx, cancel := f.withSeriesTimeout(ctx)
	defer cancel()
	out.readLog(ctx, newSalvaging(l, promoted, stale, marks, 0), bound[stale].cluster.PChannels, f.concurrency)
	return out.WipeProof
}

// wipeProof is a proof while it is read.
type wipeProof struct{ plan.WipeProof }

// readLog looks for a message in each channel that is older than the metadata.
func (p *wipeProof) readLog(ctx context.Context, s *salvaging, channels []string, lanes int) {
	start := wal.Beginning(s.wal)
	if start == nil {
		p.Unread = "nothing shows which message queue holds its log"
		return
	}
	older, errs := make([]time.Time, len(channels)), make([]error, len(channels))
	parallel.Each(len(channels), lanes, func(i int) {
		part := stretch{channel: channels[i], start: start, after: true, until: plan.TickOf(p.Instance)}
		errs[i] = s.read(ctx, part, func(m *commonpb.ImmutableMessage) bool {
			tick, _ := wal.Tick(m)
			older[i] = plan.TickTime(tick)
			return false
		})
	})
	for i, at := range older {
		switch {
		case !at.IsZero() && (p.Oldest.IsZero() || at.Before(p.Oldest)):
			p.Oldest = at
		case at.IsZero() && errs[i] != nil && p.Unread == "":
			p.Unread = fmt.Sprintf("the log of its channel %s could not be read: %s", channels[i], errs[i])
		}
	}
	p.LogRead = p.Unread == ""
}

// instance returns since when the default database exists, by the cluster's own clock. Milvus
// makes it with the first start on empty metadata, and gives its time in nanoseconds.
func (l *link) instance(ctx context.Context) (time.Time, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return time.Time{}, l.fleet.secrets.Err(err)
	}
	i := slices.Index(resp.GetDbNames(), defaultDatabase)
	if i < 0 || i >= len(resp.GetCreatedTimestamp()) {
		return time.Time{}, fmt.Errorf("it does not show its database %q to our user", defaultDatabase)
	}
	nanos := resp.GetCreatedTimestamp()[i]
	if at := time.Unix(0, int64(min(nanos, math.MaxInt64))).UTC(); at.Year() >= firstYear {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("it does not say when its database %q was made", defaultDatabase)
}

// firstYear is the least year that can be the time of a database.
const firstYear = 2020
