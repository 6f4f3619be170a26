package salvage

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
)

// replayTally counts the verdicts. It grows with the number of collections and reasons.
type replayTally struct {
	mu        sync.Mutex
	counts    map[int64]*render.ReplayCount
	rest      map[render.ReplayRest]*render.ReplayRest
	conflicts []render.ReplayConflict
	conflict  int64
}

// shownConflicts is how many conflicts a report names. The export has all.
const shownConflicts = 100

func newReplayTally() *replayTally {
	return &replayTally{counts: map[int64]*render.ReplayCount{}, rest: map[render.ReplayRest]*render.ReplayRest{}}
}

func (s *replayTally) add(m milvus.LoggedMessage, verdicts []verdict) {
	at := plan.TickTime(m.TimeTick)
	for row, v := range verdicts {
		if v.why != "" {
			if v.decision != upsertsOwn {
				s.addRest(m, v.why)
			}
			continue
		}
		c := s.count(m)
		switch v.decision {
		case write:
			if m.Rows.Delete {
				c.Deletes++
			} else {
				c.Upserts++
			}
		case there:
			c.There++
		case newer:
			c.Conflicts++
			if s.conflict++; len(s.conflicts) < shownConflicts {
				s.conflicts = append(s.conflicts, render.ReplayConflict{
					Database: m.Database, Collection: m.Collection, Key: m.Rows.Key(row), Kind: m.Kind, At: at,
				})
			}
		case replaced, divided:
			c.Replaced++
		case upsertsOwn, expired:
			continue
		}
		if c.First.IsZero() || at.Before(c.First) {
			c.First = at
		}
		if at.After(c.Last) {
			c.Last = at
		}
	}
}

func (s *replayTally) count(m milvus.LoggedMessage) *render.ReplayCount {
	c := s.counts[m.CollectionID]
	if c == nil {
		c = &render.ReplayCount{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID}
		s.counts[m.CollectionID] = c
	}
	return c
}

func (s *replayTally) addRest(m milvus.LoggedMessage, why string) {
	k := render.ReplayRest{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID, Kind: m.Kind, Why: why}
	c := s.rest[k]
	if c == nil {
		one := k
		c = &one
		s.rest[k] = c
	}
	c.Rows++
}

func (s *replayTally) report(to *render.ReplayReport) {
	for _, c := range s.counts {
		to.Counts = append(to.Counts, *c)
	}
	for _, c := range s.rest {
		to.Rest = append(to.Rest, *c)
	}
	slices.SortFunc(to.Counts, func(a, b render.ReplayCount) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.Collection, b.Collection), cmp.Compare(a.CollectionID, b.CollectionID))
	})
	slices.SortFunc(to.Rest, func(a, b render.ReplayRest) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.Collection, b.Collection),
			cmp.Compare(a.CollectionID, b.CollectionID), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Why, b.Why))
	})
	slices.SortFunc(s.conflicts, func(a, b render.ReplayConflict) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Collection, b.Collection), strings.Compare(a.Key, b.Key))
	})
	to.Conflicts, to.MoreConflicts = s.conflicts, s.conflict-int64(len(s.conflicts))
}
