package salvage

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

// readingBack asks the promoted cluster for the rows that its log shows.
type readingBack struct {
	*comparison
	done   *replay.Done
	mu     sync.Mutex
	open   []*logrows.Batch
	silent map[int64]bool // collections that no query can read
}

func (b *readingBack) add(ctx context.Context, m milvus.LoggedMessage, verdicts []replay.Verdict) error {
	var rows []int
	for i, v := range verdicts {
		if v.There() {
			rows = append(rows, i)
		}
	}
	for part := range chunks(m, rows, keyRows) {
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
	i := slices.IndexFunc(b.open, func(x *logrows.Batch) bool { return x.Fits(m.Rows) && x.Rows+len(rows) <= keyRows })
	if i < 0 {
		b.open = append(b.open, &logrows.Batch{})
		i = len(b.open) - 1
	}
	x := b.open[i]
	x.Add(m.Rows, rows)
	switch {
	case x.Rows >= keyRows, x.Heavy():
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

func (b *readingBack) read(ctx context.Context, x *logrows.Batch) error {
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
