package wal

import (
	"encoding/base64"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Beginning is an id behind which all of a channel's log lies, whatever retention
// left of it; nil: none is known for that message queue. The message itself is
// nowhere, so that a stretch goes on after it. Each is of the form that the queue
// gives its own ids (pkg/streaming/walimpls/impls/*/message_id.go, wal.go):
//   - RocksMQ goes to the earliest message when the one that is sought is not
//     there, and its ids come from the clock;
//   - Kafka has a number for the beginning (kafka.OffsetBeginning);
//   - Pulsar has an id for it (pulsar.EarliestMessageID);
//   - Woodpecker begins at entry 0 of segment 0 and from there goes to what is left
//     (log.EarliestLogMessageID), and "after" adds 1 to the entry.
func Beginning(wal commonpb.WALName) *commonpb.MessageID {
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

// Queues are the message queues that a log may be in, the likely one first.
func Queues(first commonpb.WALName) []commonpb.WALName {
	out := []commonpb.WALName{first}
	for _, w := range []commonpb.WALName{commonpb.WALName_WoodPecker, commonpb.WALName_RocksMQ, commonpb.WALName_Pulsar, commonpb.WALName_Kafka} {
		if w != first && Beginning(w) != nil {
			out = append(out, w)
		}
	}
	return out
}
