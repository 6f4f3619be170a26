package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/approve"
	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/propose"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

type proposeOptions struct {
	failover   bool
	switchover bool
	cancel     bool
	rehearse   bool
	commit     bool
	rebuild    bool
	data       string
	site       string
	back       bool
}

func newPropose(g *globals) *cobra.Command {
	var o proposeOptions
	cmd := &cobra.Command{
		Use:   "propose TOPOLOGY[/CLUSTER] --failover|--switchover|--rebuild|--rehearse|--cancel | --site SITE --failover|--switchover|--back",
		Short: "Edit the file for a switchover, failover, rebuild or rehearsal, or to take a change back",
		Long: `propose edits the topology file in the work tree (--repo, else the current folder): it
sets the roles so that CLUSTER becomes the primary, raises the generation, and keeps
comments and layout. Then it shows what the change asks for.

A switchover swaps two clusters that both work. A failover is for a primary that is
lost: it becomes stale, and so does every other standby, since they lose their source.

--rehearse asks for a rehearsal: a switchover to CLUSTER and back, by one approval. It
changes no role; see 'reconcile rehearse'.

Without CLUSTER, propose reads the clusters, as plan does. It chooses the standby that
has the most data, and says why.

--rebuild asks for the stale CLUSTER to be wiped, filled and attached as a standby. --data
says what it holds when it is attached: restored, all that the primary holds, or empty.

--cancel takes back a change that was committed by mistake and has not begun, such as
the failover of a primary that serves. It reads the clusters and the ledger, writes the
role that each cluster has now into the file, and raises the generation (git revert
would lower it). It refuses if a request of the change may have been sent already.

--site SITE edits all topologies whose primary is at that site, in one commit. For each it
chooses a standby outside of the site: for a failover the one that has the most of the
data, for a switchover one at the site that got the fewest primaries. --site SITE --back
switches over to the standbys at that site. It lists the topologies that cannot move, each
with the reason, and leaves their files as they are. Each topology has its own approval.

propose changes no cluster and pushes nothing. If you name a CLUSTER, it goes by the file
alone. Where it finds the configuration, it also asks the clusters for 2 seconds at most,
and says what they show against the change, such as a primary that serves. It commits only
with --commit, in your name and with your own git configuration.`,
		Example: `  reconcile propose orders/cluster-b --switchover
  reconcile propose orders --failover --commit
  reconcile propose orders/cluster-b --failover --commit
  reconcile propose orders/cluster-b --rehearse --commit
  reconcile propose orders/cluster-a --rebuild --commit
  reconcile propose orders --cancel
  reconcile propose --site eu-1 --failover --commit`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkTarget(args); err != nil {
				return err
			}
			if o.site != "" {
				return runSite(cmd.Context(), g, o)
			}
			return runPropose(cmd.Context(), g, o, args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.failover, "failover", false, "the primary is lost: promote CLUSTER by force")
	f.BoolVar(&o.switchover, "switchover", false, "both work: swap their roles")
	f.BoolVar(&o.rehearse, "rehearse", false, "both work: switch over to CLUSTER and back, as a rehearsal")
	f.BoolVar(&o.rebuild, "rebuild", false, "wipe and fill a stale CLUSTER, and attach it as a standby")
	f.StringVar(&o.data, "data", string(plan.ProvisionedRestored), "with --rebuild: what it holds when it is attached: restored|empty")
	f.BoolVar(&o.cancel, "cancel", false, "take back a change that has not begun")
	f.BoolVar(&o.commit, "commit", false, "commit the edited files")
	f.StringVar(&o.site, "site", "", "all topologies whose primary is at this site; with --back, those that have a standby there")
	f.BoolVar(&o.back, "back", false, "with --site: switch over to the standbys at that site")
	cmd.MarkFlagsOneRequired("failover", "switchover", "rebuild", "rehearse", "cancel", "back")
	cmd.MarkFlagsMutuallyExclusive("failover", "switchover", "rebuild", "rehearse", "cancel", "back")
	return cmd
}

func runPropose(ctx context.Context, g *globals, o proposeOptions, target string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if o.cancel {
		return runCancel(ctx, g, o, target)
	}
	name, cluster := target, ""
	if strings.Contains(target, "/") {
		var err error
		if name, cluster, err = g.splitTarget(ctx, target); err != nil {
			return err
		}
	}
	repository, err := approve.RepositoryName(ctx, g.options(), cmp.Or(g.repo, "."), "")
	if err != nil {
		return err
	}
	edit := propose.Switchover
	switch {
	case o.failover:
		edit = propose.Failover
	case o.rehearse:
		edit = propose.Rehearsal
	case o.rebuild:
		edit = propose.Rebuild
	}
	e, err := edit(ctx, g.options(), propose.Request{Dir: cmp.Or(g.repo, "."), Topology: name, Cluster: cluster, Commit: o.commit, Data: plan.ProvisionedFrom(o.data)})
	if err != nil {
		return err
	}
	git, there := g.repoOptions()
	planned, _ := e.Planned.Topology(name)
	return g.showEdit(e,
		nextStep{"see what it does to the live clusters:", fmt.Sprintf("reconcile plan %s --commit HEAD --repo %s", name, cmp.Or(console.Printable(g.repo), "."))},
		nextStep{"push it, or open a pull request with it:", git + " push"},
		nextStep{
			"somebody who did not write it approves it:",
			approval.Command(approval.Target{Topology: name, Cluster: e.After.ToApprove()}, repository, planned.ToAccept()...) + there,
		},
	)
}

// repoOptions returns the git command and the reconcile option that select the work tree
// of --repo, for commands that a person copies.
func (g *globals) repoOptions() (git, option string) {
	if g.repo == "" {
		return "git", ""
	}
	return "git -C " + console.Printable(g.repo), " --repo " + console.Printable(g.repo)
}

// nextStep is a command that a person types next, and what for. It stands alone on a line.
type nextStep struct{ words, command string }

// showEdit prints what was edited, the plan in the form of --output, and what to type next.
// If that form is for programs, the sentences for people go to stderr.
func (g *globals) showEdit(e propose.Edit, next ...nextStep) error {
	people := g.std.Out
	if g.output != "table" {
		people = g.std.Err
	}
	did := "edited "
	if e.Planned.Commit != "" {
		did = fmt.Sprintf("committed as %.12s: ", e.Planned.Commit)
	} else {
		git, _ := g.repoOptions()
		next = append([]nextStep{{"commit it:", fmt.Sprintf("%s commit -m %q -- %s", git, e.Subject, e.File.File)}}, next...)
	}
	if e.Why != "" {
		primary, _ := e.After.Primary()
		fmt.Fprintln(people, console.Printable(primary.ID+" has the most data: "+e.Why))
	}
	fmt.Fprintln(people, console.Printable(did+e.Did))
	fmt.Fprintln(people)
	err := g.emit(func(out io.Writer, kind string) error {
		return g.writeDocument(out, kind, render.Document{Plan: e.Planned, GeneratedAt: e.Planned.At})
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(people)
	for _, c := range e.Cautions {
		g.showCaution(people, e, c)
	}
	printSteps(people, next)
	return nil
}

// printSteps prints what to type, in order.
func printSteps(out io.Writer, next []nextStep) {
	label := "NOW"
	for _, step := range next {
		fmt.Fprintln(out, console.Printable(fmt.Sprintf("  %-6s%s\n        %s", label, step.words, step.command)))
		label = "THEN"
	}
}

// showCaution prints what stands against an edit, and how to take the edit back for what fits.
func (g *globals) showCaution(people io.Writer, e propose.Edit, c propose.Caution) {
	fmt.Fprintln(people, console.Printable("  BEWARE "+c.Words))
	if c.Instead == "" {
		return
	}
	git, there := g.repoOptions()
	back := git + " checkout -- " + e.File.File
	if e.Planned.Commit != "" {
		back = "reconcile propose " + e.After.Name + " --cancel --commit" + there
	}
	fmt.Fprintln(people, console.Printable("         "+c.Fits+"; take this edit back, and propose that:\n         "+back+"\n         "+c.Instead+there))
}

// runCancel edits the file to take back a change that has not begun. Until the edit is
// merged, the change that it takes back is in force.
func runCancel(ctx context.Context, g *globals, o proposeOptions, name string) error {
	if topology, _, found := strings.Cut(name, "/"); found {
		return fmt.Errorf("--cancel takes the name of a topology (hint: reconcile propose %s --cancel)", topology)
	}
	e, err := propose.Cancel(ctx, g.options(), propose.Request{Dir: cmp.Or(g.repo, "."), Topology: name, Commit: o.commit})
	if err != nil {
		return err
	}
	git, there := g.repoOptions()
	primary, _ := e.Before.Primary()
	return g.showEdit(e,
		nextStep{"push it, or open a pull request with it; it needs no approval:", git + " push"},
		nextStep{
			fmt.Sprintf("until it is merged, generation %d is in force: each person who approved it withdraws the approval at once:", e.Before.Generation),
			fmt.Sprintf("reconcile approve %s/%s --withdraw --commit %.12s --push%s", name, primary.ID, e.File.Governing(), there),
		},
		nextStep{"once it is on the tracked branch, see what is left to do:", "reconcile plan " + name},
	)
}
