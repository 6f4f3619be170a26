package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/wire"
)

func newRun(g *globals) *cobra.Command {
	profiles, shard := false, ""
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: follow Git, watch for drift, and apply approved changes",
		Long: `run follows the tracked ref, by polling and by push webhook, and checks every topology
at each sweep. While a primary does not answer, it probes the primary and keeps the
results, so that it can apply a merged and approved failover within seconds. It changes
roles only if an approved commit asks for the change.

The configuration must say where the ledger is, and mode: observe (report only) or mode:
apply. If several processes share one ledger, one acts and the others observe. When the
acting process ends, another one takes over. If the configuration divides the topologies
into shards, each process acts on the topologies of its --shard, and each shard has one
leader.

On SIGHUP, run reads the configuration again. If the new one is bad, run keeps the old
one. Secrets, certificates and lists of approvers are read again each time that they are
needed. SIGTERM ends run: a running apply may finish within` + wire.StopGrace.String() + `, and a second signal aborts
it. Its intent stays open in the ledger, and the next run resumes it.

At serve.address, run serves status pages (/, /topologies/TOPOLOGY, /sites/SITE), the status as
JSON (/api/v1/status, /api/v1/sites/SITE), /metrics, /healthz, /readyz, POST /webhook/git, and
/t/TOPOLOGY/global-cluster/topology for Milvus SDKs. See docs/run.md.`,
		Example: `  reconcile run --config /etc/reconcile/reconcile.yaml
  reconcile run --shard eu
  reconcile run --log-format json --log-level debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRun(cmd.Context(), g, profiles, shard) },
	}
	cmd.Flags().BoolVar(&profiles, "pprof", false, "also serve profiles of this process at /debug/pprof/, to everybody who can reach it")
	cmd.Flags().StringVar(&shard, "shard", "", "act only on the topologies of this shard of the configuration")
	return cmd
}

func runRun(ctx context.Context, g *globals, profiles bool, shard string) error {
	g.Quiet = true
	options := g.options()
	options.Shard = shard
	return options.Run(ctx, wire.RunOptions{
		Log: logger(&g.Messages, g.std.Err), After: g.After, PassTimeout: g.timeout, Profiles: profiles,
		CountDropped: func(count func()) { g.lines.OnDropped(droppedLogNotice(&g.Messages), count) },
	})
}

// logger returns a logger with the level and form of the command line.
func logger(m *console.Messages, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(m.LogLevel)); err != nil {
		level = slog.LevelInfo // check has refused other words
	}
	options := &slog.HandlerOptions{Level: level}
	if m.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// droppedLogNotice returns what makes the log line that reports dropped lines.
func droppedLogNotice(m *console.Messages) func(lines int) []byte {
	return func(lines int) []byte {
		var b bytes.Buffer
		logger(m, &b).Warn("lines dropped here: nobody read the log", "lines", lines)
		return b.Bytes()
	}
}
