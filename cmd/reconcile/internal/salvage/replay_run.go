package salvage

import (
	"context"
	"errors"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/replay"
)

// ReplayRun carries out a replay.
type ReplayRun struct {
	Fleet    *milvus.Fleet
	Topology plan.Topology
	Of       ReplayOf
	Export   string
	Rate     int // rows a second; 0: as fast as they are taken
	// Begin is called once, before the first write, with what would be written. Its
	// error ends the run.
	Begin func(ctx context.Context, r replay.Report) error
	// Wanted is asked again and again while rows are written. Its error ends the run.
	Wanted func(ctx context.Context) error
	// Progress is told now and then how many rows of so many are written, by one caller at a
	// time; nil: nobody is.
	Progress func(digest string, written, of int64)

	batch   int                             // rows of a request; 0: batchRows
	holding *holding                        // of the rows in batches; nil: at most openBytes
	wrap    func(replayWriter) replayWriter // for tests; nil: none
}

// Run reads both logs, writes the rows that are missing, and reads them back. If a run does
// not finish, the next one finds the missing rows again: the log of the promoted cluster
// shows which rows are there.
func (x ReplayRun) Run(ctx context.Context) (report replay.Report, err error) {
	if x.batch == 0 {
		x.batch = batchRows
	}
	if x.holding == nil {
		x.holding = &holding{most: openBytes}
	}
	if x.Rate > 0 {
		x.batch = min(x.batch, x.Rate) // no more at once than a second may bring
	}
	r, err := openComparison(ctx, x.Fleet.Reader(), x.Topology, x.Of, x.Export)
	if err != nil {
		return report, err
	}
	defer func() {
		whole := err == nil && report.Done.Whole()
		if !whole { // the same command writes it when it goes on
			report.Export, report.Exported = "", 0
		}
		err = errors.Join(err, r.close(whole))
	}()
	w, err := x.Fleet.OpenReplayWriter(x.Topology, x.Of.Promoted)
	if err != nil {
		return report, err
	}
	defer w.Close()
	var to replayWriter = w
	if x.wrap != nil {
		to = x.wrap(w)
	}
	return x.rounds(ctx, r, to)
}

// rounds compares the logs and writes what is to be written, until there is nothing more.
func (x ReplayRun) rounds(ctx context.Context, r *comparison, to replayWriter) (report replay.Report, err error) {
	var rounds replay.Rounds
	done := &replay.Done{}
	for begun := false; ; begun = true {
		f, err := r.find(ctx, x.Topology, nil)
		if begun && err != nil {
			report.Done.Problem = err.Error()
			return report, nil
		}
		if report = f.report; err != nil {
			return report, err
		}
		if !begun {
			if err := x.Begin(ctx, report); err != nil {
				return report, err
			}
		}
		report.Done = done
		more, problem := rounds.Next(report, done.Written)
		switch {
		case problem != "":
			done.Problem = problem
			return report, nil
		case !more:
			return x.finish(ctx, r, report)
		}
		x.holding.now.Store(0) // of a round that ended early
		run := &replaying{
			comparison: r, ReplayRun: x, writer: to, pace: newPace(x.Rate), digest: report.Digest, before: done.Written, toWrite: report.ToWrite(),
		}
		err = r.eachChannel(ctx, func(ctx context.Context, i int) error { return run.channel(ctx, f.channels[i]) })
		done.Written, done.HeldBack = done.Written+run.written.Load(), done.HeldBack+run.heldBack.Load()
		if err != nil && !errors.Is(err, errJudgeAgain) {
			done.Problem = err.Error()
			return report, nil
		}
	}
}

// finish exports what is not written, and reads back what is.
func (x ReplayRun) finish(ctx context.Context, r *comparison, report replay.Report) (replay.Report, error) {
	done := report.Done
	back := &readingBack{done: done, comparison: r, silent: map[int64]bool{}}
	f, err := r.findAnd(ctx, x.Topology, r.export, back.add)
	if err == nil {
		err = back.flush(ctx)
	}
	if err != nil {
		done.Problem = "what was written could not be read back: " + err.Error()
		return report, nil
	}
	if f.report.Digest != report.Digest {
		done.Problem = replay.OtherWrites
	}
	report = f.report
	report.Done = done
	slices.Sort(done.NotRead)
	return report, nil
}
