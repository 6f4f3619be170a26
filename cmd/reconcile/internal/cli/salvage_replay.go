package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/salvage"
)

func runReplay(ctx context.Context, g *globals, o salvageOptions, topology string) (err error) {
	if !o.dryRun {
		return errors.New("--replay needs --dry-run")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, fmt.Errorf("--timeout %s is over (hint: give it longer)", g.timeout))
	defer cancel()
	e, err := g.options().Open(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	rev, err := e.Revision(ctx, "", "", []string{topology})
	if err != nil {
		return err
	}
	t, stale, err := rev.StaleCluster(topology, o.from)
	if err != nil {
		return err
	}
	primary, _ := t.Primary()
	g.Tell(topology, "comparing what "+stale+" holds with what "+primary.ID+" took since its promotion")
	since, _ := e.StaleSince(ctx, stale) // a zero time only means that more of the log is read
	done := g.Doing("reading the logs of " + stale + " and " + primary.ID)
	report, err := salvage.PlanReplay(ctx, e.Fleet.Reader(), t, salvage.ReplayOf{Promoted: primary.ID, Stale: stale, Since: since}, o.export)
	done()
	if err != nil {
		return fmt.Errorf("replay of %s: %w", stale, err)
	}
	return g.emit(func(w io.Writer, form string) error { return render.Replay(w, form, report, g.tableOptions()) })
}
