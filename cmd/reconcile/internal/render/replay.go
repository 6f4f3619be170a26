package render

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// ReplayReport is what a replay of lost rows would write, or has written.
type ReplayReport struct {
	Topology   string
	Generation int64
	Stale      string
	Promoted   string
	Until      time.Time // up to when the stale cluster was read, by its own ticks
	Fenced     bool      // it refuses writes, so nothing comes later
	Refused    string    // why the promoted cluster cannot take a replay; empty: it can
	// Digest names every write that the replay may make; empty: it makes none.
	Digest        string
	Counts        []ReplayCount
	Rest          []ReplayRest
	Conflicts     []ReplayConflict // the first ones
	MoreConflicts int64            // that are not named
	Problems      []ReplayProblem
	Export        string // the file; empty: none
	Exported      int64  // its lines
	Approval      ReplayApproval
	Done          *ReplayDone // nil: nothing was to be written yet
}

// ReplayCount counts the rows of one collection that a replay may write. Each is counted
// once.
type ReplayCount struct {
	Database, Collection string
	CollectionID         int64
	Upserts, Deletes     int64 // still to be written
	There                int64 // already there, as the newest write of their key
	Conflicts            int64 // the promoted cluster has a newer write of their key
	Replaced             int64 // a later lost write of the same key counts instead
	First, Last          time.Time
}

// ReplayRest counts rows, or messages without rows, that no replay writes.
type ReplayRest struct {
	Database, Collection string // empty: not known, or it concerns none
	CollectionID         int64
	Kind                 string
	Why                  string
	Rows                 int64
}

// ReplayConflict is a lost row that is not written, since the promoted cluster has a newer
// write of its key.
type ReplayConflict struct {
	Database, Collection string
	Key, Kind            string
	At                   time.Time // of the lost write
}

// ReplayProblem says why nothing of a channel is written.
type ReplayProblem struct{ Channel, Problem string }

// ReplayApproval is whether the replay is approved. The zero value: it was not asked.
type ReplayApproval struct {
	Verdict string // approved, denied, not_required
	Code    string
	Detail  string
	By      []string
}

// ReplayDone is what a replay did, and what reading back found.
type ReplayDone struct {
	Written  int64 // rows, by this process
	HeldBack int64 // that turned out to have a newer write just before theirs
	// Right rows were found by a query as they should be: once, or after a delete
	// not at all.
	Right, Missing, Doubled, Remaining int64
	NotRead                            []string // collections that no query could read, and why
	Problem                            string   // why it ended before all was written; empty: it did not
}

// Whole says whether a replay ended as it should. One that did nothing is not.
func (d *ReplayDone) Whole() bool {
	return d != nil && d.Problem == "" && d.Missing+d.Doubled+d.Remaining == 0
}

// Replayable is how many rows the replay may write or has written.
func (r ReplayReport) Replayable() (n int64) {
	for _, c := range r.Counts {
		n += c.Upserts + c.Deletes + c.There + c.Conflicts
	}
	return n
}

// ToWrite is how many rows are still to be written.
func (r ReplayReport) ToWrite() (n int64) {
	for _, c := range r.Counts {
		n += c.Upserts + c.Deletes
	}
	return n
}

// There is how many lost rows are there as the newest write of their key.
func (r ReplayReport) There() (n int64) {
	for _, c := range r.Counts {
		n += c.There
	}
	return n
}

// HeldBack is how many lost rows are not written, since a newer write of their key is there.
func (r ReplayReport) HeldBack() (n int64) {
	for _, c := range r.Counts {
		n += c.Conflicts
	}
	return n
}

// Replay writes the report as "table", "json" or "yaml".
func Replay(w io.Writer, form string, r ReplayReport, o TableOptions) error {
	return answer{name: "salvage", page: func(p *page) { p.replay(r) }, value: func() any { return encodeReplay(r) }}.write(w, form, o)
}

func (p *page) replay(r ReplayReport) {
	words, s := r.headline()
	p.title(r.Topology+"/"+r.Promoted, s, words)
	p.blank()
	if d := r.Digest; d != "" {
		p.field("Digest", good, "·", d)
	}
	if !r.Fenced {
		p.field("Beware", attention, "!", fmt.Sprintf("%s still takes writes, so the digest can change; fence it first: 'reconcile fence %s/%s'", r.Stale, r.Topology, r.Stale))
	}
	if r.Refused != "" {
		p.field("Blocked", bad, "✗", r.Refused)
	}
	for _, x := range r.Problems {
		p.field("Left out", attention, "!", x.Channel+": "+x.Problem)
	}
	p.replayDone(r)
	p.replayRest(r)
	if r.Export != "" {
		p.field("Export", good, "✓", fmt.Sprintf("%d lines in %s, each with its reason", r.Exported, r.Export))
	}
	p.replayNext(r)
	p.replayGrid(r)
	p.replayConflicts(r)
}

func (r ReplayReport) headline() (string, style) {
	there := fmt.Sprintf("%d already there", r.There())
	switch n, held := r.ToWrite(), r.HeldBack(); {
	case r.Refused != "":
		return "nothing can be replayed into " + r.Promoted, bad
	case r.Done != nil && r.Done.Problem != "":
		return fmt.Sprintf("replay not finished: %d rows to write, %s", n, there), bad
	case r.Done != nil && r.Done.Missing+r.Done.Doubled+r.Done.Remaining > 0:
		return "replayed, but reading back found other rows", bad
	case r.Done != nil:
		return fmt.Sprintf("replayed: %d lost rows are there, %d are held back by newer ones", r.There(), held), good
	case n > 0:
		return fmt.Sprintf("%d lost rows can be written into %s, %s, %d held back by newer ones", n, r.Promoted, there, held), attention
	default:
		return fmt.Sprintf("no lost row is to be written, %s, %d held back by newer ones", there, held), good
	}
}

func (p *page) replayDone(r ReplayReport) {
	d := r.Done
	if d == nil {
		return
	}
	p.field("Written", good, "✓", plural(int(d.Written), "row", "rows")+" by this run")
	if d.HeldBack > 0 {
		p.field("Held back", attention, "!", fmt.Sprintf("%d rows, since %s took a newer write of their keys meanwhile", d.HeldBack, r.Promoted))
	}
	if d.Missing+d.Doubled+d.Remaining > 0 {
		p.field("Read back", bad, "✗", fmt.Sprintf("%d right, %d missing, %d more than once, %d deleted ones still there", d.Right, d.Missing, d.Doubled, d.Remaining))
	} else if d.Right > 0 {
		p.field("Read back", good, "✓", fmt.Sprintf("a query by key found %d rows as they should be: each once, deleted ones not at all", d.Right))
	}
	for _, text := range d.NotRead {
		p.field("Not read", attention, "!", text+": its log shows the rows")
	}
	if d.Problem != "" {
		p.field("Problem", bad, "✗", d.Problem)
	}
}

// replayRest prints each reason once, with what it keeps back.
func (p *page) replayRest(r ReplayReport) {
	for _, x := range r.Rest {
		name := SalvageCount{Database: x.Database, Collection: x.Collection, CollectionID: x.CollectionID}.name()
		p.field("Not replayed", attention, "!", fmt.Sprintf("%d × %s, %s: %s", x.Rows, x.Kind, name, x.Why))
	}
}

// replayNext says what to type next.
func (p *page) replayNext(r ReplayReport) {
	a := r.Approval
	switch {
	case r.ToWrite() == 0 || r.Digest == "":
	case a.Verdict == "denied":
		p.field("Approval", attention, "!", a.Code+": "+a.Detail)
	case a.Verdict != "":
		p.field("Approval", good, "✓", a.Detail)
	}
}

func (p *page) replayGrid(r ReplayReport) {
	if len(r.Counts) == 0 {
		return
	}
	p.blank()
	g := grid{head: []string{"collection", "upserts", "deletes", "there", "newer", "replaced", "first", "last"}, least: 20}
	for _, c := range r.Counts {
		g.add(cell{text: SalvageCount{Database: c.Database, Collection: c.Collection, CollectionID: c.CollectionID}.name()}, rowCount(c.Upserts), rowCount(c.Deletes),
			rowCount(c.There), rowCount(c.Conflicts), rowCount(c.Replaced), cell{text: clockTime(c.First)}, cell{text: clockTime(c.Last)})
	}
	p.grid(g)
}

func rowCount(n int64) cell { return cell{text: strconv.FormatInt(n, 10)} }

func (p *page) replayConflicts(r ReplayReport) {
	if len(r.Conflicts) == 0 {
		return
	}
	p.blank()
	g := grid{head: []string{"held back", "key", "kind", "lost write"}, least: 20}
	for _, c := range r.Conflicts {
		g.add(cell{text: orElse(c.Database, "?") + "/" + c.Collection}, cell{text: c.Key}, cell{text: c.Kind}, cell{text: clockTime(c.At)})
	}
	p.grid(g)
	if r.MoreConflicts > 0 {
		p.field("More", attention, "!", fmt.Sprintf("%d are not shown; --export writes all", r.MoreConflicts))
	}
}
