package cli

import (
	"context"
	"fmt"
	"io"

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
		Long: `plan observes the clusters with a client that cannot write. It shows what would
happen, what may be lost, what blocks it, and whether it is approved. For a failover,
plan probes the old primary for as long as the rules ask, and counts down on stderr.

The page of one topology fits 24 lines of 80 columns. Its last line says what it leaves
out, and which option shows it: --findings, --steps, --trailers, or -v for all. The
forms for programs always hold everything.

--offline calls no cluster and reads no configuration. It says which change the
documents of a clone ask for, and which findings in the documents block it. Use it for a
pull request from a fork.

--observed is for machines that cannot reach the clusters. It plans from the output of
'reconcile status -o json' on another machine. It calls no cluster and reads no
configuration, so it checks no approval and makes no probes.

'reconcile apply --plan' refuses both kinds of plan.`,
		Example: `  reconcile plan
  reconcile plan --commit HEAD --base origin/main -o markdown
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
// no transition, a split brain is shown but does not count: the commit does not ask for it.
func blocksRequest(t plan.TopologyPlan, report reconcile.Report) bool {
	for _, f := range t.Blocking(report.Decisions[t.Name].Accepted) {
		if t.Transition != plan.TransitionNone || f.Code != plan.CodeSplitBrain {
			return true
		}
	}
	return false
}

// writeDocument renders a plan, drift or status in one form.
func (r *resultWriter) writeDocument(w io.Writer, kind string, d render.Document) error {
	switch kind {
	case "table":
		return render.Table(w, d, r.tableOptions())
	case "json":
		return render.JSON(w, d)
	case "yaml":
		return render.YAML(w, d)
	case "markdown":
		return render.Markdown(w, d)
	case "junit":
		return render.JUnit(w, d)
	case "sarif":
		return render.SARIF(w, d)
	default:
		return fmt.Errorf("there is no form %q (hint: table, json, yaml, markdown, junit or sarif)", kind)
	}
}
