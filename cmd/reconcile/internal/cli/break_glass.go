package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/propose"
)

func newBreakGlass(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "break-glass TOPOLOGY/CLUSTER",
		Short: "Print the Python that promotes a standby by hand, if all else is lost",
		Long: `break-glass prints the call of Milvus' own failover guide, in Python for pymilvus, with
the id, the addresses and the channels that the topology file gives the cluster. It
sends nothing. Print the call beforehand, and keep it outside the region of the primary.
If the operator's configuration is on this machine, break-glass refuses addresses that
differ from the configuration.

Use it only if the primary is lost for good, and this program, Git or the approvers are
lost with it. The script promotes CLUSTER by force. It needs no approval, nothing checks
whether the primary is alive, and the promotion cannot be undone. Afterwards type
'reconcile adopt', which changes the file to match.

The script reads the token from the environment variable TOKEN. If the clusters use
another token among themselves, set REPLICATION_TOKEN to that token.`,
		Example: `  reconcile break-glass orders/cluster-b > promote-cluster-b.py
  TOKEN='root:…' python3 promote-cluster-b.py`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runBreakGlass(cmd.Context(), g, args[0]) },
	}
}

func runBreakGlass(ctx context.Context, g *globals, target string) error {
	name, cluster, err := g.splitTarget(ctx, target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	script, err := propose.ByHand(ctx, g.options(), propose.Request{Dir: cmp.Or(g.repo, "."), Topology: name, Cluster: cluster})
	if err != nil {
		return err
	}
	return g.print(script)
}
