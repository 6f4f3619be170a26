package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile"
)

type applyOptions struct {
	commit   string
	plan     string
	lockWait time.Duration
}

func newApply(g *globals) *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply [TOPOLOGY…]",
		Short: "Apply approved changes",
		Long: `apply plans, checks the approval, and takes the lock of each topology. Under the lock it
observes again and records the intent in the ledger. Then it sends the change, reads the
clusters back, verifies the new primary, and redirects traffic. If a run is killed, the
next one resumes it, without a second approval.`,
		Example: `  reconcile apply
  reconcile apply --site eu-1
  reconcile apply orders --plan plan.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runApply(cmd.Context(), g, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.commit, "commit", "", "apply what this commit asks for, if no newer commit on the tracked ref changed the topology")
	f.StringVar(&o.plan, "plan", "", "a saved JSON plan; its digests must still match")
	f.DurationVar(&o.lockWait, "lock-timeout", 0, "how long to wait for a lock held by another process")
	g.addSite(cmd)
	g.addListing(cmd)
	g.pageFlags(cmd)
	return cmd
}

func runApply(ctx context.Context, g *globals, o applyOptions, names []string) error {
	command := strings.Join(append([]string{"reconcile apply"}, names...), " ")
	return g.interruptible(ctx, command, func() (reconcile.Report, error) { return applyOnce(ctx, g, o, names) })
}

// applyOnce applies and prints what came of it.
func applyOnce(ctx context.Context, g *globals, o applyOptions, names []string) (reconcile.Report, error) {
	defer wire.SpareTimeActing()()
	command := ctx
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	g.keepFor = wire.KeptConnections // the read under the lock uses the connections of the first read
	e, err := g.options().Open(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, o.commit, "", names)
	if err != nil {
		return reconcile.Report{}, err
	}
	a, err := e.Apply(ctx, rev)
	if err != nil {
		return reconcile.Report{}, err
	}
	a.LockWait = o.lockWait
	t, err := e.TrackedTip(ctx, rev, o.commit)
	if err != nil {
		return reconcile.Report{}, err
	}
	a.Superseded, a.Rewritten, a.RereadGit = t.Superseded, t.Rewritten, e.RereadGit(rev, o.commit)
	if o.plan != "" {
		if a.Pinned, err = readDigests(o.plan); err != nil {
			return reconcile.Report{}, err
		}
	}
	report, err := a.Run(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	e.Remember(ctx, a, report, t)
	g.exit = applyExit(report, rev)
	d := documentOf(report, rev, render.KindPlan, g.Clock())
	d.Site = g.siteReport(ctx, e, rev, report)
	e.NotifyApplied(ctx, report, d.Site)
	ended := g.endedBy(command, ctx)
	g.emitAfterAction(func(w io.Writer, form string) error {
		return g.writeApply(w, form, d, report, ended)
	})
	return report, nil
}

// applyExit returns the exit code of an apply. That there was nothing to do is no success in
// an outage.
func applyExit(report reconcile.Report, rev desired.Revision) ExitCode {
	codes := []ExitCode{ExitOK}
	if len(rev.Problems) > 0 {
		codes = append(codes, ExitError)
	}
	for _, r := range report.Results {
		codes = append(codes, exitOf(r.Outcome))
		if t, ok := report.Plan.Topology(r.Topology); ok && r.Outcome == reconcile.OutcomeUnchanged && (blocksRequest(t, report) || render.Outage(t)) {
			codes = append(codes, ExitBlocked)
		}
	}
	return worstExit(codes...)
}

// readDigests returns the digest of each topology in a saved plan.
func readDigests(path string) (map[string]string, error) {
	d, err := readPlan(path)
	if err != nil {
		return nil, err
	}
	if !d.Applicable() {
		return nil, fmt.Errorf("the plan %s was made offline or from somebody else's observation: it cannot be applied (hint: save one by 'reconcile plan -o json' where the clusters can be reached)", path)
	}
	if len(d.Plan.Topologies) == 0 {
		return nil, errors.New("the saved plan names no topology")
	}
	out := map[string]string{}
	for _, t := range d.Plan.Topologies {
		out[t.Name] = t.Digest
	}
	return out, nil
}
