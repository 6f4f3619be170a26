package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/doctor"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan/release"
)

func newDoctor(g *globals) *cobra.Command {
	upgrade := ""
	cmd := &cobra.Command{
		Use:   "doctor [TOPOLOGY…]",
		Short: "Check whether a failover would work right now",
		Long: `doctor checks, for each standby, what would block a failover to it if the primary were
lost now. It also checks everything else that a failover needs: credentials and
privileges, the calls that the servers know, clocks, the keys of the approvers, the
ledger, Git, redirect targets, and whether the ledger or Git is in the region of the
primary. It tests whether it could write and redirect, but changes no cluster, no
traffic and no commit. It adds no record to the ledger, but keeps two times there: the
time up to which each standby has every write, and the time when a primary was first
seen down. It says what to fix first.

Exit code 0: every topology has a standby that could be promoted now. 4: a failover of
some topology would be blocked, or would promote and then end with 5, for example
because traffic could not be redirected. Also 4: two clusters take writes, a change is
under way, or Git cannot be read now. 1: the answer is not known, since a document, a
file of the operator, or Git and its copy cannot be read.

--upgrade-to VERSION also says, for each topology, in which order to upgrade its
clusters so that replication continues, which tokens and rights are missing, and which
defects the version removes. For this it also calls each cluster without a token, and
with the token that the clusters use among themselves.`,
		Example: `  reconcile doctor
  reconcile doctor orders -o json
  reconcile doctor orders --upgrade-to 3.0.2`,
		RunE: func(cmd *cobra.Command, args []string) error { return runDoctor(cmd.Context(), g, args, upgrade) },
	}
	cmd.Flags().StringVar(&upgrade, "upgrade-to", "", "say how to upgrade the clusters to this release of Milvus")
	g.addListing(cmd)
	g.addSite(cmd)
	return cmd
}

func runDoctor(ctx context.Context, g *globals, names []string, upgrade string) error {
	to := release.Parse(upgrade)
	if upgrade != "" && !to.Exact() {
		return fmt.Errorf("--upgrade-to %q is no release (hint: such as 2.6.25 or 3.0.2; docs/versions.md has those that are known)", upgrade)
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.options().Prepare()
	if err != nil {
		return err
	}
	defer e.Close()
	d, rev, err := doctor.Examine(ctx, e, names, to)
	if err != nil {
		return err
	}
	g.exit = doctorExit(d, rev)
	return g.emit(func(w io.Writer, form string) error { return render.Doctor(w, form, d, g.tableOptions()) })
}

// doctorExit returns the exit code of doctor. A document that cannot be read is an error,
// since the answer for it is not known.
func doctorExit(d render.Diagnosis, rev desired.Revision) ExitCode {
	switch {
	case len(rev.Problems) > 0:
		return ExitError
	case !d.Ready():
		return ExitBlocked
	default:
		return ExitOK
	}
}
