package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
)

// auditPause is the time between two readings of what differs.
const auditPause = time.Second

// auditConcurrency is how many collections of a pair are read at once.
const auditConcurrency = 8

func newAudit(g *globals) *cobra.Command {
	o := audit.Options{Pause: auditPause, Concurrency: auditConcurrency}
	cmd := &cobra.Command{
		Use:   "audit [TOPOLOGY…]",
		Short: "Prove that each standby holds the same data as its primary; changes no cluster",
		Long: `audit compares each standby with its primary: databases, collections, schemas,
partitions, aliases, indexes, loads, imports in flight, users, roles, grants and groups.
Then it counts the rows of each loaded collection on both clusters, and compares some
rows field by field and bit by bit.

Applications may write meanwhile: a difference counts only if the new messages in the
primary's log cannot explain it, and if audit finds it twice. If something could not be
compared, the report gives the reason. A report names keys and fields, never values. The
ledger keeps the newest result of each standby, and the time when it was last proven
equal. Plans, status and the daemon show this result.

Exit code 0: everything that was compared is equal. 2: a standby differs. 1: something
could not be compared, so equality is not proven.`,
		Example: `  reconcile audit orders
  reconcile audit --rows 200 --budget 30m
  reconcile audit orders -o json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runAudit(cmd.Context(), g, args, o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.Rows, "rows", 20, "rows of each collection that are compared field by field; 0: rows are only counted")
	f.DurationVar(&o.Budget, "budget", 5*time.Minute, "time limit for counts and rows of one standby; the report names what did not fit in")
	f.Uint64Var(&o.Seed, "seed", 0, "the same number picks the same rows; 0 picks other rows each time")
	g.addListing(cmd)
	return cmd
}

func runAudit(ctx context.Context, g *globals, names []string, o audit.Options) error {
	if o.Rows < 0 || o.Budget <= 0 {
		return fmt.Errorf("--rows must not be below 0, and --budget must be above 0")
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.options().OpenToRead(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, "", "", names)
	if err != nil {
		return err
	}
	at := g.Clock()
	if o.Seed == 0 {
		o.Seed = uint64(at.UnixNano()) //nolint:gosec // any number will do
	}
	report := render.AuditReport{At: at, Seed: o.Seed}
	for _, p := range rev.Problems {
		report.Problems = append(report.Problems, render.Problem(p))
	}
	if report.Topologies, err = audited(ctx, e, rev.Desired.Topologies, o, at, g.Warn); err != nil {
		return err
	}
	g.exit = auditExit(report)
	return g.emit(func(w io.Writer, form string) error { return render.Audit(w, form, report, g.tableOptions()) })
}

// audited audits topologies one after the other, since an audit loads its clusters enough,
// and keeps in the ledger what it found.
func audited(ctx context.Context, e *wire.Environment, topologies []plan.Topology, o audit.Options, at time.Time, warn func(topology, text string)) ([]render.AuditedTopology, error) {
	underWay, err := e.UnderWay(ctx)
	if err != nil {
		return nil, err
	}
	var out []render.AuditedTopology
	for _, t := range topologies {
		results := e.Audit(ctx, t, o, underWay[t.Name])
		out = append(out, render.AuditedTopology{Name: t.Name, Standbys: results})
		if underWay[t.Name] != "" {
			continue // that says nothing of a standby
		}
		if err := e.KeepAudit(ctx, t.Name, at, results); err != nil {
			warn(t.Name, err.Error())
		} else if why := e.AuditsLost(ctx, t.Name); why != "" && len(results) > 0 {
			warn(t.Name, why)
		}
	}
	return out, nil
}

// auditExit returns the exit code of audit. A difference outranks what is not known.
func auditExit(r render.AuditReport) ExitCode {
	code := ExitOK
	if len(r.Problems) > 0 {
		code = ExitError
	}
	for _, t := range r.Topologies {
		if len(t.Standbys) == 0 {
			continue
		}
		switch t.Verdict() {
		case plan.ContentDiverged:
			return ExitChanges
		case plan.ContentUnproven:
			code = ExitError
		case plan.ContentEqual:
		}
	}
	return code
}
