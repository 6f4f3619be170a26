package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
)

func newFence(g *globals) *cobra.Command {
	var lockWait time.Duration
	cmd := &cobra.Command{
		Use:   "fence TOPOLOGY/CLUSTER",
		Short: "Fence a stale primary that is back, so that it refuses writes",
		Long: `After fence, a stale cluster that is back refuses writes. fence sends one configuration,
to that cluster alone. The configuration lists the clusters that the stale cluster
stores, and makes the promoted cluster the source of all others. So the stale cluster
becomes a standby and refuses writes. It forwards the configuration to the promoted
cluster, which refuses it.

Nothing is sent unless the promoted cluster has just accepted a throwaway collection.
While the ledger holds the approved failover that made the cluster stale, a fence needs
no approval of its own. Without that record, the newest change of the file must be
approved.

Milvus' documentation does not describe a fence. It was seen to work on a real server
(master of 2026-08-07 and 2.6, on 2026-11-29): see docs/after-failover.md.`,
		Example: "  reconcile fence orders/cluster-a",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFence(cmd.Context(), g, args[0], lockWait)
		},
	}
	cmd.Flags().DurationVar(&lockWait, "lock-timeout", 0, "how long to wait for a lock held by another process")
	g.pageFlags(cmd)
	return cmd
}

func runFence(ctx context.Context, g *globals, target string, lockWait time.Duration) error {
	return g.interruptible(ctx, "reconcile fence "+target, func() (reconcile.Report, error) { return fenceOnce(ctx, g, target, lockWait) })
}

// fenceOnce fences a cluster and prints what came of it.
func fenceOnce(ctx context.Context, g *globals, target string, lockWait time.Duration) (reconcile.Report, error) {
	topology, cluster, err := g.splitTarget(ctx, target)
	if err != nil {
		return reconcile.Report{}, err
	}
	command := ctx
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.options().Open(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, "", "", []string{topology})
	if err != nil {
		return reconcile.Report{}, err
	}
	if err := rev.RequireCluster(topology, cluster); err != nil {
		return reconcile.Report{}, err
	}
	a, err := e.Apply(ctx, rev)
	if err != nil {
		return reconcile.Report{}, err
	}
	a.LockWait = lockWait
	t, err := e.TrackedTip(ctx, rev, "")
	if err != nil {
		return reconcile.Report{}, err
	}
	a.Superseded, a.Rewritten, a.RereadGit = t.Superseded, t.Rewritten, e.RereadGit(rev, "")
	report, err := a.Fence(ctx, topology, cluster)
	if err != nil {
		return reconcile.Report{}, err
	}
	g.exit = applyExit(report, desired.Revision{})
	d := documentOf(report, rev, render.KindPlan, g.Clock())
	ended := g.endedBy(command, ctx)
	g.emitAfterAction(func(w io.Writer, form string) error {
		return g.writeApply(w, form, d, report, ended)
	})
	return report, nil
}
