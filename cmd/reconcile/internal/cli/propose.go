package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/approve"
	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/schema"
)

type proposeOptions struct {
	failover   bool
	switchover bool
	cancel     bool
	commit     bool
}

func newPropose(g *globals) *cobra.Command {
	var o proposeOptions
	cmd := &cobra.Command{
		Use:   "propose TOPOLOGY[/CLUSTER] --failover|--switchover|--cancel",
		Short: "Edit the file for a switchover or failover, or to take a change back",
		Long: `propose edits the topology file in the work tree (--repo, else the current folder):
it sets the roles so that CLUSTER becomes the primary, raises the generation, and
keeps comments and layout. Then it shows what the change asks for.

A switchover swaps two clusters that both work. A failover is for a primary that is
lost: it becomes stale, and so does every other standby, since they lose their source.

Without CLUSTER, a failover goes to the standby that has the most of the data. For that
propose reads the clusters, as plan does, and says why it chose.

--cancel takes back a change that was committed by mistake and has not begun, such as the
failover of a primary that serves. It reads what the clusters store and what the ledger
holds, gives every cluster the role that it has in fact, and raises the generation; git
revert would not. It refuses once a request of the change may have been sent.

propose changes no cluster and pushes nothing; with a CLUSTER it reads none either. It
commits only with --commit, in your name and with your own git configuration.`,
		Example: `  reconcile propose orders/cluster-b --switchover
  reconcile propose orders --failover --commit
  reconcile propose orders/cluster-b --failover --commit
  reconcile propose orders --cancel`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runPropose(cmd.Context(), g, o, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.failover, "failover", false, "the primary is lost: promote CLUSTER by force")
	f.BoolVar(&o.switchover, "switchover", false, "both work: swap their roles")
	f.BoolVar(&o.cancel, "cancel", false, "take back a change that has not begun")
	f.BoolVar(&o.commit, "commit", false, "commit the edited file")
	cmd.MarkFlagsOneRequired("failover", "switchover", "cancel")
	cmd.MarkFlagsMutuallyExclusive("failover", "switchover", "cancel")
	return cmd
}

func runPropose(ctx context.Context, g *globals, o proposeOptions, target string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if o.cancel {
		return runCancel(ctx, g, o, target)
	}
	name, cluster := target, ""
	if !o.failover || strings.Contains(target, "/") {
		var err error
		if name, cluster, err = splitTarget(target); err != nil {
			return err
		}
	}
	w, err := g.workFile(ctx, name)
	if err != nil {
		return err
	}
	if _, listed := w.Topology.Cluster(cluster); !listed && cluster != "" {
		return desired.UnknownCluster(w.Topology, cluster, "")
	}
	c, err := g.choose(ctx, o, w, cluster)
	if err != nil {
		return err
	}
	cluster = c.cluster
	what := "Switch " + name + " over to " + cluster
	if o.failover {
		what = "Fail " + name + " over to " + cluster
	}
	git, there := g.repoOptions()
	repository, err := approve.RepositoryName(ctx, g.options(), cmp.Or(g.repo, "."), "")
	if err != nil {
		return err
	}
	return g.proposeEdit(ctx, w, proposal{
		roles: c.roles, what: what, commit: o.commit, plan: plan.Offline, why: c.why,
		next: []string{
			fmt.Sprintf("  reconcile plan %s --commit HEAD --repo %s    # against the live clusters", name, cmp.Or(printable(g.repo), ".")),
			"  " + git + " push                  # or open a pull request with it",
			"  " + approval.Command(approval.Target{Topology: name, Cluster: cluster}, repository) + there,
			"The author of the change cannot approve it, unless the operator set approval.distinctAuthor to false.",
		},
	})
}

// choice is the cluster that becomes the primary, why, and the roles after that.
type choice struct {
	cluster string
	why     string // empty: the caller named it
	roles   map[string]plan.Role
}

// choose returns the cluster that was named, or the standby that has the most of the data.
func (g *globals) choose(ctx context.Context, o proposeOptions, w desired.WorkFile, cluster string) (c choice, err error) {
	c.cluster = cluster
	switch {
	case cluster == "":
		observed, memory, err := g.observeWork(ctx, w)
		if err != nil {
			return c, err
		}
		c.cluster, c.why, c.roles, err = plan.ProposeBestFailover(w.Topology, observed, memory)
		return c, err
	case o.failover:
		c.roles, err = plan.ProposeFailover(w.Topology, cluster)
	default:
		c.roles, err = plan.ProposeSwitchover(w.Topology, cluster)
	}
	return c, err
}

// observeWork reads the clusters of a topology of the work tree, with the progress of
// each.
func (g *globals) observeWork(ctx context.Context, w desired.WorkFile) (plan.Observed, plan.Memory, error) {
	memory, err := g.options().KnownMemory(ctx, w.Top)
	if err != nil {
		return plan.Observed{}, memory, err
	}
	e, err := g.options().OpenForWorkTree(w.Top)
	if err != nil {
		return plan.Observed{}, memory, fmt.Errorf("%w (hint: without a configuration name the standby to promote: TOPOLOGY/CLUSTER)", err)
	}
	defer e.Close()
	memory.Now = g.clock()
	defer g.showProgress("reading the clusters")()
	observed := plan.Observed{Views: e.Observer().Observe(ctx, []plan.Topology{w.Topology}, plan.Depth{Progress: true})}
	if err := ctx.Err(); err != nil {
		return observed, memory, fmt.Errorf("observe the clusters: %w", err)
	}
	return observed, memory, nil
}

// workFile opens the file of a topology in the work tree of --repo, else of the current
// folder.
func (g *globals) workFile(ctx context.Context, name string) (desired.WorkFile, error) {
	defer g.showProgress("reading the topology files and their history")()
	return g.loader.OpenWorkFile(ctx, cmp.Or(g.repo, "."), g.pathOr("topologies"), name)
}

// repoOptions returns the git command and the reconcile option that select the work tree
// of --repo, for commands that a person copies.
func (g *globals) repoOptions() (git, option string) {
	if g.repo == "" {
		return "git", ""
	}
	return "git -C " + printable(g.repo), " --repo " + printable(g.repo)
}

// splitTarget splits TOPOLOGY/CLUSTER.
func splitTarget(target string) (name, cluster string, err error) {
	name, cluster, ok := strings.Cut(target, "/")
	if !ok || name == "" || cluster == "" {
		return "", "", fmt.Errorf("%q is not TOPOLOGY/CLUSTER", target)
	}
	return name, cluster, nil
}

// proposal is an edit of one topology's roles.
type proposal struct {
	roles  map[string]plan.Role
	what   string // the subject of its commit
	why    string // this cluster was chosen; empty: it was named
	commit bool
	// plan computes what the edited file asks for: offline, or against an observation.
	plan func(plan.Desired, plan.Memory) plan.Plan
	next []string // what to type once the edit is committed
}

// proposeEdit edits the file, commits it with --commit, and shows what the change asks for
// and which commands come next.
func (g *globals) proposeEdit(ctx context.Context, w desired.WorkFile, p proposal) error {
	memory, err := g.options().KnownMemory(ctx, w.Top)
	if err != nil {
		return fmt.Errorf("%w (hint: without a configuration the generation is raised above the history alone: unset RECONCILE_CONFIG)", err)
	}
	if p.commit {
		if err := w.CheckCommitted(ctx); err != nil {
			return err
		}
	}
	after, err := w.Edit(schema.Change{Generation: w.NextGeneration(memory), Roles: w.RolesThatChange(p.roles)})
	if err != nil {
		return err
	}
	desired := plan.Desired{Topologies: []plan.Topology{after}}
	if p.commit {
		if desired.Commit, err = w.Commit(ctx, fmt.Sprintf("%s\n\nGeneration %d.\n", p.what, after.Generation)); err != nil {
			return err
		}
	}
	memory.Now = g.clock()
	return g.showProposal(w, p, after, p.plan(desired, memory))
}

// showProposal prints the plan in the form of --output. If that form is for programs, the
// sentences for people go to stderr.
func (g *globals) showProposal(w desired.WorkFile, p proposal, after plan.Topology, planned plan.Plan) error {
	people := g.std.Out
	if g.output != "table" {
		people = g.std.Err
	}
	did := "edited "
	if planned.Commit != "" {
		did = fmt.Sprintf("committed as %.12s: ", planned.Commit)
	}
	if p.why != "" {
		primary, _ := after.Primary()
		fmt.Fprintln(people, printable(primary.ID+" has the most of the data: "+p.why))
	}
	fmt.Fprintln(people, printable(did+w.Describe(after)))
	fmt.Fprintln(people)
	err := g.emit(func(out io.Writer, kind string) error {
		return g.writeDocument(out, kind, render.Document{Plan: planned, GeneratedAt: planned.At})
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(people, printable("\n"+strings.Join(nextAfter(w, p), "\n")))
	return nil
}

// nextAfter returns the commands that come next.
func nextAfter(w desired.WorkFile, p proposal) []string {
	lines := []string{"Next:"}
	if !p.commit {
		lines = append(lines, fmt.Sprintf("  git commit -m %q -- %s", p.what, w.File))
	}
	return append(lines, p.next...)
}
