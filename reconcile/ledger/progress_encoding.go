package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

type progressWire struct {
	Cluster     string        `json:"cluster"`
	Source      string        `json:"source"`
	At          time.Time     `json:"at"`
	NoBacklogAt time.Time     `json:"noBacklogAt"`
	Collections []string      `json:"collections,omitempty"`
	Channels    []channelWire `json:"channels,omitempty"`

	// Older builds wrote these. An outage is a value of its own now.
	FailingSince *time.Time `json:"failingSince,omitempty"`
	FailingUntil *time.Time `json:"failingUntil,omitempty"`
}

type channelWire struct {
	Channel       string        `json:"channel"`
	Known         bool          `json:"known"`
	Error         string        `json:"error,omitempty"`
	SourceCluster string        `json:"sourceCluster,omitempty"`
	SourceChannel string        `json:"sourceChannel,omitempty"`
	MessageID     string        `json:"messageId,omitempty"`
	TimeTick      uint64        `json:"timeTick,omitempty"`
	Salvage       []salvageWire `json:"salvage,omitempty"`
	CaughtUpAt    *time.Time    `json:"caughtUpAt,omitempty"`
	Unsent        *time.Time    `json:"unsent,omitempty"`
}

type salvageWire struct {
	SourceCluster string `json:"sourceCluster"`
	SourceChannel string `json:"sourceChannel"`
	MessageID     string `json:"messageId,omitempty"`
	TimeTick      uint64 `json:"timeTick,omitempty"`
}

// encodeProgress returns the stored bytes of one standby's progress.
func encodeProgress(p plan.ProgressRecord) ([]byte, error) {
	raw, err := json.Marshal(progressToWire(p))
	if err != nil {
		return nil, fmt.Errorf("encode progress of %s: %w", p.Cluster, err)
	}
	return withHash(raw), nil
}

func progressToWire(p plan.ProgressRecord) progressWire {
	w := progressWire{
		Cluster: p.Cluster, Source: p.Source, At: wallTime(p.At), NoBacklogAt: wallTime(p.NoBacklogAt), Collections: p.Collections,
	}
	for _, c := range p.Channels {
		w.Channels = append(w.Channels, channelToWire(c))
	}
	return w
}

func channelToWire(c plan.ChannelProgress) channelWire {
	w := channelWire{
		Channel: c.Channel, Known: c.Known, Error: c.Error, SourceCluster: c.SourceCluster,
		SourceChannel: c.SourceChannel, MessageID: c.MessageID, TimeTick: c.TimeTick,
	}
	w.CaughtUpAt, w.Unsent = wallTimePointer(c.CaughtUpAt), wallTimePointer(c.Unsent)
	for _, s := range c.Salvage {
		w.Salvage = append(w.Salvage, salvageWire(s))
	}
	return w
}

// asDecoded returns the record that decodeProgress would read from its encoding. It
// shares unchanged parts with p.
func asDecoded(p plan.ProgressRecord) plan.ProgressRecord {
	p.At, p.NoBacklogAt = wallTime(p.At), wallTime(p.NoBacklogAt)
	if len(p.Collections) == 0 {
		p.Collections = nil
	}
	if len(p.Channels) == 0 {
		p.Channels = nil
	}
	if !slices.ContainsFunc(p.Channels, changesWhenDecoded) {
		return p
	}
	p.Channels = slices.Clone(p.Channels)
	for i := range p.Channels {
		c := &p.Channels[i]
		c.CaughtUpAt, c.Unsent = wallTimePointer(c.CaughtUpAt), wallTimePointer(c.Unsent)
		if len(c.Salvage) == 0 {
			c.Salvage = nil
		}
	}
	return p
}

// changesWhenDecoded reports whether a channel differs after encoding and decoding.
func changesWhenDecoded(c plan.ChannelProgress) bool {
	same := func(at *time.Time) bool { return at == nil || *at == wallTime(*at) } //nolint:staticcheck // in every part
	return !same(c.CaughtUpAt) || !same(c.Unsent) || c.Salvage != nil && len(c.Salvage) == 0
}

func decodeProgress(body []byte) (plan.ProgressRecord, error) {
	var w progressWire
	if err := decodeStrict(body, &w); err != nil {
		return plan.ProgressRecord{}, err
	}
	return w.record(), nil
}

func (w progressWire) record() plan.ProgressRecord {
	p := plan.ProgressRecord{
		Cluster: w.Cluster, Source: w.Source, At: w.At, NoBacklogAt: w.NoBacklogAt, Collections: w.Collections,
	}
	for _, c := range w.Channels {
		p.Channels = append(p.Channels, c.progress())
	}
	return p
}

func (w channelWire) progress() plan.ChannelProgress {
	c := plan.ChannelProgress{
		Channel: w.Channel, Known: w.Known, Error: w.Error, SourceCluster: w.SourceCluster,
		SourceChannel: w.SourceChannel, MessageID: w.MessageID, TimeTick: w.TimeTick, CaughtUpAt: w.CaughtUpAt, Unsent: w.Unsent,
	}
	for _, s := range w.Salvage {
		c.Salvage = append(c.Salvage, plan.Salvage(s))
	}
	return c
}

// cutHash splits a stored value into its hash and its content.
func cutHash(raw []byte) (hash string, body []byte, ok bool) {
	const length = 64
	if len(raw) <= length || raw[length] != '\n' {
		return "", nil, false
	}
	return string(raw[:length]), raw[length+1:], true
}

// wallTimePointer is wallTime for a time that may be unknown.
func wallTimePointer(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	w := wallTime(*at)
	return &w
}
