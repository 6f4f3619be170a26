package replay

import (
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// Report is what a replay of lost rows would write, or has written.
type Report struct {
	Topology   string
	Generation int64
	Stale      string
	Promoted   string
	Until      time.Time // up to when the stale cluster was read, by its own ticks
	Fenced     bool      // it refuses writes, so nothing comes later
	Refused    string    // why the promoted cluster cannot take a replay; empty: it can
	// Digest names every write that the replay may make; empty: it makes none.
	Digest        string
	Counts        []Count
	Rest          []Rest
	Conflicts     []Conflict // the first ones
	MoreConflicts int64      // that are not named
	Problems      []Problem
	Export        string    // the file; empty: none
	Exported      int64     // its lines
	Decision      *Decision // whether it may begin; nil: not asked yet
	Done          *Done     // nil: nothing was to be written yet
}

// Count counts the rows of one collection that a replay may write. Each is counted once.
type Count struct {
	Database, Collection string
	CollectionID         int64
	Upserts, Deletes     int64 // still to be written
	There                int64 // already there, as the newest write of their key
	Conflicts            int64 // the promoted cluster has a newer write of their key
	Replaced             int64 // a later lost write of the same key counts instead
	First, Last          time.Time
}

// Rest counts rows, or messages without rows, that no replay writes.
type Rest struct {
	Database, Collection string // empty: not known, or it concerns none
	CollectionID         int64
	Kind                 string
	Why                  string
	Rows                 int64
}

// Conflict is a lost row that is not written, since the promoted cluster has a newer write
// of its key.
type Conflict struct {
	Database, Collection string
	Key, Kind            string
	At                   time.Time // of the lost write
}

// Problem says why nothing of a channel is written.
type Problem struct{ Channel, Problem string }

// Done is what a replay did, and what reading back found.
type Done struct {
	Written  int64 // rows, by this process
	HeldBack int64 // that turned out to have a newer write just before theirs
	// Right rows were found by a query as they should be: once, or after a delete
	// not at all.
	Right, Missing, Doubled, Remaining int64
	NotRead                            []string // collections that no query could read, and why
	Problem                            string   // why it ended before all was written; empty: it did not
}

// Whole says whether a replay ended completely. A replay that did nothing is not whole.
func (d *Done) Whole() bool {
	return d != nil && d.Problem == "" && d.Wrong() == 0
}

// Wrong is how many rows reading back found otherwise than they should be.
func (d *Done) Wrong() int64 { return d.Missing + d.Doubled + d.Remaining }

// Replayable is how many rows the replay may write or has written.
func (r Report) Replayable() (n int64) {
	for _, c := range r.Counts {
		n += c.Upserts + c.Deletes + c.There + c.Conflicts
	}
	return n
}

// ToWrite is how many rows are still to be written.
func (r Report) ToWrite() (n int64) {
	for _, c := range r.Counts {
		n += c.Upserts + c.Deletes
	}
	return n
}

// There is how many lost rows are there as the newest write of their key.
func (r Report) There() (n int64) {
	for _, c := range r.Counts {
		n += c.There
	}
	return n
}

// HeldBack is how many lost rows are not written, since a newer write of their key is there.
func (r Report) HeldBack() (n int64) {
	for _, c := range r.Counts {
		n += c.Conflicts
	}
	return n
}

// RestRows is how many lost rows, and messages without rows, no replay writes.
func (r Report) RestRows() (n int64) {
	for _, x := range r.Rest {
		n += x.Rows
	}
	return n
}

// Ended is what the ledger keeps of a replay that was carried out.
func (r Report) Ended() plan.Replayed {
	return plan.Replayed{
		Topology: r.Topology, Cluster: r.Stale, Promoted: r.Promoted, Until: r.Until, Closed: r.Fenced,
		There: r.There(), HeldBack: r.HeldBack(), Rest: r.RestRows(), Unread: int64(len(r.Problems)), Exported: r.Export != "",
	}
}

// OtherWrites is the problem of a replay whose digest changed: more channels can be read than
// before, or fewer, or a collection changed.
const OtherWrites = "the rows that can be written are no longer those that the replay began with (hint: a dry run says what is left)"

// Rounds decide after each comparison of the logs whether rows are written again. The zero
// value is before the first one.
type Rounds struct {
	begun  bool
	digest string
	left   int64
}

// Next takes the next comparison, after so many rows were written. It says whether rows are
// to be written now; if not, problem says why it cannot go on, and is empty at the end.
func (x *Rounds) Next(r Report, written int64) (more bool, problem string) {
	left, begun := x.left, x.begun
	if !begun {
		x.begun, x.digest = true, r.Digest
	}
	x.left = r.ToWrite()
	switch {
	case r.Digest != x.digest:
		return false, OtherWrites
	case x.left == 0:
		return false, ""
	case begun && x.left >= left:
		return false, fmt.Sprintf("%d rows were written, and the log of the promoted cluster does not show them", written)
	default:
		return true, ""
	}
}
