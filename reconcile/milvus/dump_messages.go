package milvus

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
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

// beginning is an id behind which all of a channel's log lies, whatever retention
// left of it; nil: none is known for that message queue. The message itself is
// nowhere, so that a stretch goes on after it. Each is of the form that the queue
// gives its own ids (pkg/streaming/walimpls/impls/*/message_id.go, wal.go):
//   - RocksMQ goes to the earliest message when the one that is sought is not
//     there, and its ids come from the clock;
//   - Kafka has a number for the beginning (kafka.OffsetBeginning);
//   - Pulsar has an id for it (pulsar.EarliestMessageID);
//   - Woodpecker begins at entry 0 of segment 0 and from there goes to what is left
//     (log.EarliestLogMessageID), and "after" adds 1 to the entry.
func beginning(wal commonpb.WALName) *commonpb.MessageID {
	const kafkaBeginning = -2
	minus := ^uint64(0) // -1, as protobuf writes it
	id := ""
	switch wal {
	case commonpb.WALName_RocksMQ:
		id = "0"
	case commonpb.WALName_Kafka:
		id = strconv.Itoa(kafkaBeginning)
	case commonpb.WALName_Pulsar: // ledger, entry, partition, batch index
		id = numbers(minus, minus, minus, minus)
	case commonpb.WALName_WoodPecker: // segment, entry
		id = numbers(0, minus)
	default:
		return nil
	}
	return &commonpb.MessageID{Id: id, WALName: wal}
}

// numbers encodes integers as a protobuf message, in base64.
func numbers(values ...uint64) string {
	var raw []byte
	for i, v := range values {
		raw = protowire.AppendVarint(protowire.AppendTag(raw, protowire.Number(i+1), protowire.VarintType), v)
	}
	return base64.StdEncoding.EncodeToString(raw)
}
