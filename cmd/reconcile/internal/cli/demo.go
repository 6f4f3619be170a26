package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/demo"
)

func newDemo(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Run a whole failover on simulated clusters, in under a minute",
		Long: `demo starts two simulated Milvus clusters and a Git repository in a temporary
folder, stops the primary and fails over to the standby, with the code of the real
commands. It exits non-zero if a step does not do what it should.`,
		Example: "  reconcile demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), g.timeout, fmt.Errorf("--timeout %s is over (hint: the demo takes up to a minute)", g.timeout))
			defer cancel()
			return demo.Run(ctx, g.std.Out, func(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
				return Main(ctx, args, Stdio{In: in, Out: out, Err: errs})
			})
		},
	}
}
