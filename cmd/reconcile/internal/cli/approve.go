package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/approve"
	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/reconcile/approval"
)

func newApprove(g *globals) *cobra.Command {
	var r approve.Request
	cmd := &cobra.Command{
		Use:   "approve TOPOLOGY/CLUSTER|--site SITE --reason \"WHY\"|--withdraw",
		Short: "Sign the approval of a commit, as a tag, or take it back",
		Long: `approve signs a tag failover/TOPOLOGY/GENERATION/E-MAIL on a commit, with the trailers
that apply reads. It needs only the repository (--repo, else the current folder) and
your own git configuration with a signing key. CLUSTER is the primary after the change.
The tag still counts after a merge, a squash or a rebase, as long as the document is the
same. approve pushes it only with --push. It reads back the signed tag, and after a push
the tag at the remote, and checks both. It ignores git's environment variables, except
those that say where your configuration is and how to reach a remote.

You can approve again, for example because the approval expired or allowed too small a
loss. The new tag ends in -2, and only the newest of your tags counts. --withdraw signs
a tag that allows nothing. This tag is your newest, so none of your approvals of this
change counts any more. It works until the change begins. With --push, --withdraw first
fetches the approvals from the remote. Without --push, it compares only the approvals in
your clone.

--replay approves only the replay of lost rows whose dry run printed that digest
('reconcile salvage TOPOLOGY --replay --dry-run'). An approval of a change never counts
for a replay, and an approval of a replay never counts for a change. CLUSTER is the
primary.

--site approves at once all topologies whose primary leaves a site or comes back to it. It
makes the plan of 'reconcile plan --site', for which it needs the configuration, and signs
one tag that lists each topology with the digest of its plan. If the plan of one differs
when it is applied, only that one is not approved. What something blocks is left out: such
a topology is approved alone. With --plan and the digest that the page shows, nothing is
signed if the plan is another by now; with the saved JSON of a plan no cluster is called.

If the operator's configuration names the repository (approval.repository), the tag must
name it too. The name comes from --repository. Without this option it comes from the
configuration, if that is on this machine and belongs to this clone's repository;
otherwise from git config reconcile.repository.`,
		Example: `  reconcile approve orders/cluster-b --reason "eu-1 lost power, INC-4211"
  reconcile approve orders/cluster-b --reason INC-4211 --expires 2h --push
  reconcile approve orders/cluster-b --withdraw --push
  reconcile approve --site eu-1 --plan plan.json --reason INC-4211 --push
  reconcile approve orders/cluster-b --replay dry-run.json --reason INC-4211 --push`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case g.site != "" && len(args) > 0:
				return fmt.Errorf("--site stands for all topologies of a site, and %s is named too (hint: leave one out)", args[0])
			case g.site != "":
				return runApproveSite(cmd.Context(), g, r)
			case len(args) == 0:
				return errors.New("a target is missing (hint: 'reconcile approve orders/cluster-b --reason WHY', or 'reconcile approve --site eu-1 --reason WHY')")
			}
			return runApprove(cmd.Context(), g, r, args[0])
		},
	}
	addApproveFlags(cmd, &r)
	cmd.Flags().StringVar(&g.site, "site", "", "approve all topologies whose primary leaves this site, or comes back to it")
	for _, other := range []string{"accept", "replay"} {
		cmd.MarkFlagsMutuallyExclusive("site", other)
	}
	return cmd
}

func addApproveFlags(cmd *cobra.Command, r *approve.Request) {
	f := cmd.Flags()
	f.StringVar(&r.Commit, "commit", "HEAD", "the commit that is approved")
	f.StringVar(&r.Reason, "reason", "", "why, with the incident's number")
	f.DurationVar(&r.Expires, "expires", 0, "end of the approval, from now (default: the operator's maxAge)")
	f.StringArrayVar(&r.Accept, "accept", nil, "accept this finding, if it is acceptable; may repeat")
	f.DurationVar(&r.MaxDataLoss, "max-data-loss", 0, "the approval does not count if more may be lost")
	f.StringVar(&r.SavedPlan, "plan", "", "approve only the plan of this saved JSON; with --site also the digest of a plan")
	f.StringVar(&r.Replay, "replay", "", "approve only the replay of lost rows with this digest (or the saved JSON of its dry run)")
	f.StringVar(&r.Repository, "repository", "", "the repository that the approval is for (approval.repository)")
	f.StringVar(&r.Remote, "push", "", "push the tag, to origin or the remote named")
	f.Lookup("push").NoOptDefVal = "origin"
	f.BoolVar(&r.Withdraw, "withdraw", false, "take back all your approvals of this change")
	for _, other := range []string{"expires", "accept", "max-data-loss", "plan"} {
		cmd.MarkFlagsMutuallyExclusive("withdraw", other)
	}
	for _, other := range []string{"accept", "max-data-loss", "plan"} {
		cmd.MarkFlagsMutuallyExclusive("replay", other)
	}
}

func runApprove(ctx context.Context, g *globals, r approve.Request, target string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	var err error
	r.Dir = cmp.Or(g.repo, ".")
	if r.Target.Topology, r.Target.Cluster, err = g.splitTarget(ctx, target); err != nil {
		return err
	}
	signed, err := approve.Sign(ctx, g.options(), r)
	if err != nil {
		return err
	}
	return g.pushApproval(ctx, r, signed, func() { g.showApproval(ctx, r, signed) })
}

// pushApproval pushes a tag if that is asked for, and shows it.
func (g *globals) pushApproval(ctx context.Context, r approve.Request, signed approve.Signed, show func()) (err error) {
	if r.Remote != "" {
		g.Announce("pushing the tag to " + r.Remote)
		err = signed.Push(ctx, r.Remote) // before anything is printed: a reader may be slow
	}
	show()
	git, _ := g.repoOptions()
	switch {
	case err != nil:
		return fmt.Errorf("push the tag: %w (hint: it is in your clone; '%s push %s refs/tags/%s' tries again)", err, git, console.Printable(r.Remote), signed.Tag)
	case r.Remote == "":
		fmt.Fprintf(g.std.Out, "push it to make it count:\n  %s push origin refs/tags/%s\n", git, console.Printable(signed.Tag))
	default:
		fmt.Fprintf(g.std.Out, "pushed it to %s\n", console.Printable(r.Remote))
	}
	return nil
}

// showApproval says what was signed, and what became of earlier approvals.
func (g *globals) showApproval(ctx context.Context, r approve.Request, s approve.Signed) {
	asks := strings.Join(desired.RoleChanges(s.Document.Previous, s.Document), ", ")
	if r.Withdraw {
		fmt.Fprintf(g.std.Out, "signed %s on %.12s: none of your approvals of this change counts any more (%s)\n", console.Printable(s.Tag), s.Commit, asks)
		fmt.Fprintf(g.std.Err, "Approvals of other people still count. A change that has begun goes on:\n  reconcile history %s\n", r.Target.Topology)
		if r.Alone(ctx) {
			_, there := g.repoOptions()
			fmt.Fprintf(g.std.Err, "Only the tags of your clone were checked, and the clone may be old. If you approved elsewhere too:\n  %s --commit %.12s%s\n",
				approval.Withdrawal(r.Target, s.Claim.Repository), s.Commit, there)
		}
		return
	}
	if r.Replay != "" {
		fmt.Fprintf(g.std.Out, "signed %s on %.12s for the replay %s\n", console.Printable(s.Tag), s.Commit, s.Claim.Replay)
	} else {
		fmt.Fprintf(g.std.Out, "signed %s on %.12s, which asks for %s\n", console.Printable(s.Tag), s.Commit, asks)
	}
	g.remindApprover(r, s)
}

// remindApprover says what may be wrong with an approval, and how to take it back.
func (g *globals) remindApprover(r approve.Request, s approve.Signed) {
	if s.ByAuthor {
		fmt.Fprintln(g.std.Err, "You wrote this change. "+g.whetherAuthorsApprove())
	}
	if s.Claim.Reason == placeholderReason {
		fmt.Fprintf(g.std.Err, "The reason is still %q. The ledger keeps it: approve again with the real one.\n", placeholderReason)
	}
	if len(s.Earlier) > 0 && r.Replay == "" {
		fmt.Fprintf(g.std.Err, "It replaces %s. To withdraw the approval:\n  %s\n", console.Printable(strings.Join(s.Earlier, ", ")), r.Withdrawal(s.Claim.Repository))
	}
}

// whetherAuthorsApprove says what an author's own approval is worth, by the operator's
// configuration if it can be read here.
func (g *globals) whetherAuthorsApprove() string {
	o := g.options()
	if _, err := os.Stat(o.ConfigPath()); err == nil {
		if c, err := o.ReadConfig(); err == nil && c.Approval.DistinctAuthor {
			return "Your approval does not count: somebody else must approve it (approval.distinctAuthor)."
		}
	}
	return "Somebody else must approve it, unless the operator set approval.distinctAuthor to false."
}

// placeholderReason stands for the reason in the commands that are printed.
const placeholderReason = "WHY"
