package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/salvage"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
)

// replayCommand is one call of salvage --replay.
type replayCommand struct {
	*globals
	salvageOptions
	env      *wire.Environment
	revision desired.Revision
	topology plan.Topology
	of       salvage.ReplayOf
}

func runReplay(ctx context.Context, g *globals, o salvageOptions, topology string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, fmt.Errorf("--timeout %s is over (hint: the same command goes on with what is left)", g.timeout))
	defer cancel()
	e, err := g.options().Open(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	c := replayCommand{globals: g, salvageOptions: o, env: e}
	if c.revision, err = e.Revision(ctx, "", "", []string{topology}); err != nil {
		return err
	}
	if c.topology, c.of.Stale, err = c.revision.StaleCluster(topology, o.from); err != nil {
		return err
	}
	primary, _ := c.topology.Primary()
	c.of.Promoted = primary.ID
	c.of.Since, _ = e.StaleSince(ctx, c.of.Stale) // a zero time only means that more of the log is read
	g.Tell(topology, "comparing what "+c.of.Stale+" holds with what "+c.of.Promoted+" took since its promotion")
	var report render.ReplayReport
	if o.dryRun {
		report, err = c.dryRun(ctx)
	} else {
		report, err = c.carryOut(ctx)
	}
	if err != nil && report.Topology == "" {
		return fmt.Errorf("replay of %s: %w", c.of.Stale, err)
	}
	return errors.Join(err, g.emit(func(w io.Writer, form string) error { return render.Replay(w, form, report, g.tableOptions()) }))
}

func (c replayCommand) dryRun(ctx context.Context) (render.ReplayReport, error) {
	done := c.Doing("reading the logs of " + c.of.Stale + " and " + c.of.Promoted)
	report, err := salvage.PlanReplay(ctx, c.env.Fleet.Reader(), c.topology, c.of, c.export)
	done()
	if err != nil || report.Digest == "" {
		return report, err
	}
	a, err := c.env.ReplayApproval(ctx, c.revision, c.topology, report.Digest)
	report.Approval = approvalOf(a)
	return report, err
}

func approvalOf(d wire.ReplayDecision) render.ReplayApproval {
	return render.ReplayApproval{Verdict: d.Verdict, Code: d.Code, Detail: d.Detail, By: d.By}
}

// refusedReplay is why a replay does not begin, with the exit code that says so.
type refusedReplay struct {
	exit ExitCode
	why  string
}

func (r refusedReplay) Error() string { return r.why }

// carryOut writes the rows. Nothing is written without an approval of exactly this replay.
func (c replayCommand) carryOut(ctx context.Context) (render.ReplayReport, error) {
	held, err := c.env.LockReplay(ctx, c.topology.Name)
	if err != nil {
		return render.ReplayReport{}, err
	}
	defer held.Release() //nolint:contextcheck // a lock is given back also after ctx has ended
	ctx, cancel := held.While(ctx)
	defer cancel()
	done := c.Doing("replaying what " + c.of.Stale + " holds into " + c.of.Promoted)
	approved := render.ReplayApproval{}
	run := salvage.ReplayRun{
		Fleet: c.env.Fleet, Topology: c.topology, Of: c.of, Export: c.export, Rate: c.rate,
		Begin: func(ctx context.Context, r render.ReplayReport) error {
			var err error
			approved, err = c.begin(ctx, held, r)
			return err
		},
		Wanted: c.wanted(),
	}
	report, err := run.Run(ctx)
	done()
	report.Approval = approved
	var refused refusedReplay
	switch {
	case errors.As(err, &refused):
		c.exit = refused.exit
		c.Tell(c.topology.Name, refused.why)
		return report, nil
	case err != nil:
		return report, err
	case !report.Done.Whole():
		c.exit = ExitUnverified
		return report, nil
	}
	return report, held.Finish(ctx, c.of.Stale, fmt.Sprintf("%d rows written by the last run; %d lost rows are there; %d are held back by newer writes",
		report.Done.Written, report.There(), report.HeldBack()))
}

// begin lets a replay begin: the stale cluster is fenced, Git still wants its successor as
// the primary, and exactly these writes are approved, or an earlier run began them.
func (c replayCommand) begin(ctx context.Context, held *wire.ReplayLock, r render.ReplayReport) (render.ReplayApproval, error) {
	switch {
	case r.Refused != "":
		return render.ReplayApproval{}, refusedReplay{ExitBlocked, r.Refused}
	case r.ToWrite() == 0:
		return render.ReplayApproval{Verdict: "not_required", Detail: "nothing is to be written"}, nil
	case !r.Fenced:
		return render.ReplayApproval{}, refusedReplay{ExitBlocked, fmt.Sprintf("%s still takes writes, so what is lost is not final (hint: 'reconcile fence %s/%s')", c.of.Stale, c.topology.Name, c.of.Stale)}
	}
	d, err := held.Begin(ctx, c.revision, c.topology, c.of.Stale, r.Digest)
	a := approvalOf(d)
	switch {
	case err != nil:
		return a, err
	case d.Blocked:
		return a, refusedReplay{ExitBlocked, a.Code + ": " + a.Detail}
	case a.Verdict == "denied":
		return a, refusedReplay{ExitNotApproved, a.Code + ": " + a.Detail}
	}
	return a, nil
}

// wantedEvery is how often Git is read again while rows are written.
const wantedEvery = 30 * time.Second

// wanted asks Git now and then whether the cluster that is written into is still to be the
// primary.
func (c replayCommand) wanted() func(context.Context) error {
	last := time.Now()
	return func(ctx context.Context) error {
		if time.Since(last) < wantedEvery {
			return nil
		}
		last = time.Now()
		return c.env.StillGoverns(ctx, c.revision, c.topology.Name)
	}
}
