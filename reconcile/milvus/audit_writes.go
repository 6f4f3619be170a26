package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
	"milvus-reconcile/reconcile/milvus/wal"
)

// auditMark is where each channel of a standby stood in the log of its source.
type auditMark struct {
	pair *AuditPair
	from []*commonpb.ReplicateCheckpoint
}

// Mark reads the checkpoints of the standby.
func (p *AuditPair) Mark(ctx context.Context) (audit.Mark, error) {
	channels := p.standby.cluster.PChannels
	m := auditMark{pair: p, from: make([]*commonpb.ReplicateCheckpoint, len(channels))}
	failed := make([]error, len(channels))
	parallel.Each(len(channels), p.reader.fleet.concurrency, func(i int) {
		one, cancel := p.standby.withReadTimeout(ctx)
		defer cancel()
		info, err := p.standby.info(one, channels[i], p.source)
		m.from[i] = info.GetCheckpoint()
		switch {
		case err != nil:
			failed[i] = fmt.Errorf("read the checkpoint of %s: %w", channels[i], p.reader.fleet.secrets.Err(err))
		case m.from[i].GetClusterId() != p.source:
			failed[i] = fmt.Errorf("%s replicates nothing from %s on %s", p.standbyID, p.source, channels[i])
		}
	})
	return m, errors.Join(failed...)
}

// Written reads the log of the primary behind the mark, up to now.
func (m auditMark) Written(ctx context.Context, collections []audit.Collection, keys map[string][]audit.Key) map[string]audit.Writes {
	w := newAuditWrites(collections, keys)
	until, err := m.pair.primary.tick(ctx)
	if err != nil {
		w.unknown(err.Error())
		return w.byName()
	}
	queue := walOf(func(yield func(*commonpb.MessageID) bool) {
		for _, c := range m.from {
			if !yield(c.GetMessageId()) {
				return
			}
		}
	})
	s := &salvaging{link: m.pair.primary.link}
	parallel.Each(len(m.from), m.pair.reader.fleet.concurrency, func(i int) {
		if err := s.read(ctx, m.since(m.from[i], queue, until), w.add); err != nil {
			w.unknown("the newer writes on " + m.from[i].GetPchannel() + " cannot be read: " + tokens.Text(err))
		}
	})
	return w.byName()
}

// since is the part of a channel's log that the standby may lack. It had caught up before
// the mark: what retention removed of the log lies before that, and so does the beginning of
// a channel on which nothing was ever replicated.
func (m auditMark) since(cp *commonpb.ReplicateCheckpoint, queue commonpb.WALName, until uint64) stretch {
	if blank(cp) {
		return stretch{channel: cp.GetPchannel(), start: wal.Beginning(queue), after: true, from: m.pair.caughtUp + 1, until: until}
	}
	return stretch{channel: cp.GetPchannel(), start: cp.GetMessageId(), from: cp.GetTimeTick() + 1, until: until}
}

// auditWrites counts what a log brings to some collections.
type auditWrites struct {
	mu     sync.Mutex
	why    string
	byID   map[int64]*audit.Writes
	of     map[int64]audit.Collection
	sought map[int64]map[audit.Key]bool
}

func newAuditWrites(collections []audit.Collection, keys map[string][]audit.Key) *auditWrites {
	w := &auditWrites{byID: map[int64]*audit.Writes{}, of: map[int64]audit.Collection{}, sought: map[int64]map[audit.Key]bool{}}
	for _, c := range collections {
		w.byID[c.ID], w.of[c.ID] = &audit.Writes{Touched: map[audit.Key]bool{}}, c
		w.sought[c.ID] = map[audit.Key]bool{}
		for _, k := range keys[c.Name] {
			w.sought[c.ID][k] = true
		}
	}
	return w
}

func (w *auditWrites) unknown(why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why == "" {
		w.why = why
	}
}

func (w *auditWrites) byName() map[string]audit.Writes {
	out := map[string]audit.Writes{}
	for id, one := range w.byID {
		if one.Unknown == "" {
			one.Unknown = w.why
		}
		out[w.of[id].Name] = *one
	}
	return out
}

// add takes the next message. It says whether to go on.
func (w *auditWrites) add(raw *commonpb.ImmutableMessage) bool {
	number := wal.Type(raw)
	m := SalvagedMessage{Payload: raw.GetPayload()}
	m.body(number)
	switch {
	case m.RowsHidden, changesRows(number):
		w.unknown("meanwhile the log got a message that changes rows without naming them: " + kindOf(raw))
		return false
	case number != wal.TypeInsert && number != wal.TypeDelete:
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	one, asked := w.byID[m.CollectionID]
	if !asked {
		return true
	}
	if number == wal.TypeInsert {
		one.Inserted += m.RowCount
	} else {
		one.Deleted += m.RowCount
	}
	if sought := w.sought[m.CollectionID]; len(sought) > 0 {
		touched, ok := w.keysOf(m)
		if !ok {
			one.Unknown = "the keys of a write could not be read"
		}
		for _, k := range touched {
			if sought[k] {
				one.Touched[k] = true
			}
		}
	}
	return true
}

// changesRows says whether messages of a type may change many rows at once: a partition
// that is dropped, a collection that is emptied or altered, and what is not known here.
func changesRows(number int) bool {
	const (
		createPartition, manualFlush, loadConfig, dropLoadConfig = 7, 9, 14, 15
		firstOfNames, lastOfRights, createIndex, dropIndex       = 16, 33, 34, 36
	)
	switch {
	case number == wal.TypeInsert, number == wal.TypeDelete, number == wal.TypeCreateCollection, number == wal.TypeDropCollection:
		return false
	case slices.Contains([]int{wal.TypeTimeTick, wal.TypeFlush, wal.TypeCreateSegment, createPartition, manualFlush, loadConfig, dropLoadConfig}, number):
		return false
	case number >= firstOfNames && number <= lastOfRights, number >= createIndex && number <= dropIndex:
		return false
	case slices.Contains([]int{wal.TypeAlterReplicateConfig, wal.TypeBeginTxn, wal.TypeCommitTxn, wal.TypeRollbackTxn}, number):
		return false
	default:
		return true
	}
}

func kindOf(raw *commonpb.ImmutableMessage) string {
	if kind := wal.Kinds[wal.Type(raw)]; kind != "" {
		return kind
	}
	return "type " + raw.GetProperties()[wal.PropertyType]
}

// keysOf returns the primary keys of a write.
func (w *auditWrites) keysOf(m SalvagedMessage) ([]audit.Key, bool) {
	if m.keys != nil {
		return keysOfIDs(m.keys), true
	}
	c := w.of[m.CollectionID]
	i := slices.IndexFunc(m.fields, func(f *schemapb.FieldData) bool { return f.GetFieldName() == c.Key })
	if i < 0 {
		return nil, false
	}
	return keysOfField(m.fields[i]), true
}

func keysOfIDs(ids *schemapb.IDs) []audit.Key {
	var out []audit.Key
	for _, n := range ids.GetIntId().GetData() {
		out = append(out, audit.Key{Int: n})
	}
	for _, text := range ids.GetStrId().GetData() {
		out = append(out, audit.Key{Text: text, IsText: true})
	}
	return out
}

func keysOfField(f *schemapb.FieldData) []audit.Key {
	var out []audit.Key
	for _, n := range f.GetScalars().GetLongData().GetData() {
		out = append(out, audit.Key{Int: n})
	}
	for _, text := range f.GetScalars().GetStringData().GetData() {
		out = append(out, audit.Key{Text: text, IsText: true})
	}
	return out
}
