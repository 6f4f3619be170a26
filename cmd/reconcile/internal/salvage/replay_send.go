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

	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

// replayWriter writes into the promoted cluster; *milvus.ReplayWriter is one.
type replayWriter interface {
	Writable(ctx context.Context) error
	Send(ctx context.Context, b *logrows.Batch) error
	Retry(ctx context.Context, try int, err error) error
}

// batchRows is how many rows a batch brings at most: a request that a server takes well, and that
// is short to repeat. Each batch waits for a time tick, so a small one would make a replay slow.
const batchRows = 40_000

// keyRows is how many keys a request names at most that deletes or reads by key: a server parses
// them as an expression.
const keyRows = 10_000

// chunks divides rows of a message into what one request may bring.
func chunks(m milvus.LoggedMessage, rows []int, most int) iter.Seq[[]int] {
	if m.Rows == nil {
		return slices.Values[[][]int](nil)
	}
	return slices.Chunk(rows, m.Rows.AtOnce(most))
}

// openBatches is how many batches of a channel are filled at the same time.
const openBatches = 16

// openBytes bounds the memory of the rows in the batches of all channels, filled or waiting. It
// is what one batch of each of 16 channels holds.
const openBytes = 64 << 20

// holding counts the bytes of the rows in the batches of all channels.
type holding struct {
	most int64
	now  atomic.Int64
}

// add adds bytes, and says whether it is too much then: a batch must go, full or not.
func (h *holding) add(bytes int) (over bool) { return h.now.Add(int64(bytes)) > h.most }

// maxMoved bounds how many keys that others wrote meanwhile are remembered of a channel. If
// there are more, what is left is judged again.
const maxMoved = 1 << 18

var errJudgeAgain = errors.New("too much was written meanwhile")

// replaying writes the rows of all channels.
type replaying struct {
	*comparison
	ReplayRun
	writer            replayWriter
	pace              *pace
	written, heldBack atomic.Int64
	digest            string
	before, toWrite   int64 // rows that earlier rounds wrote, and that this one is to write

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
	if r.Progress != nil {
		r.Progress(r.digest, r.before+r.written.Load(), r.before+r.toWrite)
	}
	return nil
}

// channelRun writes the rows of one channel.
type channelRun struct {
	*replaying
	number  int
	place   *milvus.ReplayPlace
	touched map[int64]bool           // the collections that have lost rows there
	moved   map[replay.Mark]struct{} // keys that others wrote since the logs were compared
	sent    logrows.KeySet           // of the batch that was sent last
	open    []*logrows.Batch
}

func (r *replaying) channel(ctx context.Context, ch foundChannel) error {
	if ch.taints.Channel != "" || ch.place == nil {
		return nil
	}
	c := &channelRun{replaying: r, number: ch.number, place: ch.place, touched: ch.touched, moved: map[replay.Mark]struct{}{}}
	err := r.each(ctx, ch, func(m milvus.LoggedMessage, verdicts []replay.Verdict) error {
		var rows []int
		for i, v := range verdicts {
			if v.ToWrite() {
				rows = append(rows, i)
			}
		}
		for part := range chunks(m, rows, c.most(m.Rows)) {
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

// most is how many rows a batch of such rows brings at most.
func (c *channelRun) most(r *logrows.Rows) int {
	if r != nil && r.Delete {
		return min(c.batch, keyRows)
	}
	return c.batch
}

// add puts rows into a batch that they fit, and sends a batch that is full.
func (c *channelRun) add(ctx context.Context, m milvus.LoggedMessage, rows []int) error {
	most := c.most(m.Rows)
	i := slices.IndexFunc(c.open, func(b *logrows.Batch) bool { return b.Fits(m.Rows) && b.Rows+len(rows) <= most })
	if i < 0 {
		c.open = append(c.open, &logrows.Batch{})
		i = len(c.open) - 1
	}
	b, before := c.open[i], c.open[i].Held()
	b.Add(m.Rows, rows)
	over := c.holding.add(b.Held() - before)
	full := b.Rows >= most || b.Heavy()
	switch {
	case !full && !over && len(c.open) <= openBatches:
		return nil
	case !full && over:
		i = heaviest(c.open)
	case !full:
		i = 0
	}
	b = c.open[i]
	c.open = slices.Delete(c.open, i, i+1)
	return c.flush(ctx, b)
}

// heaviest returns the place of the batch that frees the most memory.
func heaviest(open []*logrows.Batch) (at int) {
	for i, b := range open {
		if b.Held() > open[at].Held() {
			at = i
		}
	}
	return at
}

// flush sends a batch until it is taken. Before each try it reads what the promoted cluster
// took up to then: a try without an answer may have been taken, and others may have written
// the same keys since.
func (c *channelRun) flush(ctx context.Context, b *logrows.Batch) error {
	defer c.holding.add(-b.Held())
	if err := c.pace.wait(ctx, b.Rows); err != nil {
		return err
	}
	var tried *logrows.Batch // nil: nothing of it can be there
	for try := 1; ; try++ {
		if err := c.mayWrite(ctx); err != nil {
			return err
		}
		keys, rows := b.Keys(), b.Rows
		b.Prepare() // so that nothing is left to do between the reading and the try
		if err := c.follow(ctx, tried); err != nil {
			return err
		}
		if len(c.moved) > 0 {
			c.heldBack.Add(int64(b.Without(func(w replay.Write) bool { _, moved := c.moved[w.Key]; return moved })))
		}
		if b.Rows != rows {
			keys = b.Keys()
		}
		c.sent = keys
		err := c.writer.Send(ctx, b)
		if err == nil {
			c.written.Add(int64(b.Rows))
			return nil
		}
		if err := c.writer.Retry(ctx, try, err); err != nil {
			return fmt.Errorf("write %d rows: %w", b.Rows, err)
		}
		tried = b
	}
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
