package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
)

type salvageOptions struct {
	from   string
	export string
}

func newSalvage(g *globals) *cobra.Command {
	var o salvageOptions
	cmd := &cobra.Command{
		Use:   "salvage TOPOLOGY",
		Short: "Show what a stale old primary holds that was never replicated",
		Long: `salvage reads the log of a stale old primary, from the last message that was
replicated when another cluster was promoted. It counts what follows, by collection
and kind; --export also writes it, one row a line. It changes no cluster, and works on
a fenced one.

It counts messages of the log: a row that was written and deleted counts twice. Check
each row before you write it into the new primary, which may hold a newer version of
the same key.`,
		Example: `  reconcile salvage orders
  reconcile salvage orders --export lost.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSalvage(cmd.Context(), g, o, args[0]) },
	}
	cmd.Flags().StringVar(&o.from, "from", "", "the stale cluster to read; needed when the topology has several")
	cmd.Flags().StringVar(&o.export, "export", "", "write every row to this new file, as JSON lines")
	return cmd
}

func runSalvage(ctx context.Context, g *globals, o salvageOptions, topology string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, fmt.Errorf("--timeout %s is over (hint: what was read until then is whole; give it longer)", g.timeout))
	defer cancel()
	e, err := g.options().Open(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, "", "", []string{topology})
	if err != nil {
		return err
	}
	t, stale, err := rev.StaleCluster(topology, o.from)
	if err != nil {
		return err
	}
	primary, _ := t.Primary()
	tally, out := newSalvageTally(), (*salvageExport)(nil)
	visit := func(m milvus.SalvagedMessage) error { return tally.add(m) }
	if o.export != "" {
		if out, err = newSalvageExport(o.export); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.end(err == nil)) }()
		visit = func(m milvus.SalvagedMessage) error { return errors.Join(tally.add(m), out.write(m)) }
	}
	g.tell(topology, "reading what "+stale+" holds and "+primary.ID+" never got")
	done := g.doing("reading the log of " + stale)
	found, err := e.Fleet.Reader().Salvage(ctx, t, primary.ID, stale, visit)
	done()
	if err != nil {
		return fmt.Errorf("salvage %s: %w", stale, err)
	}
	report := tally.report(topology, found)
	if out != nil {
		report.Export, report.Exported = o.export, out.lines
	}
	if !report.Whole() {
		g.exit = ExitError
	}
	return g.emit(func(w io.Writer, form string) error { return render.Salvage(w, form, report, g.tableOptions()) })
}

// salvageTally counts by collection and kind. Its size depends on how many of
// both there are, not on how many messages.
type salvageTally struct {
	counts map[salvageKey]*render.SalvageCount
}

type salvageKey struct {
	database, collection string
	id                   int64
	kind                 string
}

func newSalvageTally() *salvageTally {
	return &salvageTally{counts: map[salvageKey]*render.SalvageCount{}}
}

func (s *salvageTally) add(m milvus.SalvagedMessage) error {
	k := salvageKey{m.Database, m.Collection, m.CollectionID, m.Kind}
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
	return nil
}

func (s *salvageTally) report(topology string, found milvus.Salvage) render.SalvageReport {
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
