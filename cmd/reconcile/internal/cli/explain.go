package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan/explain"
)

func newExplain(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "explain CODE",
		Short:   "Cause, risk and remedy of a finding or denial",
		Example: "  reconcile explain PRIMARY_REACHABLE",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := fmt.Fprintln(g.std.Out, strings.Join(explain.Codes(), "\n"))
				return err
			}
			e, ok := explain.Lookup(strings.ToUpper(args[0]))
			if !ok {
				return fmt.Errorf("there is no code %q (hint: 'reconcile explain' lists them all)", args[0])
			}
			return render.Explain(g.std.Out, e, g.tableOptions())
		},
	}
}
