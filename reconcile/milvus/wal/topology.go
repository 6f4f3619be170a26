package wal

import (
	"encoding/base64"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/answers"
)

// The fields of AlterReplicateConfigMessageHeader (messages.proto).
const (
	headerConfiguration = 1
	headerForcePromote  = 3
	headerIgnore        = 4
)

// ErrHeader is the error of a change of the topology in a log that could not be read.
var ErrHeader = errors.New("a change of the topology in the log could not be read")

// ReplicateConfiguration reads the configuration of an AlterReplicateConfig
// message, and whether Milvus ignores it. An error holds nothing of it.
func ReplicateConfiguration(m *commonpb.ImmutableMessage) (cfg *commonpb.ReplicateConfiguration, ignored bool, err error) {
	raw, err := base64.StdEncoding.DecodeString(m.GetProperties()[answers.HeaderProperty])
	if err != nil {
		return nil, false, ErrHeader
	}
	cfg = &commonpb.ReplicateConfiguration{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return nil, false, ErrHeader
		}
		raw = raw[n:]
		value := protowire.ConsumeFieldValue(number, kind, raw)
		if value < 0 {
			return nil, false, ErrHeader
		}
		switch {
		case number == headerConfiguration && kind == protowire.BytesType:
			body, _ := protowire.ConsumeBytes(raw)
			if answers.Decode(body, cfg, answers.MaxBody) != nil {
				return nil, false, ErrHeader
			}
		case number == headerIgnore && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(raw)
			ignored = v != 0
		}
		raw = raw[value:]
	}
	return cfg, ignored, nil
}

// ForcesPromotion says whether a change of the topology is a force promote that Milvus
// carried out.
func ForcesPromotion(m *commonpb.ImmutableMessage) bool {
	raw, err := base64.StdEncoding.DecodeString(m.GetProperties()[answers.HeaderProperty])
	forced, ignored := false, false
	for err == nil && len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return false
		}
		value := protowire.ConsumeFieldValue(number, kind, raw[n:])
		if value < 0 {
			return false
		}
		if kind == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(raw[n:])
			forced = forced || number == headerForcePromote && v != 0
			ignored = ignored || number == headerIgnore && v != 0
		}
		raw = raw[n+value:]
	}
	return err == nil && forced && !ignored
}
