package cli

import (
	"context"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/drift"
)

func newDrift(g *globals) *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "drift [TOPOLOGY…]",
		Short: "Compare Git with the live clusters; changes nothing",
		Long: `drift compares Git with the live clusters, and changes no cluster. It keeps two times in the ledger: the time
up to which each standby has every write, and the time when a primary was first seen down.
So a later plan of a failover can say what may be lost, even without a daemon. It also
keeps what it found, which a later status shows with the time, and with 'load: auto' what
each primary has loaded, which a new primary loads after a failover.`,
		Example: `  reconcile drift -o json
  reconcile drift --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := query{names: args, kind: render.KindDrift, finish: keptDrift}
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

// keptDrift is the finishFunc of drift. It keeps what was found for a later status.
func keptDrift(ctx context.Context, e *wire.Environment, _ reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode) {
	marks := make([]plan.DriftMark, 0, len(report.Plan.Topologies))
	for _, t := range report.Plan.Topologies {
		marks = append(marks, drift.Mark(t, report.Plan.At))
	}
	e.RecordDrifts(ctx, marks)
	e.NoteServing(ctx, settled(report, rev), report.Remembered().Memory)
	return report, driftExit(report, rev)
}

// settled are the topologies that are as Git says. What their primaries have loaded is what a
// new primary is to load.
func settled(report reconcile.Report, rev desired.Revision) []plan.Topology {
	var out []plan.Topology
	for _, p := range report.Plan.Topologies {
		for _, t := range rev.Desired.Topologies {
			if t.Name == p.Name && drift.Judge(p) == drift.InSync {
				out = append(out, t)
			}
		}
	}
	return out
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
