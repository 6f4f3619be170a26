package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/demo"
)

func newDemo(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "The whole failover story on simulated clusters, narrated, in under a minute",
		Long: `demo starts two simulated Milvus clusters and a Git repository in a temporary
folder, loses the primary and fails over to the standby with the same code as the
real commands. It exits non-zero if any step is not as told.`,
		Example: "  reconcile demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Tell(cmd.Context(), g.std.Out, func(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
				return Main(ctx, args, Stdio{In: in, Out: out, Err: errs})
			})
		},
	}
}
