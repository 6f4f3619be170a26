// Package salvage reads the messages that a stale old primary holds and never replicated. It
// counts the messages, exports their rows, and replays those rows: [ReplayRun] writes them
// into the promoted cluster. It never writes to the stale one.
package salvage

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
)

// Salvage counts and exports the messages of one stale cluster.
type Salvage struct {
	tally  *tally
	export *export // nil without an export
}

// New prepares a salvage. It exports to a new file at the path; an empty path means
// no export. Close must be called.
func New(exportPath string) (*Salvage, error) {
	s := &Salvage{tally: newTally()}
	if exportPath == "" {
		return s, nil
	}
	var err error
	s.export, err = newExport(exportPath)
	return s, err
}

// Read reads the log of the stale cluster, which became stale at since, and returns what
// it counted; a zero since is not known. The count is nil unless it is exact.
func (s *Salvage) Read(ctx context.Context, reader *milvus.Reader, t plan.Topology, promoted, stale string, since time.Time) (render.SalvageReport, *plan.CountedLoss, error) {
	s.tally.since = since
	found, err := reader.Salvage(ctx, t, promoted, stale, s.visit)
	if err != nil {
		return render.SalvageReport{}, nil, err
	}
	report := s.tally.report(t.Name, found)
	if s.export != nil {
		report.Export, report.Exported = s.export.path, s.export.lines
	}
	if report.NotExact = s.tally.notExact(t, found, report.Whole()); report.NotExact != "" {
		return report, nil, nil
	}
	return report, s.tally.loss(t.Name, found), nil
}

// notExact says why the count may not be all that the stale cluster holds; "": it is.
func (s *tally) notExact(t plan.Topology, found milvus.Salvage, whole bool) string {
	if !whole {
		return "not everything could be read"
	}
	if len(s.hidden) > 0 {
		return "the rows of some messages cannot be counted: " + strings.Join(slices.Sorted(maps.Keys(s.hidden)), ", ")
	}
	c, _ := t.Cluster(found.Stale)
	for _, channel := range c.PChannels {
		if !slices.ContainsFunc(found.Channels, func(r milvus.SalvagedChannel) bool { return r.Channel == channel }) {
			return "no checkpoint shows up to where " + channel + " was replicated"
		}
	}
	return ""
}

// loss is the count in the form that the ledger keeps.
func (s *tally) loss(topology string, found milvus.Salvage) *plan.CountedLoss {
	return &plan.CountedLoss{
		Topology: topology, Cluster: found.Stale, Promoted: found.Promoted, Since: s.since, Until: found.Until, Closed: found.Fenced,
		Lost: sortedCounts(s.lost), First: s.first, Last: s.last, Later: sortedCounts(s.later),
	}
}

func sortedCounts(counts map[string]plan.LossCount) []plan.LossCount {
	var out []plan.LossCount
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, counts[kind])
	}
	return out
}

func (s *Salvage) visit(m milvus.SalvagedMessage) error {
	s.tally.add(m)
	if s.export == nil {
		return nil
	}
	return s.export.write(m)
}

// Close closes the export. Only a complete export gets its name; an incomplete one is
// removed.
func (s *Salvage) Close(whole bool) error {
	if s.export == nil {
		return nil
	}
	return s.export.end(whole)
}

// tally counts messages and rows by collection, partition and kind. Its size grows with the
// number of these, not with the number of messages.
type tally struct {
	counts map[tallyKey]*render.SalvageCount

	since       time.Time                 // when the cluster became stale; zero: not known
	lost, later map[string]plan.LossCount // by kind: until then, and from then on
	first, last time.Time                 // of lost
	hidden      map[string]bool           // kinds of messages whose rows are not known
}

type tallyKey struct {
	database, collection string
	id                   int64
	partition, kind      string
}

func newTally() *tally {
	return &tally{
		counts: map[tallyKey]*render.SalvageCount{},
		lost:   map[string]plan.LossCount{}, later: map[string]plan.LossCount{}, hidden: map[string]bool{},
	}
}

func (s *tally) add(m milvus.SalvagedMessage) {
	k := tallyKey{m.Database, m.Collection, m.CollectionID, m.Partition, m.Kind}
	c, ok := s.counts[k]
	if !ok {
		c = &render.SalvageCount{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID, Partition: m.Partition, Kind: m.Kind}
		s.counts[k] = c
	}
	c.Messages++
	c.Rows += m.RowCount
	at := plan.TickTime(m.TimeTick)
	if c.First.IsZero() || at.Before(c.First) {
		c.First = at
	}
	if at.After(c.Newest) {
		c.Newest = at
	}
	c.Keys = append(c.Keys, m.Keys(render.MostSalvagedKeys-len(c.Keys))...)
	s.addToLoss(m, at)
}

// addToLoss counts a message as lost, or as written after the failover began.
func (s *tally) addToLoss(m milvus.SalvagedMessage, at time.Time) {
	if m.RowsHidden || m.TimeTick == 0 {
		s.hidden[m.Kind] = true
	}
	counts := s.lost
	if !s.since.IsZero() && at.After(s.since) {
		counts = s.later
	} else {
		if s.first.IsZero() || at.Before(s.first) {
			s.first = at
		}
		if at.After(s.last) {
			s.last = at
		}
	}
	c := counts[m.Kind]
	counts[m.Kind] = plan.LossCount{Kind: m.Kind, Messages: c.Messages + 1, Rows: c.Rows + m.RowCount}
}

func (s *tally) report(topology string, found milvus.Salvage) render.SalvageReport {
	out := render.SalvageReport{Topology: topology, Stale: found.Stale, Promoted: found.Promoted, Until: found.Until}
	for _, c := range s.counts {
		out.Counts = append(out.Counts, *c)
	}
	slices.SortFunc(out.Counts, render.SalvageCount.Compare)
	for _, c := range found.Channels {
		out.Channels = append(out.Channels, render.SalvageChannel{
			Channel: c.Channel, Promoted: c.Promoted, Messages: c.Messages, Untouched: c.Untouched, Problem: c.Problem,
			ReplicatedUpTo: plan.TickTime(c.Replicated), First: plan.TickTime(c.First), Last: plan.TickTime(c.Last),
		})
	}
	return out
}
