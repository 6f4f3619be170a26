package ledger

import (
	"context"
	"maps"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Snapshot is the content of the ledger at one time.
type Snapshot struct {
	memory  plan.Memory
	born    time.Time
	newest  time.Time
	marks   []Mark
	entries []entry
	chain   []sealed // with the entries at its beginning
	lapses  []Lapse
	served  map[string]Served
	replays map[string]Replay
	version uint64 // of the image
	latest  latest
	noted   noteSet // outside of it, before it was read
	since   time.Time
}

// Read verifies the whole ledger and returns it. A process does not verify unchanged
// records twice. A ledger that does not exist is empty, and Read does not create it. On
// damage the error is a CorruptError, and the snapshot holds only the history before
// the damaged record, for a person to read.
func (l *Ledger) Read(ctx context.Context) (Snapshot, error) {
	im, err := l.store.load(ctx)
	if err != nil {
		return Snapshot{}, l.withPath(err)
	}
	im, _, err = upgrade(im)
	if err != nil {
		return Snapshot{}, l.withPath(err)
	}
	if s, ok := l.verified.cachedSnapshot(im.version); ok {
		return s, nil
	}
	var out Snapshot
	entries, err := l.replay(im, func(s *state) error {
		sum, _ := sumOfHead(im)
		newest, err := l.verified.values.decode(im.latest, sum)
		if err != nil {
			return l.withPath(err)
		}
		current := Snapshot{entries: l.verified.entries, chain: im.chain, version: im.version}
		if out = l.verified.newest; out.version == 0 || !out.SameRecords(current) {
			out = current
			out.memory, out.born, out.newest, out.marks = s.memory(l.store.kind(), nil), s.born, s.newest, values(s.marks)
			out.lapses, out.served, out.since = slices.Clone(s.lapses), maps.Clone(s.served), s.accepted
			out.replays = maps.Clone(s.replays)
		}
		out.latest, out.memory.Progress, out.memory.Outages = newest, newest.progress, newest.outages
		out.memory.Audits, out.memory.Serving = newest.audits, newest.served
		out.memory.Replays = openReplays(out.replays, newest.replays)
		out.memory.Drifts, out.memory.Ended = s.sinceChange(newest.drifts), newest.ended
		if len(im.chain) == 0 {
			kept := l.readAside()
			out.memory.Outages, out.memory.Progress = kept.outages, kept.progress
			out.memory.Drifts, out.memory.Ended = kept.drifts, kept.ended
		}
		out.chain, out.version = im.chain, im.version
		if im.noted != nil {
			out.noted = im.noted()
		}
		l.verified.newest = out
		return nil
	})
	if err != nil {
		return Snapshot{entries: entries, chain: im.chain}, err
	}
	return out, nil
}

// readBirth is Read for who asks only whether the ledger exists and is whole: it sums up
// neither the records nor the latest values. The snapshot holds the birth, the records and the
// notes.
func (l *Ledger) readBirth(ctx context.Context) (Snapshot, error) {
	im, err := l.store.load(ctx)
	if err == nil {
		im, _, err = upgrade(im)
	}
	if err != nil {
		return Snapshot{}, l.withPath(err)
	}
	if s, ok := l.verified.cachedSnapshot(im.version); ok {
		return s, nil
	}
	out := Snapshot{chain: im.chain}
	_, err = l.replay(im, func(s *state) error {
		out.born = s.born
		if im.noted != nil {
			out.noted = im.noted()
		}
		return nil
	})
	return out, err
}

// cachedSnapshot returns the snapshot of an image by its version.
func (v *verified) cachedSnapshot(version uint64) (Snapshot, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newest, version != 0 && v.newest.version == version
}

// Memory returns the planner's input: progress and homes sorted by cluster, generations
// by topology. The caller sets Now to the later of its clock and Newest.
func (s Snapshot) Memory() plan.Memory { return s.memory }

// Born is when the ledger was made; false: it does not exist.
func (s Snapshot) Born() (time.Time, bool) { return s.born, !s.born.IsZero() }

// Accepted returns when the ledger was last accepted; false: never. Approvals from
// before that time may have been used.
func (s Snapshot) Accepted() (time.Time, bool) { return s.since, !s.since.IsZero() }

// Newest is the latest time of any record, zero for an empty ledger.
func (s Snapshot) Newest() time.Time { return s.newest }

// Version changes with the content. Two snapshots of one Ledger with the same version
// are equal; 0: not known.
func (s Snapshot) Version() uint64 { return s.version }

// SameRecords reports whether two snapshots of one Ledger hold the same records. Their
// latest values, such as progress, may differ.
func (s Snapshot) SameRecords(o Snapshot) bool {
	n := len(s.entries)
	return n == len(o.entries) && (n == 0 || s.chain[n-1].hash == o.chain[n-1].hash)
}

// Spent lists the used approvals of a topology, oldest first; "" means all topologies.
func (s Snapshot) Spent(topology string) []Mark {
	var out []Mark
	for _, m := range s.marks {
		if topology == "" || m.Topology == topology {
			out = append(out, m)
		}
	}
	return out
}

// Lapsed lists the lapsed approvals of a topology, oldest first; "" means all.
func (s Snapshot) Lapsed(topology string) []Lapse {
	var out []Lapse
	for _, p := range s.lapses {
		if topology == "" || p.Topology == topology {
			out = append(out, p)
		}
	}
	return out
}

// Served returns the last served SDK document of each topology, by name.
func (s Snapshot) Served() map[string]Served { return maps.Clone(s.served) }

// GitHead returns the last known commit of a tracked ref; false: none is known.
func (s Snapshot) GitHead(url, ref string) (GitHead, bool) {
	h, ok := s.latest.heads[gitKey(url, ref)]
	return h, ok
}

// History lists the records of a topology, oldest first; "" means all. The result of a
// failover whose loss was counted later, or replayed, has that too.
func (s Snapshot) History(topology string) []Record {
	var out []Record
	counted, replayed := countsOf(s.entries), replayedOf(s.entries)
	open, rehearsals := map[string]lossOf{}, rehearsalsOf(s.entries)
	for i, e := range s.entries {
		if e.Kind == KindIntent {
			open[e.Topology] = lossOf{e.Seq, e.Begin.oldPrimary()}
		}
		if topology != "" && e.Topology != topology {
			continue
		}
		r := e.record(s.chain[i].hash)
		if e.Kind == KindResult {
			r.Loss, r.Replayed = counted[open[e.Topology]], replayed[open[e.Topology]]
			r.Rehearsal = rehearsals[e.Seq]
		}
		out = append(out, r)
	}
	return out
}

// Memory is Read, for callers that need nothing else of it.
func (l *Ledger) Memory(ctx context.Context) (plan.Memory, error) {
	s, err := l.Read(ctx)
	return s.Memory(), err
}
