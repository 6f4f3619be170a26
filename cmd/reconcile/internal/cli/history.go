package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/ledger"
)

func newHistory(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "history [TOPOLOGY]",
		Short: "Show what was done, by whom and why, from the ledger",
		Long: `history tells what the ledger recorded of a topology, or of all of them, the oldest
first: since when the old primary was silent, who proposed a change, who approved it and
why, when a request was sent and took effect, whether the new primary was verified and
traffic redirected, and what was lost. It calls no cluster. The JSON form has every record
with its hash.`,
		Example: `  reconcile history orders
  reconcile history orders -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runHistory(cmd.Context(), g, strings.Join(args, ""))
		},
	}
}

// runHistory reads only the ledger. It shows a damaged ledger up to the damage, with the
// error.
func runHistory(ctx context.Context, g *globals, topology string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.options().ForLedger()
	if err != nil {
		return err
	}
	l, err := e.Ledger()
	if err != nil {
		return err
	}
	snapshot, damaged := e.Recall(ctx, l)
	rows := historyRows(snapshot.History(topology))
	if len(rows) == 0 && topology != "" && damaged == nil {
		if err := g.withoutRecords(ctx, topology, snapshot.History("")); err != nil {
			return err
		}
	}
	err = g.emit(func(w io.Writer, form string) error { return render.History(w, form, rows, g.tableOptions()) })
	if damaged != nil {
		damaged = fmt.Errorf("read the ledger: %w", damaged)
	}
	return errors.Join(damaged, err)
}

// withoutRecords fails for a topology that neither the ledger nor a repository on this
// machine knows.
func (g *globals) withoutRecords(ctx context.Context, topology string, all []ledger.Record) error {
	known := map[string]bool{}
	for _, t := range (completer{g.options}).knownTopologies(ctx) {
		known[t.Name] = true
	}
	if known[topology] {
		return nil
	}
	for _, r := range all {
		if r.Topology != "" {
			known[r.Topology] = true
		}
	}
	return errors.New(suggest.WithHint(
		fmt.Sprintf("the ledger holds no record of a topology %q", topology),
		suggest.Hint(topology, slices.Sorted(maps.Keys(known)), ""),
	))
}

func historyRows(records []ledger.Record) []render.HistoryRow {
	rows := make([]render.HistoryRow, 0, len(records))
	for _, r := range records {
		rows = append(rows, render.HistoryRow{
			Seq: r.Seq, At: r.At, Kind: string(r.Kind), Topology: r.Topology, Commit: r.Commit, By: r.By,
			Transition: r.TransitionText(), Result: r.Result, Detail: r.Detail, PrevHash: r.PrevHash, Hash: r.Hash,
			Reasons: r.Reasons, ProposedBy: r.ProposedBy, Generation: r.Generation, Story: r.Story(), Lost: r.Lost, FailedAt: r.FailedAt, Loss: r.Loss,
		})
	}
	return rows
}

func newShow(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show PLAN.JSON [TOPOLOGY…]",
		Short: "Print a saved plan in any form",
		Example: `  reconcile show plan.json -o markdown
  reconcile show plan.json orders`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := readPlan(args[0])
			if err != nil {
				return err
			}
			if d.Plan.Topologies, err = chosen(d.Plan, args[1:]); err != nil {
				return err
			}
			return g.emit(func(w io.Writer, form string) error {
				if form == render.FormTable {
					o := g.tableOptions()
					o.Details = "reconcile show " + args[0] + " NAME"
					return render.Table(w, d, o)
				}
				return g.writeDocument(w, form, d)
			})
		},
	}
	g.addListing(cmd)
	g.pageFlags(cmd)
	return cmd
}

// readPlan reads a saved JSON plan.
func readPlan(path string) (render.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return render.Document{}, fmt.Errorf("read the saved plan: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	d, err := render.Decode(f)
	if err != nil {
		return render.Document{}, fmt.Errorf("read the saved plan %s: %w", path, err)
	}
	return d, nil
}

// chosen returns the topologies of a plan that the names or patterns select.
func chosen(p plan.Plan, names []string) ([]plan.TopologyPlan, error) {
	rev := desired.Revision{Commit: p.Commit}
	for _, t := range p.Topologies {
		rev.Desired.Topologies = append(rev.Desired.Topologies, plan.Topology{Name: t.Name})
	}
	if err := rev.Choose(names); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(p.Topologies), func(t plan.TopologyPlan) bool {
		return !slices.ContainsFunc(rev.Desired.Topologies, func(kept plan.Topology) bool { return kept.Name == t.Name })
	}), nil
}
