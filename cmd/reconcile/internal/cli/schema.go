package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"milvus-reconcile/schema"
)

func newSchema(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:       "schema topology|config|plan",
		Short:     "Print a JSON Schema (draft-07)",
		Example:   "  reconcile schema topology > topology.schema.json",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"topology", "config", "plan"},
		RunE: func(_ *cobra.Command, args []string) error {
			data, ok := schema.JSON(args[0])
			if !ok {
				return fmt.Errorf("there is no schema %q (hint: topology, config or plan)", args[0])
			}
			_, err := g.std.Out.Write(data)
			return err
		},
	}
}
