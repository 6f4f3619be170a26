package ledger

import (
	"context"
	"maps"
	"time"

	"milvus-reconcile/plan"
)

// Snapshot is the ledger at one moment.
type Snapshot struct {
	memory  plan.Memory
	born    time.Time
	newest  time.Time
	marks   []Mark
	history []Record
	lapses  []Lapse
	served  map[string]Served
	latest  latest
}

// Read verifies the whole ledger and returns it as it stands. A ledger that
// does not exist yet is empty and is not made. On damage the error is a
// CorruptError and the snapshot holds nothing but the history before the
// fault, for a person to read.
func (l *Ledger) Read(ctx context.Context) (Snapshot, error) {
	im, err := l.store.load(ctx)
	if err != nil {
		return Snapshot{}, l.named(err)
	}
	im, _, err = upgrade(im)
	if err != nil {
		return Snapshot{}, l.named(err)
	}
	entries, s, err := l.replay(im)
	history := records(entries, im.chain)
	if err != nil {
		return Snapshot{history: history}, err
	}
	newest, err := decodeLatest(im.latest)
	if err != nil {
		return Snapshot{history: history}, l.named(err)
	}
	return Snapshot{
		memory: s.memory(l.store.kind(), newest.progress), born: s.born, newest: s.newest,
		marks: values(s.marks), history: history, lapses: s.lapses, served: s.served, latest: newest,
	}, nil
}

func records(entries []entry, chain []sealed) []Record {
	out := make([]Record, 0, len(entries))
	for i, e := range entries {
		out = append(out, e.record(chain[i].hash))
	}
	return out
}

// Memory is what the planner may remember. Now is left to the caller, who
// takes the later of its clock and Newest.
func (s Snapshot) Memory() plan.Memory { return s.memory }

// Born is when the ledger was made; false: it does not exist.
func (s Snapshot) Born() (time.Time, bool) { return s.born, !s.born.IsZero() }

// Newest is the latest time of any record, zero for an empty ledger.
func (s Snapshot) Newest() time.Time { return s.newest }

// Spent lists the approvals of a topology that were used, oldest first.
func (s Snapshot) Spent(topology string) []Mark {
	var out []Mark
	for _, m := range s.marks {
		if m.Topology == topology {
			out = append(out, m)
		}
	}
	return out
}

// Lapsed lists the approvals of a topology that lapsed, oldest first.
func (s Snapshot) Lapsed(topology string) []Lapse {
	var out []Lapse
	for _, p := range s.lapses {
		if p.Topology == topology {
			out = append(out, p)
		}
	}
	return out
}

// Served are the SDK documents that topologies were last served, by name.
func (s Snapshot) Served() map[string]Served { return maps.Clone(s.served) }

// GitHead is where a tracked ref was last seen; false: it never was.
func (s Snapshot) GitHead(url, ref string) (GitHead, bool) {
	h, ok := s.latest.heads[gitKey(url, ref)]
	return h, ok
}

// Collections are those last seen on a topology's primary; false: none were
// ever recorded.
func (s Snapshot) Collections(topology string) (Collections, bool) {
	c, ok := s.latest.collections[topology]
	return c, ok
}

// History lists the records of a topology, oldest first; of all, for "".
func (s Snapshot) History(topology string) []Record {
	var out []Record
	for _, r := range s.history {
		if topology == "" || r.Topology == topology {
			out = append(out, r)
		}
	}
	return out
}

// Memory is Read, for callers that need nothing else of it.
func (l *Ledger) Memory(ctx context.Context) (plan.Memory, error) {
	s, err := l.Read(ctx)
	return s.Memory(), err
}
