package cli

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
)

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
