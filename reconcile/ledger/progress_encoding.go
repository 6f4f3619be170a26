package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

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

// interned is the one copy in this process of a name that records and views repeat.
func interned(name string) string { return unique.Make(name).Value() }

func (w channelWire) progress() plan.ChannelProgress {
	c := plan.ChannelProgress{
		Channel: interned(w.Channel), Known: w.Known, Error: w.Error, SourceCluster: interned(w.SourceCluster),
		SourceChannel: interned(w.SourceChannel), MessageID: w.MessageID, TimeTick: w.TimeTick, CaughtUpAt: w.CaughtUpAt, Unsent: w.Unsent,
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

// RecordProven joins what was proven of standbys with what is stored, in one transaction
// for each batch. A command that only reads the clusters calls it: a ledger that does not
// exist is not created (outagesSuffix), one of an older format is not upgraded, and one
// that must be accepted first is left as it is. It writes nothing if what is stored says
// the same, as next to a daemon that records every sweep.
func (l *Ledger) RecordProven(ctx context.Context, proven []plan.ProgressRecord) error {
	before, err := l.Read(ctx)
	if err != nil || before.noted.unproven(before.chain) {
		return err
	}
	news := slices.DeleteFunc(slices.Clone(proven), func(p plan.ProgressRecord) bool {
		return !before.memory.ProgressOf(p.Cluster).OutdatedBy(p)
	})
	if len(news) == 0 {
		return nil
	}
	if _, exists := before.Born(); !exists {
		return l.keepAside(ctx, func(kept aside) aside { return kept.join(nil, nil, news, time.Time{}) })
	}
	for batch := range slices.Chunk(news, l.store.batch()) {
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.joinProven(im, batch) }); err != nil {
			return err
		}
	}
	return nil
}

// joinProven is the change that stores what was proven, joined with what is in the image.
func (l *Ledger) joinProven(im image, proven []plan.ProgressRecord) (change, error) {
	values := map[string][]byte{}
	for _, p := range proven {
		key := progressKey(p.Cluster)
		stored, err := storedProgress(im.latest[key])
		if err != nil {
			return change{}, &CorruptError{Path: l.store.name(), Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
		}
		if !stored.OutdatedBy(p) {
			continue
		}
		if values[key], err = encodeProgress(stored.Then(p)); err != nil {
			return change{}, err
		}
	}
	return l.changeValues(im, values)
}

// storedProgress decodes stored progress; the zero value for nil.
func storedProgress(raw []byte) (plan.ProgressRecord, error) {
	if raw == nil {
		return plan.ProgressRecord{}, nil
	}
	v, err := decodeValue(latestProgress, raw)
	p, _ := v.(plan.ProgressRecord)
	return p, err
}

// homesIn returns the topology of each cluster whose progress is among values.
func (s *state) homesIn(values map[string][]byte) map[string]string {
	out := map[string]string{}
	for key := range values {
		if cluster, ok := strings.CutPrefix(key, latestProgress); ok && s.homes[cluster] != "" {
			out[cluster] = s.homes[cluster]
		}
	}
	return out
}
