package cli

import (
	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/demo"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

func newSim(g *globals) *cobra.Command {
	var s demo.Sim
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run simulated Milvus clusters for the topology files",
		Long: `sim starts every cluster of the topology files at its client address (loopback only),
speaking Milvus' own gRPC, and prints one JSON line once all of them serve. Every
cluster has the user root with the password Milvus. sim runs until it is interrupted.
Its control API breaks, heals and inspects the clusters: docs/conformance.md lists the
calls.

--git DIR also makes a repository DIR/repo to which you can push from a clone, a
matching configuration, and the keys of Alice, Bob and Carol. Each of them may approve a
change of another one. With GIT_CONFIG_GLOBAL=DIR/alice.gitconfig you commit and approve
as Alice.`,
		Example: `  reconcile sim --dir topologies --git /tmp/try --quorum 2
  curl -s http://127.0.0.1:9650/world
  curl -s -X POST http://127.0.0.1:9650/clusters/cluster-a/stop
  curl -s -X POST http://127.0.0.1:9650/clusters/cluster-b/callbacks -d '{"held":true}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.Run(cmd.Context(), g.std.Out) },
	}
	f := cmd.Flags()
	f.StringVar(&s.Dir, "dir", "topologies", "folder of the topology files")
	f.StringVar(&s.State, "state", "converged", "converged: as the files say; unconfigured: nothing stored yet")
	f.StringVar(&s.Profile, "profile", milvussim.DefaultProfile, "Milvus version to behave as")
	f.StringVar(&s.Control, "control", "127.0.0.1:9650", "address of the control API, loopback only")
	f.StringVar(&s.Git, "git", "", "also make a repository, a configuration and the keys of three people in this folder")
	f.BoolVar(&s.TLS, "tls", false, "with --git: the clusters speak TLS, and the configuration names their authority")
	f.IntVar(&s.Quorum, "quorum", 1, "with --git: how many people must approve a failover, 1 or 2")
	return cmd
}
