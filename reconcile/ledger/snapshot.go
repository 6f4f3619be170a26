package ledger

import (
	"context"
	"maps"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Snapshot is the ledger at one moment.
type Snapshot struct {
	memory  plan.Memory
	born    time.Time
	newest  time.Time
	marks   []Mark
	entries []entry
	chain   []sealed // with the entries at its beginning
	lapses  []Lapse
	served  map[string]Served
	version uint64 // of the image
	latest  latest
	noted   noteSet // outside of it, before it was read
	since   time.Time
}

// Read verifies the whole ledger and returns it as it stands. What a long-lived
// process verified before and finds unchanged is not verified again. A ledger that
// does not exist yet is empty and is not made. On damage the error is a
// CorruptError and the snapshot holds nothing but the history before the
// fault, for a person to read.
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
		newest, err := l.verified.values.decode(im.latest)
		if err != nil {
			return l.withPath(err)
		}
		current := Snapshot{entries: l.verified.entries, chain: im.chain, version: im.version}
		if out = l.verified.newest; out.version == 0 || !out.SameRecords(current) {
			out = current
			out.memory, out.born, out.newest, out.marks = s.memory(l.store.kind(), nil), s.born, s.newest, values(s.marks)
			out.lapses, out.served, out.since = slices.Clone(s.lapses), maps.Clone(s.served), s.accepted
		}
		out.latest, out.memory.Progress = newest, newest.progress
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

// cachedSnapshot is the snapshot of the image of that version.
func (v *verified) cachedSnapshot(version uint64) (Snapshot, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newest, version != 0 && v.newest.version == version
}

// Memory is what the planner may remember: progress and homes in the order of
// clusters, generations in that of topologies. Now is left to the caller, who
// takes the later of its clock and Newest.
func (s Snapshot) Memory() plan.Memory { return s.memory }

// Born is when the ledger was made; false: it does not exist.
func (s Snapshot) Born() (time.Time, bool) { return s.born, !s.born.IsZero() }

// Accepted is when the ledger was taken as it was, though it may have been older than
// what was written last: approvals from before may have been used. False: it never was.
func (s Snapshot) Accepted() (time.Time, bool) { return s.since, !s.since.IsZero() }

// Newest is the latest time of any record, zero for an empty ledger.
func (s Snapshot) Newest() time.Time { return s.newest }

// Version is another one whenever what a Ledger holds is; two snapshots of one
// Ledger with the same version are the same. 0: that cannot be told.
func (s Snapshot) Version() uint64 { return s.version }

// SameRecords says whether two snapshots of one Ledger hold the same records. What
// is not recorded, as progress, may differ.
func (s Snapshot) SameRecords(o Snapshot) bool {
	n := len(s.entries)
	return n == len(o.entries) && (n == 0 || s.chain[n-1].hash == o.chain[n-1].hash)
}

// Spent lists the approvals of a topology that were used, oldest first; of
// all, for "".
func (s Snapshot) Spent(topology string) []Mark {
	var out []Mark
	for _, m := range s.marks {
		if topology == "" || m.Topology == topology {
			out = append(out, m)
		}
	}
	return out
}

// Lapsed lists the approvals of a topology that lapsed, oldest first; of all,
// for "".
func (s Snapshot) Lapsed(topology string) []Lapse {
	var out []Lapse
	for _, p := range s.lapses {
		if topology == "" || p.Topology == topology {
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

// History lists the records of a topology, oldest first; of all, for "".
func (s Snapshot) History(topology string) []Record {
	var out []Record
	for i, e := range s.entries {
		if topology == "" || e.Topology == topology {
			out = append(out, e.record(s.chain[i].hash))
		}
	}
	return out
}

// Memory is Read, for callers that need nothing else of it.
func (l *Ledger) Memory(ctx context.Context) (plan.Memory, error) {
	s, err := l.Read(ctx)
	return s.Memory(), err
}
