package salvage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/replay"
)

// comparison compares both logs: it finds which lost rows can be written into the promoted
// cluster. What it reads lies in a folder of its own, without the content of rows.
type comparison struct {
	logs   *milvus.Replay
	dir    string
	export *export // nil without an export

	judging sync.Mutex // one channel at a time is in memory
}

// ReplayOf says between which clusters a replay is. Since is about when the promotion was;
// zero: not known.
type ReplayOf struct {
	Promoted, Stale string
	Since           time.Time
}

// PlanReplay reads both logs and says what a replay would write. It changes nothing. It
// exports what is not written to a new file at the path; an empty path means no export.
func PlanReplay(ctx context.Context, reader *milvus.Reader, t plan.Topology, of ReplayOf, exportPath string) (report replay.Report, err error) {
	r, err := openComparison(ctx, reader, t, of, exportPath)
	if err != nil {
		return report, err
	}
	f, err := r.find(ctx, t, r.export)
	return f.report, errors.Join(err, r.close(err == nil))
}

func openComparison(ctx context.Context, reader *milvus.Reader, t plan.Topology, of ReplayOf, exportPath string) (*comparison, error) {
	logs, err := reader.OpenReplay(ctx, t, of.Promoted, of.Stale, of.Since)
	if err != nil {
		return nil, fmt.Errorf("compare the logs: %w", err)
	}
	r := &comparison{logs: logs}
	if r.dir, err = os.MkdirTemp("", "reconcile-replay-"); err != nil {
		err = fmt.Errorf("make a folder for what is read (hint: TMPDIR names another place): %w", err)
	} else if exportPath != "" {
		r.export, err = newExport(exportPath)
	}
	if err != nil {
		return nil, errors.Join(err, r.close(false))
	}
	return r, nil
}

// close removes the folder, and closes the export. Only a whole one gets its name.
func (r *comparison) close(whole bool) error {
	r.logs.Close()
	err := os.RemoveAll(r.dir) // of no folder, nothing
	if r.export != nil {
		err = errors.Join(err, r.export.end(whole))
	}
	return err
}

// found is what the logs say at one moment.
type found struct {
	report   replay.Report
	channels []foundChannel
}

// foundChannel is one channel after its writes were judged.
type foundChannel struct {
	number  int
	spill   *spill
	place   *milvus.ReplayPlace // up to where the log of the promoted cluster was read
	touched map[int64]bool      // the collections of the lost rows
	taints  replay.Taints       // what is not written
}

// channelsAtOnce is how many channels are read at the same time: a reading waits for the
// next time tick, and a usual cluster has 16. Each has files of its own.
const channelsAtOnce = 16

func (r *comparison) find(ctx context.Context, t plan.Topology, to *export) (found, error) {
	return r.findAnd(ctx, t, to, nil)
}

// findAnd also calls visit, if it is not nil, with each message, of several channels at the
// same time.
func (r *comparison) findAnd(ctx context.Context, t plan.Topology, to *export, visit func(context.Context, milvus.LoggedMessage, []replay.Verdict) error) (found, error) {
	out := found{report: r.report(t, nil), channels: make([]foundChannel, len(r.logs.Channels))}
	var counting sync.Mutex
	tally, sums := replay.NewTally(), make([]replay.ChannelSum, len(r.logs.Channels))
	err := r.eachChannel(ctx, func(ctx context.Context, i int) error {
		digest := replay.NewChannelDigest()
		err := r.findChannel(ctx, &out.channels[i], i, func(m milvus.LoggedMessage, verdicts []replay.Verdict) error {
			addToDigest(digest, m, verdicts)
			if visit != nil {
				if err := visit(ctx, m, verdicts); err != nil {
					return err
				}
			}
			counting.Lock()
			defer counting.Unlock()
			tally.Add(messageOf(m), verdicts)
			if to == nil {
				return nil
			}
			return to.writeRest(m, verdicts)
		})
		sums[i] = replay.ChannelSum{Channel: r.logs.Channels[i].Channel, Sum: digest.String()}
		return err
	})
	if err == nil {
		out.report = tally.Report(r.report(t, out.channels), sums)
		if to != nil {
			out.report.Export, out.report.Exported = to.path, to.lines
		}
	}
	return out, err
}

// report says what was compared, and which channels nothing is written on.
func (r *comparison) report(t plan.Topology, channels []foundChannel) replay.Report {
	l := r.logs
	out := replay.Report{
		Topology: t.Name, Generation: t.Generation, Stale: l.Stale, Promoted: l.Promoted, Until: l.Until, Fenced: l.Fenced, Refused: l.Refused,
	}
	for i, ch := range channels {
		if why := ch.taints.Channel; why != "" {
			out.Problems = append(out.Problems, replay.Problem{Channel: r.channelName(i), Problem: why})
		}
	}
	return out
}

func addToDigest(to replay.ChannelDigest, m milvus.LoggedMessage, verdicts []replay.Verdict) {
	if m.Rows == nil {
		return
	}
	for row, v := range verdicts {
		if v.Replayable() {
			to.Add(m.Rows.Write(row), v, m.Rows.Collection.Shape)
		}
	}
}

func messageOf(m milvus.LoggedMessage) replay.Message {
	out := replay.Message{Database: m.Database, Collection: m.Collection, CollectionID: m.CollectionID, Kind: m.Kind, At: plan.TickTime(m.TimeTick)}
	if m.Rows != nil {
		out.Delete, out.Key = m.Rows.Delete, m.Rows.Key
	}
	return out
}

func (r *comparison) findChannel(ctx context.Context, ch *foundChannel, number int, visit func(milvus.LoggedMessage, []replay.Verdict) error) error {
	var err error
	if *ch, err = r.judge(ctx, number); err == nil {
		err = r.each(ctx, *ch, visit)
	}
	if err != nil {
		return fmt.Errorf("read channel %s: %w", r.channelName(number), err)
	}
	return nil
}

func (r *comparison) channelName(number int) string {
	c := r.logs.Channels[number]
	return cmp.Or(c.Channel, c.Promoted)
}

// eachChannel calls do for every channel, some at a time, and ends all with the first error.
func (r *comparison) eachChannel(ctx context.Context, do func(ctx context.Context, channel int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	free := make(chan struct{}, channelsAtOnce)
	for i := range r.logs.Channels {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// judge reads a channel of both logs and decides about each lost write.
func (r *comparison) judge(ctx context.Context, number int) (foundChannel, error) {
	ch := foundChannel{number: number, touched: map[int64]bool{}, taints: replay.Taints{Channel: r.logs.Channels[number].Why}}
	ch.spill = newSpill(r.dir, number)
	err := r.logs.Lost(ctx, number, func(m milvus.LoggedMessage) error {
		ch.taint(m, "the log of the stale cluster")
		if m.Rows != nil {
			ch.touched[m.Rows.Collection.ID] = true
		}
		return ch.spill.addRows(m, false)
	})
	if err != nil {
		return ch, errors.Join(err, ch.spill.close())
	}
	if ch.taints.Channel == "" && len(ch.touched) > 0 {
		ch.place, err = r.logs.Newer(ctx, number, nil, func(m milvus.LoggedMessage) error {
			ch.taint(m, "the log of the promoted cluster")
			if m.Rows == nil || !ch.touched[m.Rows.Collection.ID] {
				return nil
			}
			return ch.spill.addRows(m, true)
		})
		if err != nil && ctx.Err() == nil {
			ch.taints.Add(0, "what the promoted cluster took since its promotion could not be read: "+err.Error())
			err = nil
		}
	}
	if err == nil {
		r.judging.Lock()
		err = ch.spill.judge()
		r.judging.Unlock()
	}
	return ch, errors.Join(err, ch.spill.close())
}

func (ch *foundChannel) taint(m milvus.LoggedMessage, whose string) {
	if m.Taints {
		ch.taints.Add(m.CollectionID, whose+": "+m.Why)
	}
}

func (s *spill) addRows(m milvus.LoggedMessage, promoted bool) error {
	if m.Rows == nil {
		return nil
	}
	for row := range m.Rows.Count {
		if err := s.add(logged{Write: m.Rows.Write(row), promoted: promoted}); err != nil {
			return err
		}
	}
	return nil
}

// each reads the lost messages of a channel again, with what becomes of each row. A message
// without rows has one verdict.
func (r *comparison) each(ctx context.Context, ch foundChannel, visit func(milvus.LoggedMessage, []replay.Verdict) error) (err error) {
	d := ch.spill.decisions()
	defer func() { err = errors.Join(err, d.close()) }()
	return r.logs.Lost(ctx, ch.number, func(m milvus.LoggedMessage) error {
		if m.Rows == nil {
			return visit(m, slices.Repeat([]replay.Verdict{{Why: cmp.Or(ch.taints.Channel, m.Why)}}, int(max(1, m.RowCount))))
		}
		rows, verdicts := rowsOf(m, r.logs.Now), make([]replay.Verdict, m.Rows.Count)
		for row := range verdicts {
			fate, err := d.next(m.Rows.Write(row))
			if err != nil {
				return err
			}
			verdicts[row] = ch.taints.Verdict(rows, fate)
		}
		return visit(m, verdicts)
	})
}

// rowsOf is what the rules must know of the rows of a message, at a time of the promoted
// cluster.
func rowsOf(m milvus.LoggedMessage, now time.Time) replay.Rows {
	c := m.Rows.Collection
	return replay.Rows{
		Collection: c.ID, AutoID: c.AutoID, Delete: m.Rows.Delete, InTransaction: m.Transaction != "",
		NoPartition: !c.Partition(m.Rows), Expired: m.Rows.Expired(now),
	}
}
