package milvus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/encoding/protowire"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
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
