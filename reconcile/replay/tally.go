package replay

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Message describes one message of the stale cluster's log, whose rows were lost.
type Message struct {
	Database, Collection string
	CollectionID         int64
	Kind                 string
	At                   time.Time
	Delete               bool
	Key                  func(row int) string // the key of a row, for people
}

// Tally counts verdicts. It grows with the number of collections and reasons.
type Tally struct {
	counts    map[int64]*Count
	rest      map[Rest]*Rest
	conflicts []Conflict
	conflict  int64
}

// shownConflicts is how many conflicts a report names. The export has all.
const shownConflicts = 100

// NewTally returns an empty tally.
func NewTally() *Tally { return &Tally{counts: map[int64]*Count{}, rest: map[Rest]*Rest{}} }

// Add counts the rows of a message, each with its verdict.
func (s *Tally) Add(m Message, verdicts []Verdict) {
	for row, v := range verdicts {
		if v.Why != "" {
			if v.Fate != UpsertsOwn {
				s.addRest(m, v.Why)
			}
			continue
		}
		s.addRow(m, row, v.Fate)
	}
}

func (s *Tally) addRow(m Message, row int, f Fate) {
	c := s.count(m)
	switch f {
	case ToWrite:
		if m.Delete {
			c.Deletes++
		} else {
			c.Upserts++
		}
	case There:
		c.There++
	case HeldBack:
		c.Conflicts++
		if s.conflict++; len(s.conflicts) < shownConflicts {
			s.conflicts = append(s.conflicts, Conflict{Database: m.Database, Collection: m.Collection, Key: m.Key(row), Kind: m.Kind, At: m.At})
		}
	case Replaced, Divided:
		c.Replaced++
	case UpsertsOwn, Expired:
		return
	}
	if c.First.IsZero() || m.At.Before(c.First) {
		c.First = m.At
	}
	if m.At.After(c.Last) {
		c.Last = m.At
	}
}

func (s *Tally) count(m Message) *Count {
	c := s.counts[m.CollectionID]
	if c == nil {
		c = &Count{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID}
		s.counts[m.CollectionID] = c
	}
	return c
}

func (s *Tally) addRest(m Message, why string) {
	k := Rest{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID, Kind: m.Kind, Why: why}
	c := s.rest[k]
	if c == nil {
		one := k
		c = &one
		s.rest[k] = c
	}
	c.Rows++
}

// Report completes a report with what was counted, and with the digest of all channels.
func (s *Tally) Report(r Report, channels []ChannelSum) Report {
	for _, c := range s.counts {
		r.Counts = append(r.Counts, *c)
	}
	for _, c := range s.rest {
		r.Rest = append(r.Rest, *c)
	}
	slices.SortFunc(r.Counts, func(a, b Count) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.Collection, b.Collection), cmp.Compare(a.CollectionID, b.CollectionID))
	})
	slices.SortFunc(r.Rest, func(a, b Rest) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.Collection, b.Collection),
			cmp.Compare(a.CollectionID, b.CollectionID), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Why, b.Why))
	})
	slices.SortFunc(s.conflicts, func(a, b Conflict) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Collection, b.Collection), strings.Compare(a.Key, b.Key))
	})
	r.Conflicts, r.MoreConflicts = s.conflicts, s.conflict-int64(len(s.conflicts))
	if r.Replayable() > 0 {
		r.Digest = digest(r.Topology, r.Stale, r.Promoted, channels)
	}
	return r
}
