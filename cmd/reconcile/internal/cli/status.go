package cli

import (
	"context"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile"
)

func newStatus(g *globals) *cobra.Command {
	var verify bool
	var w watching
	cmd := &cobra.Command{
		Use:   "status [TOPOLOGY…]",
		Short: "Show each cluster's observed role, lag and findings",
		Long: `status shows each cluster's observed role, the lag of each standby, and findings. In an
outage it says when the primary was first seen down, who else probes it, and what a
failover would lose. It changes no cluster, except with --verify: this option repeats
the checks of a promotion. Depending on failover.verify, it creates and drops a
throwaway collection on the primary, and writes a row into it. status keeps two times in
the ledger: the time up to which each standby has every write, and the time when a
primary was first seen down.`,
		Example: `  reconcile status orders
  reconcile status 'orders-*' --problems
  reconcile status --site eu-1
  reconcile status --watch --interval 2s
  reconcile status orders --verify`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := query{names: args, kind: render.KindStatus, finish: withExit(statusExit)}
			switch {
			case w.on:
				return w.watch(cmd.Context(), g, q)
			case verify:
				q.finish = verifiedStatus
			}
			return runQuery(cmd.Context(), g, q)
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "repeat the checks of a promotion on each primary")
	addWatch(cmd, &w)
	g.pageFlags(cmd)
	g.addSite(cmd)
	cmd.MarkFlagsMutuallyExclusive("watch", "verify")
	g.addListing(cmd)
	return cmd
}

// verifiedStatus is the finishFunc of status --verify. It repeats the checks of a promotion.
func verifiedStatus(ctx context.Context, e *wire.Environment, p reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode) {
	report, held := p.Verify(ctx, e.Checker(), report)
	if !held {
		return report, ExitError
	}
	return report, statusExit(report, rev)
}

func statusExit(_ reconcile.Report, rev desired.Revision) ExitCode {
	if len(rev.Problems) > 0 {
		return ExitError
	}
	return ExitOK
}
