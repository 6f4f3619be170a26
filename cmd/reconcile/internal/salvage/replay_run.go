package salvage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
)

// ReplayRun carries a replay out.
type ReplayRun struct {
	Fleet    *milvus.Fleet
	Topology plan.Topology
	Of       ReplayOf
	Export   string
	Rate     int // rows a second; 0: as fast as they are taken
	// Begin is called once, before the first write, with what would be written. Its
	// error ends the run.
	Begin func(ctx context.Context, r render.ReplayReport) error
	// Wanted is asked again and again while rows are written. Its error ends the run.
	Wanted func(ctx context.Context) error

	batch int // rows of a request; 0: batchRows
}

// batchRows is the size of a batch: a request that a server takes well, and that is short to
// repeat. Each waits for a time tick, so a small one would make a replay slow.
const batchRows = 10_000

// chunks divides rows of a message into what one request may bring.
func chunks(m milvus.LoggedMessage, rows []int, most int) iter.Seq[[]int] {
	if m.Rows == nil {
		return slices.Values[[][]int](nil)
	}
	return slices.Chunk(rows, m.Rows.AtOnce(most))
}

// openBatches is how many batches of a channel are filled at the same time.
const openBatches = 16

// maxMoved bounds how many keys that others wrote meanwhile are remembered of a channel. If
// there are more, what is left is judged again.
const maxMoved = 1 << 18

var errJudgeAgain = errors.New("too much was written meanwhile")

// Run reads both logs, writes what is to be written, and reads it back. What one run leaves
// open, the next one finds: the log of the promoted cluster says what is there.
func (x ReplayRun) Run(ctx context.Context) (report render.ReplayReport, err error) {
	if x.batch == 0 {
		x.batch = batchRows
	}
	r, err := openReplay(ctx, x.Fleet.Reader(), x.Topology, x.Of, x.Export)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, r.close(err == nil)) }()
	w, err := x.Fleet.OpenReplayWriter(x.Topology, x.Of.Promoted)
	if err != nil {
		return report, err
	}
	defer w.Close()
	done, left, planned := &render.ReplayDone{}, int64(0), int64(0)
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
		planned = max(planned, report.Replayable())
		switch n := report.ToWrite(); {
		case report.Replayable() < planned:
			done.Problem = fmt.Sprintf("%d rows can no longer be compared (hint: a dry run says why)", planned-report.Replayable())
			return report, nil
		case n == 0:
			return x.finish(ctx, r, report)
		case begun && n >= left:
			done.Problem = fmt.Sprintf("%d rows were written, and the log of the promoted cluster does not show them", done.Written)
			return report, nil
		default:
			left = n
		}
		run := &replaying{replay: r, ReplayRun: x, writer: w, pace: newPace(x.Rate)}
		err = r.eachChannel(ctx, func(ctx context.Context, i int) error { return run.channel(ctx, f.channels[i]) })
		done.Written, done.HeldBack = done.Written+run.written.Load(), done.HeldBack+run.heldBack.Load()
		if err != nil && !errors.Is(err, errJudgeAgain) {
			done.Problem = err.Error()
			return report, nil
		}
	}
}

// finish exports what is not written, and reads back what is.
func (x ReplayRun) finish(ctx context.Context, r *replay, report render.ReplayReport) (render.ReplayReport, error) {
	done := report.Done
	back := &readingBack{done: done, replay: r, silent: map[int64]bool{}}
	f, err := r.findAnd(ctx, x.Topology, r.export, back.add)
	if err == nil {
		err = back.flush(ctx)
	}
	if err != nil {
		done.Problem = "what was written could not be read back: " + err.Error()
		return report, nil
	}
	report = f.report
	report.Done = done
	slices.Sort(done.NotRead)
	return report, nil
}

// replaying writes the rows of all channels.
type replaying struct {
	*replay
	ReplayRun
	writer            *milvus.ReplayWriter
	pace              *pace
	written, heldBack atomic.Int64

	mu      sync.Mutex
	checked time.Time // when the cluster was last seen to take writes, and the replay to be wanted
}

// mayWrite checks before a batch that the cluster takes writes and that the replay is still
// wanted. An answer counts for a second.
func (r *replaying) mayWrite(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.checked.IsZero() && time.Since(r.checked) < time.Second {
		return nil
	}
	at := time.Now()
	if err := r.writer.Writable(ctx); err != nil {
		return err
	}
	if err := r.Wanted(ctx); err != nil {
		return err
	}
	r.checked = at
	return nil
}

// channelRun writes the rows of one channel.
type channelRun struct {
	*replaying
	number int
	place  *milvus.ReplayPlace
	moved  map[milvus.Mark]struct{} // keys that others wrote since the logs were compared
	sent   map[milvus.Mark]struct{} // of the batch that was sent last
	open   []*milvus.ReplayBatch
}

func (r *replaying) channel(ctx context.Context, ch foundChannel) error {
	if ch.why != "" || ch.place == nil {
		return nil
	}
	c := &channelRun{replaying: r, number: ch.number, place: ch.place, moved: map[milvus.Mark]struct{}{}}
	err := r.each(ctx, ch, func(m milvus.LoggedMessage, verdicts []verdict) error {
		var rows []int
		for i, v := range verdicts {
			if v.why == "" && v.decision == write {
				rows = append(rows, i)
			}
		}
		for part := range chunks(m, rows, c.batch) {
			if err := c.add(ctx, m, part); err != nil {
				return err
			}
		}
		return nil
	})
	for _, b := range c.open {
		if err == nil {
			err = c.flush(ctx, b)
		}
	}
	return err
}

// add puts rows into a batch that they fit, and sends a batch that is full.
func (c *channelRun) add(ctx context.Context, m milvus.LoggedMessage, rows []int) error {
	i := slices.IndexFunc(c.open, func(b *milvus.ReplayBatch) bool { return b.Fits(m.Rows) && b.Rows+len(rows) <= c.batch })
	if i < 0 {
		c.open = append(c.open, &milvus.ReplayBatch{})
		i = len(c.open) - 1
	}
	b := c.open[i]
	b.Add(m.Rows, rows)
	full := b.Rows >= c.batch || b.Heavy()
	switch {
	case !full && len(c.open) <= openBatches:
		return nil
	case !full:
		i, b = 0, c.open[0]
	}
	c.open = slices.Delete(c.open, i, i+1)
	return c.flush(ctx, b)
}

// flush sends a batch without the rows whose keys others wrote meanwhile.
func (c *channelRun) flush(ctx context.Context, b *milvus.ReplayBatch) error {
	if err := c.pace.wait(ctx, b.Rows); err != nil {
		return err
	}
	if err := c.mayWrite(ctx); err != nil {
		return err
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	gone := b.Without(func(w milvus.LoggedWrite) bool {
		_, moved := c.moved[w.Key]
		return moved
	})
	c.heldBack.Add(int64(gone))
	c.sent = make(map[milvus.Mark]struct{}, b.Rows)
	b.Each(func(w milvus.LoggedWrite) { c.sent[w.Key] = struct{}{} })
	if err := c.writer.Send(ctx, b); err != nil {
		return fmt.Errorf("write %d rows: %w", b.Rows, err)
	}
	c.written.Add(int64(b.Rows))
	return nil
}

// follow reads what the promoted cluster took on the channel since it was last read. Each
// key is written once by a replay, so what was not sent just before is of others.
func (c *channelRun) follow(ctx context.Context) error {
	next, err := c.logs.Newer(ctx, c.number, c.place, func(m milvus.LoggedMessage) error {
		switch {
		case m.Taints, m.Kind == "alter_collection":
			return fmt.Errorf("a %s came to the promoted cluster meanwhile (hint: the same command judges what is left)", m.Kind)
		case m.Rows == nil:
			return nil
		}
		for row := range m.Rows.Count {
			key := m.Rows.Write(row).Key
			if _, ours := c.sent[key]; !ours {
				c.moved[key] = struct{}{}
			}
		}
		if len(c.moved) > maxMoved {
			return errJudgeAgain
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.place = next
	return nil
}

// pace spreads rows over time.
type pace struct {
	mu   sync.Mutex
	rate int
	next time.Time
}

func newPace(rate int) *pace { return &pace{rate: rate} }

func (p *pace) wait(ctx context.Context, rows int) error {
	if p.rate <= 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	at := p.next
	p.next = p.next.Add(time.Duration(rows) * time.Second / time.Duration(p.rate))
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(at)):
		return nil
	}
}

// readingBack asks the promoted cluster for the rows that its log shows.
type readingBack struct {
	*replay
	done   *render.ReplayDone
	mu     sync.Mutex
	open   []*milvus.ReplayBatch
	silent map[int64]bool // collections that no query can read
}

func (b *readingBack) add(ctx context.Context, m milvus.LoggedMessage, verdicts []verdict) error {
	var rows []int
	for i, v := range verdicts {
		if v.why == "" && v.decision == there {
			rows = append(rows, i)
		}
	}
	for part := range chunks(m, rows, batchRows) {
		if err := b.put(ctx, m, part); err != nil {
			return err
		}
	}
	return nil
}

// put adds rows to a batch that they fit. The caller holds no lock; batches of several
// channels are one list.
func (b *readingBack) put(ctx context.Context, m milvus.LoggedMessage, rows []int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.open, func(x *milvus.ReplayBatch) bool { return x.Fits(m.Rows) && x.Rows+len(rows) <= batchRows })
	if i < 0 {
		b.open = append(b.open, &milvus.ReplayBatch{})
		i = len(b.open) - 1
	}
	x := b.open[i]
	x.Add(m.Rows, rows)
	switch {
	case x.Rows >= batchRows, x.Heavy():
	case len(b.open) > openBatches:
		i, x = 0, b.open[0]
	default:
		return nil
	}
	b.open = slices.Delete(b.open, i, i+1)
	return b.read(ctx, x)
}

func (b *readingBack) flush(ctx context.Context) error {
	for _, x := range b.open {
		if err := b.read(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

func (b *readingBack) read(ctx context.Context, x *milvus.ReplayBatch) error {
	c := x.Collection()
	if b.silent[c.ID] {
		return nil
	}
	got, err := b.logs.ReadBack(ctx, x)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		b.silent[c.ID] = true
		b.done.NotRead = append(b.done.NotRead, fmt.Sprintf("%s/%s: %v", c.Database, c.Name, err))
		return nil
	}
	b.done.Right += int64(got.Right)
	b.done.Missing += int64(got.Missing)
	b.done.Doubled += int64(got.Doubled)
	b.done.Remaining += int64(got.Remaining)
	return nil
}
