package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/schema"
)

// kindKubernetesStatus is the one kind whose schema is a CustomResourceDefinition.
const kindKubernetesStatus = "kubernetes-status"

func newSchema(g *globals) *cobra.Command {
	kinds := append(schema.Kinds(), kindKubernetesStatus)
	return &cobra.Command{
		Use:   "schema " + strings.Join(kinds, "|"),
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
  rehearsal rehearse
  validate  validate
  explain   explain
  version   version

kubernetes-status is the CustomResourceDefinition of the objects by which 'run' shows each
topology in a Kubernetes cluster, as YAML.`,
		Example: `  reconcile schema topology > topology.schema.json
  reconcile schema doctor
  reconcile schema kubernetes-status | kubectl apply -f -`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] == kindKubernetesStatus {
				return g.print(schema.StatusDefinition())
			}
			data, ok := schema.JSON(args[0])
			if !ok {
				return unknownName("schema", args[0], kinds, "")
			}
			return g.print(data)
		},
	}
}
