package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/drift"
)

func newDrift(g *globals) *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "drift [TOPOLOGY…]",
		Short: "Compare Git with the live clusters; changes nothing",
		Long: `drift compares Git with the live clusters, and changes no cluster. In the ledger it keeps
up to which time each standby has every write, and when a primary was first seen down.
So a later plan of a failover can say what may be lost, also without a daemon.`,
		Example: `  reconcile drift -o json
  reconcile drift --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := query{names: args, kind: render.KindDrift, finish: withExit(driftExit)}
			if w.on {
				return w.watch(cmd.Context(), g, q)
			}
			return runQuery(cmd.Context(), g, q)
		},
	}
	addWatch(cmd, &w)
	g.addListing(cmd)
	g.pageFlags(cmd)
	return cmd
}

func newStatus(g *globals) *cobra.Command {
	var verify bool
	var w watching
	cmd := &cobra.Command{
		Use:   "status [TOPOLOGY…]",
		Short: "Show each cluster's observed role, lag and findings",
		Long: `status shows each cluster's observed role, the lag of each standby, and findings. In an
outage it says when the primary was first seen down, who else probes it, and what a
failover would lose. It changes no cluster, except with --verify. That repeats the checks
of a promotion: depending on failover.verify, it creates and drops a throwaway collection
on the primary, and writes a row into it. In the ledger it keeps up to which time each
standby has every write, and when a primary was first seen down.`,
		Example: `  reconcile status orders
  reconcile status 'orders-*' --problems
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
	cmd.MarkFlagsMutuallyExclusive("watch", "verify")
	g.addListing(cmd)
	return cmd
}

// finishFunc completes the report of a pass and returns the exit code.
type finishFunc func(ctx context.Context, e *wire.Environment, p reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode)

// withExit returns a finishFunc that keeps the report and uses exit.
func withExit(exit func(reconcile.Report, desired.Revision) ExitCode) finishFunc {
	return func(_ context.Context, _ *wire.Environment, _ reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode) {
		return report, exit(report, rev)
	}
}

// verifiedStatus is the finishFunc of status --verify. It repeats the checks of a promotion.
func verifiedStatus(ctx context.Context, e *wire.Environment, p reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode) {
	report, held := p.Verify(ctx, e.Checker(), report)
	if !held {
		return report, ExitError
	}
	return report, statusExit(report, rev)
}

// query is what plan, drift or status asks for: which topologies, at which commit, and how
// the pass ends.
type query struct {
	names  []string
	kind   render.Kind
	finish finishFunc

	commit, base string // of plan
}

// runQuery makes one pass and prints it.
func runQuery(ctx context.Context, g *globals, l query) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.options().OpenToRead(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	write, exit, err := g.runPass(ctx, e, l)
	if err != nil {
		return err
	}
	g.exit = exit
	return g.emit(write)
}

// maxUnlistedChecks is the maximum number of topologies for which drift asks each cluster
// whether it serves channels that no document lists. Each question takes 250 ms. With more
// topologies only the daemon asks, in the course of an hour.
const maxUnlistedChecks = 32

// replicationWatch is how long drift watches a standby that lacks messages at most. It is
// longer than the usual objective (maxLag: 10s), so that a link that is cut is found in
// one run.
const replicationWatch = 15 * time.Second

// runPass makes the pass, and returns what writes the result and the exit code. drift and
// status read the progress of every standby; only plan probes a lost primary.
func (g *globals) runPass(ctx context.Context, e *wire.Environment, q query) (writer, ExitCode, error) {
	rev, err := e.Revision(ctx, q.commit, q.base, q.names)
	if err != nil {
		return nil, ExitError, err
	}
	pass, err := e.Pass(ctx, rev)
	if err != nil {
		return nil, ExitError, err
	}
	pass.AllProgress, pass.NoProbes = q.kind != render.KindPlan, q.kind != render.KindPlan
	pass.RecordsLossBounds = true
	if q.kind == render.KindDrift {
		pass.Watch = replicationWatch
		pass.Unlisted = len(rev.Desired.Topologies) <= maxUnlistedChecks
	}
	if pass.AllProgress {
		defer wire.SpareMemory()()
	}
	report, err := pass.Plan(ctx)
	if err != nil {
		return nil, ExitError, err
	}
	report, exit := q.finish(ctx, e, pass, report, rev)
	d := documentOf(report, rev, q.kind, g.Clock())
	return func(w io.Writer, form string) error {
		return g.writeDocument(w, form, d)
	}, exit, nil
}

func statusExit(_ reconcile.Report, rev desired.Revision) ExitCode {
	if len(rev.Problems) > 0 {
		return ExitError
	}
	return ExitOK
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
