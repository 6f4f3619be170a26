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

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/ledger"
)

func newHistory(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "history [TOPOLOGY]",
		Short:   "Show the ledger: intents, results, used approvals",
		Example: "  reconcile history orders -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runHistory(cmd.Context(), g, strings.Join(args, ""))
		},
	}
}

// runHistory reads only the ledger. It shows a damaged ledger up to the damage, with the
// error.
func runHistory(ctx context.Context, g *globals, topology string) error {
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
	for _, t := range g.knownTopologies(ctx) {
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
		})
	}
	return rows
}

func newShow(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "show PLAN.JSON",
		Short:   "Print a saved plan in any form",
		Example: "  reconcile show plan.json -o markdown",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("read the saved plan: %w", err)
			}
			defer f.Close() //nolint:errcheck // only read
			d, err := render.Decode(f)
			if err != nil {
				return fmt.Errorf("read the saved plan %s: %w", args[0], err)
			}
			return g.emit(func(w io.Writer, form string) error { return g.writeDocument(w, form, d) })
		},
	}
}
