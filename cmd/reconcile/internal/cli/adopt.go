package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
)

type adoptOptions struct {
	primary string
	commit  bool
}

func newAdopt(g *globals) *cobra.Command {
	var o adoptOptions
	cmd := &cobra.Command{
		Use:   "adopt TOPOLOGY",
		Short: "Edit the file to match a failover done by hand",
		Long: `adopt reads what the clusters of a topology store, and edits the file in the work
tree (--repo, else the current folder) to match. The cluster that took over becomes
the primary. The old primary becomes stale, or standby if it replicates from the new
one. Other standbys that lost their source become stale. adopt raises the generation
and keeps comments and layout.

It changes no cluster and pushes nothing; it commits only with --commit. If two
clusters take writes, it edits nothing until --primary names the one whose data
counts.`,
		Example: `  reconcile adopt orders
  reconcile adopt orders --primary cluster-b --commit`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runAdopt(cmd.Context(), g, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.primary, "primary", "", "the cluster that took over, if that is not clear")
	f.BoolVar(&o.commit, "commit", false, "commit the edited file")
	return cmd
}

func runAdopt(ctx context.Context, g *globals, o adoptOptions, name string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	w, err := g.workFile(ctx, name)
	if err != nil {
		return err
	}
	if _, listed := w.Topology.Cluster(o.primary); o.primary != "" && !listed {
		return desired.UnknownCluster(w.Topology, o.primary, "")
	}
	e, err := g.options().OpenForWorkTree(w.Top)
	if err != nil {
		return err
	}
	defer e.Close()
	observed, err := g.observeMembers(ctx, e, w.Topology)
	if err != nil {
		return err
	}
	roles, err := plan.ProposeAdoption(w.Topology, observed, o.primary)
	if err != nil {
		return err
	}
	git, _ := g.repoOptions()
	return g.proposeEdit(ctx, w, proposal{
		roles: roles, commit: o.commit,
		what: "Adopt what was done to " + name + " by hand",
		plan: func(d plan.Desired, m plan.Memory) plan.Plan { return plan.Compute(d, observed, m) },
		next: []string{
			"  " + git + " push                  # or open a pull request with it",
			fmt.Sprintf("  reconcile status %s    # once it is on the tracked branch", name),
		},
	})
}

// observeMembers reads what the clusters of one topology store.
func (g *globals) observeMembers(ctx context.Context, e *wire.Environment, t plan.Topology) (plan.Observed, error) {
	defer g.showProgress("reading what the clusters store")()
	views := e.Observer().Observe(ctx, []plan.Topology{t}, plan.Depth{})
	if err := ctx.Err(); err != nil {
		return plan.Observed{}, fmt.Errorf("observe the clusters: %w", err)
	}
	return plan.Observed{Views: views}, nil
}
