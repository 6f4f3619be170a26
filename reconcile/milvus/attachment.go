package milvus

import (
	"encoding/base64"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

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
	if messageType(m) != typeAlterReplicateConfig {
		return nil
	}
	cfg, ignored, err := replicateConfiguration(m)
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
	if confirmed := m.GetProperties()[propertyConfirmed]; confirmed != "" {
		a.at = &commonpb.MessageID{Id: confirmed, WALName: m.GetId().GetWALName()}
	}
	a.since, err = messageTick(m)
	return err
}

// propertyHeader holds the header of a message, in base64 (encoder.go). The header of
// AlterReplicateConfig is the configuration with the uri and the token of every cluster in
// clear: it is decoded here and goes nowhere else.
const propertyHeader = "_h"

// The fields of AlterReplicateConfigMessageHeader (messages.proto).
const (
	headerConfiguration = 1
	headerIgnore        = 4
)

var errHeader = errors.New("a change of the topology in the log could not be read")

// replicateConfiguration reads the configuration of an AlterReplicateConfig
// message, and whether Milvus ignores it. An error holds nothing of it.
func replicateConfiguration(m *commonpb.ImmutableMessage) (cfg *commonpb.ReplicateConfiguration, ignored bool, err error) {
	raw, err := base64.StdEncoding.DecodeString(m.GetProperties()[propertyHeader])
	if err != nil {
		return nil, false, errHeader
	}
	cfg = &commonpb.ReplicateConfiguration{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return nil, false, errHeader
		}
		raw = raw[n:]
		value := protowire.ConsumeFieldValue(number, kind, raw)
		if value < 0 {
			return nil, false, errHeader
		}
		switch {
		case number == headerConfiguration && kind == protowire.BytesType:
			body, _ := protowire.ConsumeBytes(raw)
			if decode(body, cfg, maxBody) != nil {
				return nil, false, errHeader
			}
		case number == headerIgnore && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(raw)
			ignored = v != 0
		}
		raw = raw[value:]
	}
	return cfg, ignored, nil
}

// noBeginning says why a channel without a checkpoint cannot be read whole.
func noBeginning(a attachment) error {
	return fmt.Errorf("its log does not hold any more where the replication from %s to %s began", a.source, a.standby)
}
