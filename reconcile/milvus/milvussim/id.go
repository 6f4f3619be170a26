package milvussim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// walIDBase is the base in which Milvus writes numbers in messages, the ids of
// RocksMQ and Kafka among them (pkg/streaming/util/message/encoder.go).
const walIDBase = 36

// encodeID writes an id as the message queue does: a number, or, in base64, a
// protobuf message with the number as the entry of a ledger (Pulsar) or segment
// (Woodpecker) (pkg/streaming/walimpls/impls/*/message_id.go).
func encodeID(wal commonpb.WALName, id int64) string {
	var raw []byte
	switch wal {
	case commonpb.WALName_Pulsar:
		raw = appendNumber(raw, pulsarLedger, 1)
		raw = appendNumber(raw, pulsarEntry, id)
		raw = appendNumber(raw, pulsarPartition, -1)
		raw = appendNumber(raw, pulsarBatch, 0)
	case commonpb.WALName_WoodPecker: // segment 0, which protobuf leaves out
		raw = appendNumber(raw, woodpeckerEntry, id)
	default:
		return strconv.FormatInt(id, walIDBase)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// The fields of the ids that are protobuf messages.
const (
	pulsarLedger, pulsarEntry, pulsarPartition, pulsarBatch = 1, 2, 3, 4
	woodpeckerSegment, woodpeckerEntry                      = 1, 2
)

func appendNumber(raw []byte, number protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(raw, number, protowire.VarintType), uint64(v)) //nolint:gosec // as protobuf has negative numbers
}

// decodeID reads an id of a message queue. An id from before the log, such as
// Kafka's -2 and Pulsar's earliest, is negative.
func decodeID(wal commonpb.WALName, text string) (int64, error) {
	switch wal {
	case commonpb.WALName_Pulsar:
		fields, err := decodeNumbers(text)
		if err == nil && (fields[pulsarLedger] == 0 || len(fields) < pulsarBatch) {
			err = errors.New("a ledger and an entry are required")
		}
		return fields[pulsarEntry], err
	case commonpb.WALName_WoodPecker:
		fields, err := decodeNumbers(text)
		if fields[woodpeckerSegment] > 0 {
			err = errors.Join(err, errors.New("there is one segment only"))
		}
		return fields[woodpeckerEntry], err
	default:
		return strconv.ParseInt(text, walIDBase, 64)
	}
}

func decodeNumbers(text string) (map[protowire.Number]int64, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decode id %q: %w", text, err)
	}
	out := map[protowire.Number]int64{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 || kind != protowire.VarintType {
			return nil, fmt.Errorf("decode id %q: not of numbers", text)
		}
		v, m := protowire.ConsumeVarint(raw[n:])
		if m < 0 {
			return nil, fmt.Errorf("decode id %q: cut off", text)
		}
		out[number], raw = int64(v), raw[n+m:] //nolint:gosec // as protobuf has negative numbers
	}
	return out, nil
}
