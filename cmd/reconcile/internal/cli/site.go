package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/approve"
	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/propose"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/ledger"
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
	case o.site != "" && o.rehearse:
		return fmt.Errorf("--rehearse takes one topology (hint: 'reconcile propose orders --rehearse', for each)")
	case o.site != "" && o.cancel:
		return fmt.Errorf("--cancel takes one topology back (hint: 'reconcile propose orders --cancel', for each)")
	case o.site == "" && o.back:
		return fmt.Errorf("--back needs --site (hint: for one topology name the standby: 'reconcile propose orders/cluster-a --switchover')")
	case o.site != "" && o.rebuild:
		return fmt.Errorf("--rebuild takes one cluster (hint: 'reconcile propose orders/cluster-a --rebuild', for each)")
	case o.data != string(plan.ProvisionedRestored) && o.data != string(plan.ProvisionedEmpty):
		return fmt.Errorf("--data %s is not known (hint: restored or empty)", o.data)
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

// siteSteps are what to type next.
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
	if len(e.Moves) == 1 {
		target := approval.Target{Topology: e.Moves[0].Topology, Cluster: e.Moves[0].To.ID}
		return append(out, nextStep{"somebody who did not write it approves " + target.Topology + ":", approval.Command(target, repository) + there})
	}
	return append(out, nextStep{"somebody who did not write it approves all of them at once:", approval.SiteCommand(site, "", repository) + there})
}

// siteOf returns the plan of the site that is asked for; its page is nil if nothing moves.
func (g *globals) siteOf(e *wire.Environment, rev desired.Revision, report reconcile.Report) (siteplan.Site, *sitepage.Site) {
	waves := e.Config.Waves
	site := siteplan.Of(g.site, report.Plan, rev.Desired.Topologies, waves)
	if g.site == "" || len(site.Moves) == 0 {
		return site, nil
	}
	decided := map[string]sitepage.Decision{}
	for name, d := range report.Decisions {
		decided[name] = sitepage.Decision{Approved: d.Approved(), Given: d.Given, Needed: d.Needed}
	}
	page := sitepage.Of(site, waves, decided, e.Policy.Repository)
	return site, &page
}

// runApproveSite signs one approval of all moves of a site.
func runApproveSite(ctx context.Context, g *globals, r approve.Request) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	r.Dir, r.Site = cmp.Or(g.repo, "."), g.site
	var blocked []siteplan.Planned
	if !r.Withdraw {
		site, err := g.siteToApprove(ctx, r)
		if err != nil {
			return err
		}
		if wanted := r.SavedPlan; strings.HasPrefix(wanted, "sha256:") && wanted != site.Digest {
			return fmt.Errorf("the plan of site %s is now %s, and not %s: nothing was signed (hint: read it: 'reconcile plan --site %s')", r.Site, cmp.Or(site.Digest, "empty"), wanted, r.Site)
		}
		r.SavedPlan, r.Moves = "", site.Covered()
		blocked = slices.DeleteFunc(slices.Clone(site.Moves), func(m siteplan.Planned) bool { return len(m.Blocked) == 0 })
	}
	signed, err := approve.Sign(ctx, g.options(), r)
	if err != nil {
		return err
	}
	return g.pushApproval(ctx, r, signed, func() { g.showSiteApproval(r, signed, blocked) })
}

// siteToApprove returns the plan of a site: a saved one, or one that is made now.
func (g *globals) siteToApprove(ctx context.Context, r approve.Request) (siteplan.Site, error) {
	if r.SavedPlan != "" && !strings.HasPrefix(r.SavedPlan, "sha256:") {
		d, err := readPlan(r.SavedPlan)
		if err != nil {
			return siteplan.Site{}, err
		}
		if !d.Applicable() {
			return siteplan.Site{}, fmt.Errorf("the plan %s was made offline or from somebody else's observation: its digests cannot be approved (hint: save one by 'reconcile plan --site %s -o json' where the clusters can be reached)", r.SavedPlan, r.Site)
		}
		return siteplan.Of(r.Site, d.Plan, nil, nil), nil
	}
	o := g.options()
	o.Repo = r.Dir
	e, err := o.OpenToRead(ctx)
	if err != nil {
		return siteplan.Site{}, err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, r.Commit, "", nil)
	if err != nil {
		return siteplan.Site{}, err
	}
	pass, err := e.Pass(ctx, rev)
	if err != nil {
		return siteplan.Site{}, err
	}
	report, err := pass.Plan(ctx)
	if err != nil {
		return siteplan.Site{}, err
	}
	site, _ := g.siteOf(e, rev, report)
	return site, nil
}

// showSiteApproval says what was signed, and what the approval leaves out.
func (g *globals) showSiteApproval(r approve.Request, s approve.Signed, blocked []siteplan.Planned) {
	if r.Withdraw {
		fmt.Fprintf(g.std.Out, "signed %s on %.12s: none of your approvals of site %s counts any more, of %d topologies\n", console.Printable(s.Tag), s.Commit, r.Site, len(s.Claim.Site.Moves))
		fmt.Fprintln(g.std.Err, "Approvals of other people, and yours of single topologies that are newer, still count. What has begun goes on.")
		return
	}
	fmt.Fprintf(g.std.Out, "signed %s on %.12s for site %s, %s:\n", console.Printable(s.Tag), s.Commit, r.Site, s.Claim.Site.Digest)
	for _, m := range s.Claim.Site.Moves {
		fmt.Fprintf(g.std.Out, "  %s: %s %s → %s\n", m.Topology, m.Transition, m.From, m.To)
	}
	for _, m := range blocked {
		fmt.Fprintf(g.std.Out, "  %s is NOT APPROVED: %s (hint: 'reconcile plan %s')\n", m.Topology, blockedWords(m.Blocked), m.Topology)
	}
	g.remindApprover(r, s)
}

func blockedWords(codes []plan.Code) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = string(c)
	}
	return "blocked by " + strings.Join(words, ", ")
}

// siteReport returns what came of the site that was applied; nil: no site was.
func (g *globals) siteReport(ctx context.Context, e *wire.Environment, rev desired.Revision, report reconcile.Report) *sitepage.Site {
	if g.site == "" {
		return nil
	}
	records := e.RecordsOf(ctx)
	planned := map[string]siteplan.Planned{}
	for _, m := range siteplan.Of(g.site, report.Plan, rev.Desired.Topologies, e.Config.Waves).Moves {
		planned[m.Topology] = m
	}
	var all []sitepage.Came
	for _, r := range report.Results {
		i := slices.IndexFunc(rev.Desired.Topologies, func(t plan.Topology) bool { return t.Name == r.Topology })
		if i < 0 {
			continue
		}
		t := rev.Desired.Topologies[i]
		m, open := planned[t.Name]
		if !open {
			known, moves := siteplan.MoveInFile(t, g.site)
			begun := r.Outcome != reconcile.OutcomeUnchanged || rev.Changes[t.Name].Site() == g.site
			if !moves || !begun {
				continue // it was done at another time
			}
			m = siteplan.Planned{Move: known, Wave: e.Config.Waves.Of(t)}
		}
		all = append(all, came(m, r, records[t.Name]))
	}
	if len(all) == 0 {
		return nil
	}
	out := sitepage.Report(g.site, e.Config.Waves, all)
	return &out
}

// came joins what an apply did with what the ledger holds of it.
func came(m siteplan.Planned, r reconcile.Result, records []ledger.Record) sitepage.Came {
	out := sitepage.FromLedger(m, records)
	switch out.Outcome = r.Outcome.String(); {
	case r.Waits:
		out.Outcome, out.Detail = sitepage.OutcomeWaits, r.Detail
	case r.Outcome != reconcile.OutcomeUnchanged:
		out.Detail = r.Detail
	}
	out.Done = r.Outcome == reconcile.OutcomeApplied || r.Outcome == reconcile.OutcomeUnchanged
	if r.DataLoss != nil {
		out.AtRisk = r.DataLoss.AtRisk()
	}
	for _, s := range r.Steps {
		if s.Step.Action == plan.ActionRedirect && s.Status != plan.StepNotAttempted {
			out.Traffic = s.Status.String()
		}
	}
	return out
}
