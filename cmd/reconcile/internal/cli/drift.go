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
			return runLook(cmd.Context(), g, args, render.KindDrift, driftExit)
		},
	}
}

func newStatus(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status [TOPOLOGY…]",
		Short:   "Who believes what, lag and findings",
		Example: "  reconcile status orders",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLook(cmd.Context(), g, args, render.KindStatus, statusExit)
		},
	}
	addUnbuiltFlags(cmd, "watch", "verify")
	return cmd
}

// runLook is one pass over everything, with the progress of every standby.
func runLook(ctx context.Context, g *globals, names []string, kind render.Kind, exit func(reconcile.Report, revision) ExitCode) error {
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
	g.exit = exit(report, rev)
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
