// Package salvage reads what a stale old primary holds that was never replicated:
// it counts the messages and exports them on request. It changes no cluster.
package salvage

import (
	"context"
	"slices"

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

// Read reads the log of the stale cluster and returns what it counted.
func (s *Salvage) Read(ctx context.Context, reader *milvus.Reader, t plan.Topology, promoted, stale string) (render.SalvageReport, error) {
	found, err := reader.Salvage(ctx, t, promoted, stale, s.visit)
	if err != nil {
		return render.SalvageReport{}, err
	}
	report := s.tally.report(t.Name, found)
	if s.export != nil {
		report.Export, report.Exported = s.export.path, s.export.lines
	}
	return report, nil
}

func (s *Salvage) visit(m milvus.SalvagedMessage) error {
	s.tally.add(m)
	if s.export == nil {
		return nil
	}
	return s.export.write(m)
}

// Close closes the export. Only a whole one gets its name; another is removed.
func (s *Salvage) Close(whole bool) error {
	if s.export == nil {
		return nil
	}
	return s.export.end(whole)
}

// tally counts messages and rows by collection and kind. Its size grows with the
// number of collections, not with the number of messages.
type tally struct {
	counts map[tallyKey]*render.SalvageCount
}

type tallyKey struct {
	database, collection string
	id                   int64
	kind                 string
}

func newTally() *tally {
	return &tally{counts: map[tallyKey]*render.SalvageCount{}}
}

func (s *tally) add(m milvus.SalvagedMessage) {
	k := tallyKey{m.Database, m.Collection, m.CollectionID, m.Kind}
	c, ok := s.counts[k]
	if !ok {
		c = &render.SalvageCount{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID, Kind: m.Kind}
		s.counts[k] = c
	}
	c.Messages++
	c.Rows += m.RowCount
	if at := plan.TickTime(m.TimeTick); at.After(c.Newest) {
		c.Newest = at
	}
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
