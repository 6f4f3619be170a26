package cli

import (
	"context"
	"io"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile"
)

// finishFunc completes the report of a pass and returns the exit code.
type finishFunc func(ctx context.Context, e *wire.Environment, p reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode)

// withExit returns a finishFunc that keeps the report and uses exit.
func withExit(exit func(reconcile.Report, desired.Revision) ExitCode) finishFunc {
	return func(_ context.Context, _ *wire.Environment, _ reconcile.Pass, report reconcile.Report, rev desired.Revision) (reconcile.Report, ExitCode) {
		return report, exit(report, rev)
	}
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
	defer wire.SpareTime()()
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
		_ = wire.SpareMoreMemory() // also while the page is written; the caller restores the pace
	}
	report, err := pass.Plan(ctx)
	if err != nil {
		return nil, ExitError, err
	}
	report, exit := q.finish(ctx, e, pass, report, rev)
	d := documentOf(report, rev, q.kind, g.Clock())
	if q.kind == render.KindPlan {
		_, d.Site = g.siteOf(e, rev, report)
	}
	d.Holders = report.Remembered().Memory.Holders
	return func(w io.Writer, form string) error {
		return g.writeDocument(w, form, d)
	}, exit, nil
}
