package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

type planOptions struct {
	commit           string
	base             string
	detailedExitcode bool
	offline          bool
	observed         string
	watching
}

func newPlan(g *globals) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [TOPOLOGY…]",
		Short: "Show what a commit would do to the live clusters",
		Long: `plan observes the clusters with a client that cannot write. It shows the change, what
may be lost, what blocks the change, and whether it is approved. For a failover, plan
probes the old primary for as long as the rules ask, and counts down on stderr.

The page of one topology fits 24 lines of 80 columns. Its last line names the parts that
it leaves out, and the options that show them: --findings, --steps, --trailers, or -v
for all. The forms for programs always hold everything.

--offline calls no cluster and reads no configuration. It says which change the
documents of a clone ask for, and which findings in the documents block it. Use it for a
pull request from a fork.

--observed is for machines that cannot reach the clusters. It plans from the output of
'reconcile status -o json' on another machine. It calls no cluster and reads no
configuration, so it checks no approval and makes no probes.

'reconcile apply --plan' refuses both kinds of plan.`,
		Example: `  reconcile plan
  reconcile plan --repo . --commit HEAD --base origin/main -o markdown
  reconcile plan orders -o json --detailed-exitcode
  reconcile plan --offline --base origin/main -o markdown
  reconcile plan --observed status.json --commit HEAD`,
		RunE: func(cmd *cobra.Command, args []string) error { return runAnyPlan(cmd.Context(), g, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.commit, "commit", "", "plan this commit instead of the tip of the tracked ref")
	f.StringVar(&o.base, "base", "", "plan only topologies that differ from this commit")
	f.BoolVar(&o.detailedExitcode, "detailed-exitcode", false, "exit 2 when there are changes")
	f.BoolVar(&o.offline, "offline", false, "plan from the topology files only, without calls and without a configuration")
	f.StringVar(&o.observed, "observed", "", "plan from the 'status -o json' of another machine; - reads stdin")
	g.pageFlags(cmd)
	g.addSite(cmd)
	addWatch(cmd, &o.watching)
	cmd.MarkFlagsMutuallyExclusive("offline", "observed", "watch")
	cmd.MarkFlagsMutuallyExclusive("detailed-exitcode", "watch")
	g.addListing(cmd)
	return cmd
}

// runAnyPlan plans against the clusters, from the documents alone, or from a saved status.
func runAnyPlan(ctx context.Context, g *globals, o planOptions, names []string) error {
	if o.watching.on {
		return o.watch(ctx, g, o.query(names))
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	switch {
	case o.offline:
		return runOfflinePlan(ctx, g, o, names)
	case o.observed != "":
		return runObservedPlan(ctx, g, o, names)
	default:
		return runQuery(ctx, g, o.query(names))
	}
}

func (o planOptions) query(names []string) query {
	exit := func(report reconcile.Report, rev desired.Revision) ExitCode {
		return planExit(report, rev, o.detailedExitcode)
	}
	return query{names: names, kind: render.KindPlan, finish: withExit(exit), commit: o.commit, base: o.base}
}

// planExit returns the exit code of a plan. A blocked transition outranks changes.
func planExit(report reconcile.Report, rev desired.Revision, detailed bool) ExitCode {
	codes := []ExitCode{ExitOK}
	if len(rev.Problems) > 0 {
		codes = append(codes, ExitError)
	}
	for _, t := range report.Plan.Topologies {
		switch {
		case blocksRequest(t, report):
			codes = append(codes, ExitBlocked)
		case detailed && t.Transition != plan.TransitionNone:
			codes = append(codes, ExitChanges)
		}
	}
	return worstExit(codes...)
}

// blocksRequest reports whether a finding blocks what the commit asks for. If it asks for
// no transition, a split brain is shown but does not count: the commit does not ask for it. Nor
// does what a change in order only waits for: the end of a freeze, or the next proof of a rebuild.
func blocksRequest(t plan.TopologyPlan, report reconcile.Report) bool {
	accepted := report.Decisions[t.Name].Accepted
	if t.Waits(accepted) {
		return false
	}
	for _, f := range t.Blocking(accepted) {
		if t.Transition != plan.TransitionNone || f.Code != plan.CodeSplitBrain {
			return true
		}
	}
	return false
}

// runOfflinePlan plans from the documents alone. It reads no configuration and calls no
// cluster, so it is safe for a pull request from a fork.
func runOfflinePlan(ctx context.Context, g *globals, o planOptions, names []string) error {
	rev, err := g.cloneRevision(ctx, o, names)
	if err != nil {
		return err
	}
	return g.writeUnapplicable(plan.Offline(rev.Desired, plan.Memory{Now: g.Clock()}), rev, o, render.ObservedNone)
}

// runObservedPlan plans from a status that another machine observed.
func runObservedPlan(ctx context.Context, g *globals, o planOptions, names []string) error {
	views, err := g.readObserved(o.observed)
	if err != nil {
		return err
	}
	rev, err := g.cloneRevision(ctx, o, names)
	if err != nil {
		return err
	}
	planned := plan.Compute(rev.Desired, plan.Observed{Views: views}, plan.Memory{Now: g.Clock()})
	return g.writeUnapplicable(planned, rev, o, render.ObservedElsewhere)
}

func (g *globals) readObserved(path string) ([]plan.View, error) {
	in := g.std.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read what was observed: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	views, err := render.DecodeObserved(in, g.Clock())
	if err != nil {
		return nil, fmt.Errorf("read what was observed, %s: %w", path, err)
	}
	return views, nil
}

// writeUnapplicable prints a plan that rests on no observation of this process.
func (g *globals) writeUnapplicable(planned plan.Plan, rev desired.Revision, o planOptions, by render.Observation) error {
	report := reconcile.Report{Plan: planned}
	g.exit = planExit(report, rev, o.detailedExitcode)
	d := documentOf(report, rev, render.KindPlan, g.Clock())
	d.Observed = by
	return g.emit(func(w io.Writer, kind string) error { return g.writeDocument(w, kind, d) })
}

// cloneRevision reads the topologies of a clone without a configuration.
func (g *globals) cloneRevision(ctx context.Context, o planOptions, names []string) (desired.Revision, error) {
	defer g.Doing("reading the topology files and their history")()
	return g.loader.LoadClone(ctx, desired.CloneQuery{
		URL: cmp.Or(g.repo, "."), Ref: g.ref, Path: cmp.Or(g.path, "topologies"), Commit: o.commit, Base: o.base, Names: names, Site: g.site,
	})
}
