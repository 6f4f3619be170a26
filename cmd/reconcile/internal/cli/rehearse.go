package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/rehearsal"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

type rehearseOptions struct {
	show     bool
	lockWait time.Duration
}

func newRehearse(g *globals) *cobra.Command {
	var o rehearseOptions
	cmd := &cobra.Command{
		Use:   "rehearse TOPOLOGY",
		Short: "Switch over to a standby and back, as approved, and report the times",
		Long: `rehearse carries out the rehearsal for which the topology file asks, once it is approved: a
switchover to a standby, and back. 'reconcile propose TOPOLOGY/CLUSTER --rehearse' asks for
it, and one approval covers both ways. apply and run carry it out too; rehearse carries out
nothing else.

It is refused where a switchover would be refused, and while a freeze is in force or begins
before the rehearsal can be over. If a run is killed, the next one finishes the way there and
goes back, without a second approval. If the way back is not possible, it says why, and the
intent stays open.

The report has the time of each step, the longest gap of writes, what the redirect targets
did, and the rehearsals before. A probe client (rehearse.probe in the operator's
configuration) measures the gap and counts lost rows; without one the steps bound the gap. The
ledger keeps the report. --show prints it again and carries out nothing.`,
		Example: `  reconcile rehearse orders
  reconcile rehearse orders --show -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.show {
				return showRehearsals(cmd.Context(), g, args[0])
			}
			return g.interruptible(cmd.Context(), "reconcile rehearse "+args[0], func() (reconcile.Report, error) { return rehearseOnce(cmd.Context(), g, o, args[0]) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.show, "show", false, "only print the reports that the ledger keeps")
	f.DurationVar(&o.lockWait, "lock-timeout", 0, "how long to wait for a lock held by another process")
	g.pageFlags(cmd)
	return cmd
}

// rehearseOnce carries out a rehearsal and prints its report.
func rehearseOnce(ctx context.Context, g *globals, o rehearseOptions, topology string) (reconcile.Report, error) {
	command := ctx
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	g.keepFor = wire.KeptConnections
	e, err := g.options().Open(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, "", "", []string{topology})
	if err != nil {
		return reconcile.Report{}, err
	}
	a, err := e.Apply(ctx, rev)
	if err != nil {
		return reconcile.Report{}, err
	}
	a.LockWait = o.lockWait
	t, err := e.TrackedTip(ctx, rev, "")
	if err != nil {
		return reconcile.Report{}, err
	}
	a.Superseded, a.Rewritten, a.RereadGit = t.Superseded, t.Rewritten, e.RereadGit(rev, "")
	report, err := a.Rehearse(ctx, topology)
	if err != nil {
		return reconcile.Report{}, err
	}
	e.Remember(ctx, a, report, t)
	e.NotifyApplied(ctx, report, nil)
	g.exit = applyExit(report, desired.Revision{})
	ended := g.endedBy(command, ctx)
	d := documentOf(report, rev, render.KindPlan, g.Clock())
	said := rehearsalReport(topology, report)
	g.emitAfterAction(func(w io.Writer, form string) error {
		if form != "table" {
			return rehearsal.Write(w, form, said)
		}
		if err := g.writeApply(w, form, d, report, ended); err != nil || len(said.Kept) == 0 {
			return err
		}
		fmt.Fprintln(w)
		return rehearsal.Write(w, form, said)
	})
	if unasked(report) {
		g.Tell(topology, "no rehearsal is asked for (hint: 'reconcile propose "+topology+" --rehearse' asks for one)")
	}
	return report, nil
}

// unasked says whether the file asks for no rehearsal, or for one that was carried out before.
func unasked(report reconcile.Report) bool {
	for _, r := range report.Results {
		if r.Outcome == reconcile.OutcomeUnchanged {
			return true
		}
	}
	return false
}

// rehearsalReport is what a run did, with the rehearsals of before it.
func rehearsalReport(topology string, report reconcile.Report) rehearsal.Report {
	out := rehearsal.Report{Topology: topology, Kept: report.Remembered().Memory.RehearsalsOf(topology)}
	for _, r := range report.Results {
		out.Outcome, out.Detail = r.Outcome.String(), r.Detail
		if r.Rehearsal != nil {
			out.Kept = append(out.Kept, *r.Rehearsal)
		}
	}
	return out
}

// showRehearsals prints what the ledger keeps of the rehearsals of a topology.
func showRehearsals(ctx context.Context, g *globals, topology string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	_, l, err := g.openLedger()
	if err != nil {
		return err
	}
	snapshot, err := l.Read(ctx)
	if err = errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	kept := snapshot.Memory().RehearsalsOf(topology)
	if len(kept) == 0 {
		known := func(m plan.GenerationMark) bool { return m.Topology == topology }
		if !slices.ContainsFunc(snapshot.Memory().Generations, known) {
			if err := g.withoutRecords(ctx, topology, snapshot.History("")); err != nil {
				return err
			}
		}
	}
	return g.emit(func(w io.Writer, form string) error {
		return rehearsal.Write(w, form, rehearsal.Report{Topology: topology, Kept: kept})
	})
}
