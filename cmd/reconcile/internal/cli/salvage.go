package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/salvage"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/replay"
)

type salvageOptions struct {
	from   string
	export string
	replay bool
	dryRun bool
	rate   int
}

func newSalvage(g *globals) *cobra.Command {
	var o salvageOptions
	cmd := &cobra.Command{
		Use:   "salvage TOPOLOGY",
		Short: "Count, export or replay the writes that only a stale old primary holds",
		Long: `salvage finds the writes that only a stale old primary holds. It reads the log of that
cluster, starting at the last message that was replicated before another cluster was
promoted. It counts the later messages by collection, partition and kind, and says when
the first and the last were written, and the first keys. --export writes all rows, one
row in each line. Without --replay it changes no cluster. It also works on a fenced one. If the count is exact, the ledger keeps it: history and the pages
of the topology then show the count instead of the estimate.

It counts messages of the log: a row that was written and deleted counts twice.

--replay writes the lost rows into the promoted cluster. For each key, the newest lost
write counts; it is written as an upsert or a delete by key. If the promoted cluster's
own log has a newer write of the same key since its promotion, salvage names that row
and never overwrites it. It also names everything that a replay cannot write: rows whose
keys the server gives, rows of dropped or changed collections, changes of the schema.
With --replay, --export writes only these rows, each with its reason.

First see with --dry-run what would be written. It prints a digest of all these writes;
'reconcile approve TOPOLOGY/CLUSTER --replay DIGEST' approves exactly these writes. The
stale cluster must be fenced. After a crash, type the same command again: it writes
nothing twice, and needs no further approval. At the end it reads all rows back.`,
		Example: `  reconcile salvage orders
  reconcile salvage orders --export lost.jsonl
  reconcile salvage orders --replay --dry-run
  reconcile salvage orders --replay --rate 5000`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.dryRun && !o.replay {
				return errors.New("--dry-run belongs to --replay (hint: salvage alone writes nothing)")
			}
			if o.replay {
				return runReplay(cmd.Context(), g, o, args[0])
			}
			return runSalvage(cmd.Context(), g, o, args[0])
		},
	}
	cmd.Flags().StringVar(&o.from, "from", "", "the stale cluster to read; needed when the topology has several")
	cmd.Flags().StringVar(&o.export, "export", "", "write every row to this new file, as JSON lines")
	cmd.Flags().BoolVar(&o.replay, "replay", false, "write the rows into the promoted cluster")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "with --replay: write nothing")
	cmd.Flags().IntVar(&o.rate, "rate", 0, "with --replay: write at most this many rows per second (0: no limit)")
	return cmd
}

func runSalvage(ctx context.Context, g *globals, o salvageOptions, topology string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, fmt.Errorf("--timeout %s is over (hint: what was read until then is whole; give it longer)", g.timeout))
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
	reading, err := salvage.New(o.export)
	if err != nil {
		return err
	}
	g.Tell(topology, "reading what "+stale+" holds and "+primary.ID+" never got")
	done := g.Doing("reading the log of " + stale)
	since, unknown := e.StaleSince(ctx, stale)
	report, loss, err := reading.Read(ctx, e.Fleet.Reader(), t, primary.ID, stale, since)
	done()
	if err = errors.Join(err, reading.Close(err == nil)); err != nil {
		return fmt.Errorf("salvage %s: %w", stale, err)
	}
	if loss != nil {
		loss.Exported = o.export != ""
		report.NotKept = keptInLedger(ctx, e, *loss, unknown)
	}
	if !report.Whole() {
		g.exit = ExitError
	}
	return g.emit(func(w io.Writer, form string) error { return render.Salvage(w, form, report, g.tableOptions()) })
}

// keptInLedger records the exact count of a loss; it returns why it could not, "" if it
// did. unknown is why the ledger does not tell when the cluster became stale.
func keptInLedger(ctx context.Context, e *wire.Environment, loss plan.CountedLoss, unknown error) string {
	err := unknown
	if err == nil {
		err = e.RecordLoss(ctx, loss)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

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
	defer wire.SpareMemory()()
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
	var report replay.Report
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

func (c replayCommand) dryRun(ctx context.Context) (replay.Report, error) {
	done := c.Doing("reading the logs of " + c.of.Stale + " and " + c.of.Promoted)
	report, err := salvage.PlanReplay(ctx, c.env.Fleet.Reader(), c.topology, c.of, c.export)
	done()
	if err != nil || report.Digest == "" {
		return report, err
	}
	d, err := c.env.ReplayApproval(ctx, c.revision, c.topology, report.Digest)
	if err == nil {
		report.Decision = &d
	}
	return report, err
}

// refusedReplay is why a replay does not begin, with the exit code that says so.
type refusedReplay struct {
	exit ExitCode
	why  string
}

func (r refusedReplay) Error() string { return r.why }

// carryOut writes the rows. Nothing is written without an approval of exactly this replay.
func (c replayCommand) carryOut(ctx context.Context) (replay.Report, error) {
	held, err := c.env.LockReplay(ctx, c.topology.Name)
	if err != nil {
		return replay.Report{}, err
	}
	defer held.Release() //nolint:contextcheck // a lock is given back also after ctx has ended
	ctx, cancel := held.While(ctx)
	defer cancel()
	done := c.Doing("replaying what " + c.of.Stale + " holds into " + c.of.Promoted)
	var decision *replay.Decision // nil until it was asked whether it may begin
	run := salvage.ReplayRun{
		Fleet: c.env.Fleet, Topology: c.topology, Of: c.of, Export: c.export, Rate: c.rate,
		Begin: func(ctx context.Context, r replay.Report) error {
			d, err := c.begin(ctx, held, r)
			decision = d
			return err
		},
		Wanted: c.wanted(), Progress: noteEvery(func(digest string, written, of int64) { held.Note(ctx, digest, written, of) }),
	}
	report, err := run.Run(ctx)
	done()
	report.Decision = decision
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
	return report, held.Finish(ctx, report)
}

// begin lets a replay begin: the stale cluster is fenced, Git still wants its successor as
// the primary, and exactly these writes are approved, or an earlier run began them.
func (c replayCommand) begin(ctx context.Context, held *wire.ReplayLock, r replay.Report) (*replay.Decision, error) {
	if why := r.Obstacle(); why != "" {
		return nil, refusedReplay{ExitBlocked, why}
	}
	if r.ToWrite() == 0 {
		d := replay.NothingToWrite()
		return &d, nil
	}
	d, err := held.Begin(ctx, c.revision, c.topology, c.of.Stale, r.Digest)
	switch {
	case err != nil:
		return nil, err
	case d.Blocked != "":
		return &d, refusedReplay{ExitBlocked, d.Reason() + ": " + d.Detail}
	case !d.Allowed():
		return &d, refusedReplay{ExitNotApproved, d.Reason() + ": " + d.Detail}
	}
	return &d, nil
}

// notedEvery is how often the ledger is told how far a replay is.
const notedEvery = 5 * time.Second

// noteEvery calls note for the first progress, and then now and then.
func noteEvery(note func(digest string, written, of int64)) func(digest string, written, of int64) {
	var last time.Time
	return func(digest string, written, of int64) {
		if now := time.Now(); now.Sub(last) >= notedEvery {
			last = now
			note(digest, written, of)
		}
	}
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
