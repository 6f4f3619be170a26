package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/propose"
)

func newAdopt(g *globals) *cobra.Command {
	var r propose.Request
	cmd := &cobra.Command{
		Use:   "adopt TOPOLOGY",
		Short: "Edit the file to match a failover done by hand",
		Long: `adopt reads the configurations that the clusters of a topology store, and edits the file
in the work tree (--repo, else the current folder) to match. The cluster that took over
becomes the primary. The old primary becomes stale, or standby if it replicates from the
new one. Other standbys that lost their source become stale. adopt raises the generation
and keeps comments and layout.

It changes no cluster and pushes nothing; it commits only with --commit. If two clusters
take writes, it edits nothing until --primary names the one whose data counts.`,
		Example: `  reconcile adopt orders
  reconcile adopt orders --primary cluster-b --commit`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runAdopt(cmd.Context(), g, r, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&r.Cluster, "primary", "", "the cluster that took over, if that is not clear")
	f.BoolVar(&r.Commit, "commit", false, "commit the edited file")
	return cmd
}

func runAdopt(ctx context.Context, g *globals, r propose.Request, name string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	r.Dir, r.Topology = cmp.Or(g.repo, "."), name
	e, err := propose.Adopt(ctx, g.options(), r)
	if err != nil {
		return err
	}
	git, _ := g.repoOptions()
	return g.showEdit(e,
		nextStep{"push it, or open a pull request with it:", git + " push"},
		nextStep{"once it is on the tracked branch, see that it is as Git says:", "reconcile status " + name},
	)
}
