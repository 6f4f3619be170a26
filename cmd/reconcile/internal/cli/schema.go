package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/schema"
)

func newSchema(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "schema " + strings.Join(schema.Kinds(), "|"),
		Short: "Print a JSON Schema (draft-07)",
		Long: `schema prints the JSON Schema of a file that reconcile reads, or of its output as JSON
and YAML:

  topology  the topology files
  config    the operator's configuration
  plan      plan, drift, status, show, propose, and apply and fence with their results
  doctor    doctor
  history   history
  salvage   salvage
  replay    salvage --replay
  audit     audit
  validate  validate
  explain   explain
  version   version`,
		Example: `  reconcile schema topology > topology.schema.json
  reconcile schema doctor`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: schema.Kinds(),
		RunE: func(_ *cobra.Command, args []string) error {
			data, ok := schema.JSON(args[0])
			if !ok {
				return unknownName("schema", args[0], schema.Kinds(), "")
			}
			return g.print(data)
		},
	}
}
