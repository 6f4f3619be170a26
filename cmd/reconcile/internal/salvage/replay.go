package salvage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
)

// replay finds which lost rows can be written into the promoted cluster, and writes them.
// What it reads of both logs lies in a folder of its own, without the content of rows.
type replay struct {
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
func PlanReplay(ctx context.Context, reader *milvus.Reader, t plan.Topology, of ReplayOf, exportPath string) (report render.ReplayReport, err error) {
	r, err := openReplay(ctx, reader, t, of, exportPath)
	if err != nil {
		return report, err
	}
	f, err := r.find(ctx, t, r.export)
	return f.report, errors.Join(err, r.close(err == nil))
}

func openReplay(ctx context.Context, reader *milvus.Reader, t plan.Topology, of ReplayOf, exportPath string) (*replay, error) {
	logs, err := reader.OpenReplay(ctx, t, of.Promoted, of.Stale, of.Since)
	if err != nil {
		return nil, fmt.Errorf("compare the logs: %w", err)
	}
	r := &replay{logs: logs}
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
func (r *replay) close(whole bool) error {
	r.logs.Close()
	err := os.RemoveAll(r.dir) // of no folder, nothing
	if r.export != nil {
		err = errors.Join(err, r.export.end(whole))
	}
	return err
}

// The reasons for which a row that could be written is not.
const (
	whyAutoID       = "the server gives the keys of the collection, so the row would come back under another key"
	whyAutoIDUpsert = "it may be of an upsert whose row would come back under another key, as the server gives the keys of the collection"
	whyExpired      = "its time to live is over"
	whyPartition    = "the promoted cluster does not have its partition"
	whyDivided      = "its key lies in several partitions, or was deleted from all of them before"
	whyNewer        = "the promoted cluster has a newer write of the same key"
)

// found is what the logs say at one moment.
type found struct {
	report   render.ReplayReport
	channels []foundChannel
}

// foundChannel is one channel after its writes were judged.
type foundChannel struct {
	number  int
	spill   *spill
	place   *milvus.ReplayPlace // up to where the log of the promoted cluster was read
	why     string              // why nothing of the channel is written; empty: rows are
	touched map[int64]bool      // the collections of the lost rows
	taints  map[int64]string    // why nothing of a collection is written on this channel
}

// channelsAtOnce is how many channels are read at the same time: a reading waits for the
// next time tick, and a usual cluster has 16. Each has files of its own.
const channelsAtOnce = 16

func (r *replay) find(ctx context.Context, t plan.Topology, to *export) (found, error) {
	return r.findAnd(ctx, t, to, nil)
}

// findAnd also calls visit, if it is not nil, with each message, of several channels at the
// same time.
func (r *replay) findAnd(ctx context.Context, t plan.Topology, to *export, visit func(context.Context, milvus.LoggedMessage, []verdict) error) (found, error) {
	l := r.logs
	out := found{report: render.ReplayReport{
		Topology: t.Name, Generation: t.Generation, Stale: l.Stale, Promoted: l.Promoted, Until: l.Until, Fenced: l.Fenced, Refused: l.Refused,
	}, channels: make([]foundChannel, len(l.Channels))}
	s, sums := newReplayTally(), make([]string, len(l.Channels))
	err := r.eachChannel(ctx, func(ctx context.Context, i int) error {
		sum := sha256.New()
		err := r.findChannel(ctx, &out.channels[i], i, func(m milvus.LoggedMessage, verdicts []verdict) error {
			addToDigest(sum, m, verdicts)
			if visit != nil {
				if err := visit(ctx, m, verdicts); err != nil {
					return err
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.add(m, verdicts)
			if to == nil {
				return nil
			}
			return to.writeRest(m, verdicts)
		})
		sums[i] = hex.EncodeToString(sum.Sum(nil))
		return err
	})
	if err != nil {
		return out, err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "reconcile-replay/2\n%s\n%s\n%s\n", t.Name, l.Stale, l.Promoted)
	for i, ch := range out.channels {
		fmt.Fprintf(sum, "%s %s\n", l.Channels[i].Channel, sums[i])
		if ch.why != "" {
			out.report.Problems = append(out.report.Problems, render.ReplayProblem{Channel: r.channelName(i), Problem: ch.why})
		}
	}
	s.report(&out.report)
	if out.report.Replayable() > 0 {
		out.report.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	}
	if to != nil {
		out.report.Export, out.report.Exported = to.path, to.lines
	}
	return out, nil
}

func (r *replay) findChannel(ctx context.Context, ch *foundChannel, number int, visit func(milvus.LoggedMessage, []verdict) error) error {
	var err error
	if *ch, err = r.judge(ctx, number); err == nil {
		err = r.each(ctx, *ch, visit)
	}
	if err != nil {
		return fmt.Errorf("read channel %s: %w", r.channelName(number), err)
	}
	return nil
}

func (r *replay) channelName(number int) string {
	c := r.logs.Channels[number]
	return cmp.Or(c.Channel, c.Promoted)
}

// eachChannel calls do for every channel, some at a time, and ends all with the first error.
func (r *replay) eachChannel(ctx context.Context, do func(ctx context.Context, channel int) error) error {
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

// addToDigest adds the writes that a replay may make, and those that are there already, that
// a newer one holds back, or whose time to live is over: all of that can change while the
// lost rows stay the same, and only takes writes away.
func addToDigest(to hash.Hash, m milvus.LoggedMessage, verdicts []verdict) {
	for row, v := range verdicts {
		if m.Rows == nil || !v.replayable() {
			continue
		}
		w := m.Rows.Write(row)
		fmt.Fprintf(to, "%x %x %t %d %x\n", w.Key, w.Content, w.Delete, w.Partition, m.Rows.Collection.Shape)
	}
}

// verdict is what becomes of one row of a message, or of a message without rows.
type verdict struct {
	decision
	why string // why it is not written and never will be; empty: it may be
}

func (v verdict) replayable() bool {
	return v.decision == expired || v.why == "" && (v.decision == write || v.decision == there || v.decision == newer)
}

// judge reads a channel of both logs and decides about each lost write.
func (r *replay) judge(ctx context.Context, number int) (foundChannel, error) {
	ch := foundChannel{number: number, why: r.logs.Channels[number].Why, touched: map[int64]bool{}, taints: map[int64]string{}}
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
	if ch.why == "" && len(ch.touched) > 0 {
		ch.place, err = r.logs.Newer(ctx, number, nil, func(m milvus.LoggedMessage) error {
			ch.taint(m, "the log of the promoted cluster")
			if m.Rows == nil || !ch.touched[m.Rows.Collection.ID] {
				return nil
			}
			return ch.spill.addRows(m, true)
		})
		if err != nil && ctx.Err() == nil {
			ch.why, err = "what the promoted cluster took since its promotion could not be read: "+err.Error(), nil
		}
	}
	if err == nil {
		r.judging.Lock()
		err = ch.spill.judge()
		r.judging.Unlock()
	}
	return ch, errors.Join(err, ch.spill.close())
}

// taint notes that rows of a collection, or of the whole channel, are not what the inserts
// and deletes of the logs say.
func (ch *foundChannel) taint(m milvus.LoggedMessage, whose string) {
	switch {
	case !m.Taints:
	case m.CollectionID == 0 && ch.why == "":
		ch.why = whose + ": " + m.Why
	case ch.taints[m.CollectionID] == "":
		ch.taints[m.CollectionID] = whose + ": " + m.Why
	}
}

func (s *spill) addRows(m milvus.LoggedMessage, promoted bool) error {
	if m.Rows == nil {
		return nil
	}
	for row := range m.Rows.Count {
		if err := s.add(logged{LoggedWrite: m.Rows.Write(row), promoted: promoted}); err != nil {
			return err
		}
	}
	return nil
}

// each reads the lost messages of a channel again, with what becomes of each row. A message
// without rows has one verdict.
func (r *replay) each(ctx context.Context, ch foundChannel, visit func(milvus.LoggedMessage, []verdict) error) (err error) {
	d := ch.spill.decisions()
	defer func() { err = errors.Join(err, d.close()) }()
	return r.logs.Lost(ctx, ch.number, func(m milvus.LoggedMessage) error {
		if m.Rows == nil {
			return visit(m, slices.Repeat([]verdict{{why: cmp.Or(ch.why, m.Why)}}, int(max(1, m.RowCount))))
		}
		verdicts := make([]verdict, m.Rows.Count)
		for row := range verdicts {
			decided, err := d.next(m.Rows.Write(row))
			if err != nil {
				return err
			}
			verdicts[row] = ch.verdict(m, decided, r.logs.Now)
		}
		return visit(m, verdicts)
	})
}

// verdict says what becomes of a row at a time of the promoted cluster.
func (ch foundChannel) verdict(m milvus.LoggedMessage, d decision, now time.Time) verdict {
	v := verdict{d, ch.reason(m, d)}
	if v.why == "" && d == write && m.Rows.Expired(now) {
		return verdict{expired, whyExpired}
	}
	return v
}

// reason says why a row is never written; empty: it may be.
func (ch foundChannel) reason(m milvus.LoggedMessage, d decision) string {
	r := m.Rows
	switch {
	case ch.why != "":
		return ch.why
	case ch.taints[r.Collection.ID] != "":
		return ch.taints[r.Collection.ID]
	case r.Collection.AutoID && !r.Delete:
		return whyAutoID
	case r.Collection.AutoID && m.Transaction != "":
		return whyAutoIDUpsert
	case !r.Collection.Partition(r):
		return whyPartition
	case d == divided:
		return whyDivided
	default:
		return ""
	}
}
