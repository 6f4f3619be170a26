package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/approve"
	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/propose"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// siteChange returns what is asked for of a site.
func (o proposeOptions) siteChange() plan.SiteChange {
	switch {
	case o.failover:
		return plan.SiteFailover
	case o.back:
		return plan.SiteBack
	default:
		return plan.SiteSwitchover
	}
}

// checkTarget fails unless one topology or a site is named, and the option fits it.
func (o proposeOptions) checkTarget(args []string) error {
	switch {
	case o.site == "" && len(args) == 0:
		return fmt.Errorf("a topology or --site is missing (hint: 'reconcile propose orders --failover', or 'reconcile propose --site eu-1 --failover')")
	case o.site != "" && len(args) > 0:
		return fmt.Errorf("--site stands for all topologies of a site, and %s is named too (hint: leave one out)", args[0])
	case o.site != "" && o.cancel:
		return fmt.Errorf("--cancel takes one topology back (hint: 'reconcile propose orders --cancel', for each)")
	case o.site == "" && o.back:
		return fmt.Errorf("--back needs --site (hint: for one topology name the standby: 'reconcile propose orders/cluster-a --switchover')")
	default:
		return nil
	}
}

// runSite edits all topologies of a site.
func runSite(ctx context.Context, g *globals, o proposeOptions) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	repository, err := approve.RepositoryName(ctx, g.options(), cmp.Or(g.repo, "."), "")
	if err != nil {
		return err
	}
	e, err := propose.Site(ctx, g.options(), propose.SiteRequest{Dir: cmp.Or(g.repo, "."), Site: o.site, Change: o.siteChange(), Commit: o.commit})
	if err != nil {
		return err
	}
	people := g.std.Out
	if g.output != "table" {
		people = g.std.Err
	}
	g.siteMoves(people, e)
	if err := g.emit(func(out io.Writer, kind string) error {
		return g.writeDocument(out, kind, render.Document{Plan: e.Planned, GeneratedAt: e.Planned.At})
	}); err != nil {
		return err
	}
	fmt.Fprintln(people)
	printSteps(people, g.siteSteps(e, o.site, repository))
	return nil
}

// siteMoves prints which topologies move and which cannot, with the reasons.
func (g *globals) siteMoves(out io.Writer, e propose.SiteEdit) {
	did := "edited"
	if e.Planned.Commit != "" {
		did = fmt.Sprintf("committed as %.12s", e.Planned.Commit)
	}
	fmt.Fprintf(out, "%s: %d of %d move\n", did, len(e.Moves), len(e.Moves)+len(e.Stays))
	for _, m := range e.Moves {
		fmt.Fprintln(out, console.Printable(fmt.Sprintf("  %s: %s → %s: %s", m.Topology, withSite(m.From), withSite(m.To), m.Why)))
	}
	for _, s := range e.Stays {
		fmt.Fprintln(out, console.Printable(fmt.Sprintf("  %s CANNOT MOVE: %s", s.Topology, strings.ReplaceAll(s.Err.Error(), "\n", " "))))
	}
	fmt.Fprintln(out)
}

func withSite(c plan.Cluster) string {
	return render.ClusterName(plan.ClusterPlan{ID: c.ID, Site: c.Site})
}

// siteSteps are what to type next. Each topology has an approval of its own.
func (g *globals) siteSteps(e propose.SiteEdit, site, repository string) []nextStep {
	git, there := g.repoOptions()
	var out []nextStep
	if e.Planned.Commit == "" {
		out = append(out, nextStep{"commit it:", fmt.Sprintf("%s commit -m %q -- %s", git, e.Subject, strings.Join(e.Files, " "))})
	}
	out = append(out,
		nextStep{"see what it does to the live clusters:", fmt.Sprintf("reconcile plan --site %s --commit HEAD --repo %s", site, cmp.Or(console.Printable(g.repo), "."))},
		nextStep{"push it, or open a pull request with it:", git + " push"},
	)
	for _, m := range e.Moves {
		out = append(out, nextStep{
			"somebody who did not write it approves " + m.Topology + ":",
			approval.Command(approval.Target{Topology: m.Topology, Cluster: m.To.ID}, repository) + there,
		})
	}
	return out
}
