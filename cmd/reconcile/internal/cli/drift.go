package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
)

func newDrift(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "drift [TOPOLOGY…]",
		Short:   "One pass that compares Git with the live clusters; writes nothing",
		Example: "  reconcile drift -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLook(cmd.Context(), g, args, render.KindDrift, plainLook(driftExit))
		},
	}
}

func newStatus(g *globals) *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "status [TOPOLOGY…]",
		Short: "Who believes what, lag and findings",
		Long: `status shows what each cluster believes, how far each standby is behind, and what
is wrong. It writes nothing, unless --verify asks to repeat the checks of a
promotion: as failover.verify says, it then creates and drops a throwaway
collection on the primary, and may write a row into it.`,
		Example: `  reconcile status orders
  reconcile status orders --verify`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if verify {
				return runLook(cmd.Context(), g, args, render.KindStatus, verifiedStatus)
			}
			return runLook(cmd.Context(), g, args, render.KindStatus, plainLook(statusExit))
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "repeat the checks of a promotion on each primary")
	addUnbuiltFlags(cmd, "watch")
	return cmd
}

// judged is what a look says after its pass, and the exit code.
type judged func(ctx context.Context, e *environment, p reconcile.Pass, report reconcile.Report, rev revision) (reconcile.Report, ExitCode)

// plainLook adds nothing to what the pass found.
func plainLook(exit func(reconcile.Report, revision) ExitCode) judged {
	return func(_ context.Context, _ *environment, _ reconcile.Pass, report reconcile.Report, rev revision) (reconcile.Report, ExitCode) {
		return report, exit(report, rev)
	}
}

// verifiedStatus repeats the checks of a promotion.
func verifiedStatus(ctx context.Context, e *environment, p reconcile.Pass, report reconcile.Report, rev revision) (reconcile.Report, ExitCode) {
	report, held := p.Verify(ctx, checker{e.fleet}, report)
	if !held {
		return report, ExitError
	}
	return report, statusExit(report, rev)
}

// runLook is one pass over everything, with the progress of every standby.
func runLook(ctx context.Context, g *globals, names []string, kind render.Kind, then judged) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer e.close()
	rev, err := e.revision(ctx, "", "", names)
	if err != nil {
		return err
	}
	pass, err := e.pass(ctx, rev)
	if err != nil {
		return err
	}
	pass.AllProgress, pass.NoProbes = true, true
	report, err := pass.Plan(ctx)
	if err != nil {
		return err
	}
	report, g.exit = then(ctx, e, pass, report, rev)
	return g.emit(func(w io.Writer, form string) error {
		return g.writeDocument(w, form, documentOf(report, rev, kind, g.clock()))
	})
}

func statusExit(_ reconcile.Report, rev revision) ExitCode {
	if len(rev.problems) > 0 {
		return ExitError
	}
	return ExitOK
}

// driftExit: drift outranks what could not be judged, which is an error.
func driftExit(report reconcile.Report, rev revision) ExitCode {
	code := ExitOK
	if len(rev.problems) > 0 {
		code = ExitError
	}
	for _, t := range report.Plan.Topologies {
		if reconcile.Drifted(t) {
			return ExitChanges
		}
		if !t.InSync {
			code = ExitError
		}
	}
	return code
}
