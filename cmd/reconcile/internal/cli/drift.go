package cli

import (
	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/drift"
)

func newDrift(g *globals) *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "drift [TOPOLOGY…]",
		Short: "Compare Git with the live clusters; changes nothing",
		Long: `drift compares Git with the live clusters, and changes no cluster. In the ledger it keeps
up to which time each standby has every write, and when a primary was first seen down.
So a later plan of a failover can say what may be lost, also without a daemon.`,
		Example: `  reconcile drift -o json
  reconcile drift --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := query{names: args, kind: render.KindDrift, finish: withExit(driftExit)}
			if w.on {
				return w.watch(cmd.Context(), g, q)
			}
			return runQuery(cmd.Context(), g, q)
		},
	}
	addWatch(cmd, &w)
	g.addListing(cmd)
	g.pageFlags(cmd)
	g.addSite(cmd)
	return cmd
}

// driftExit returns the exit code of drift. Drift outranks an error.
func driftExit(report reconcile.Report, rev desired.Revision) ExitCode {
	code := ExitOK
	if len(rev.Problems) > 0 {
		code = ExitError
	}
	for _, t := range report.Plan.Topologies {
		switch drift.Judge(t) {
		case drift.Drifted:
			return ExitChanges
		case drift.Unjudged:
			code = ExitError
		case drift.InSync:
		}
	}
	return code
}
