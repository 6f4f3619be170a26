package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// book is a ledger in memory, with what happened to it in order.
type book struct {
	mu      sync.Mutex
	events  []string
	memory  plan.Memory
	spent   []approval.SpentMark
	before  *book // as it was before the open intent, for a reversal
	newest  time.Time
	young   bool // it was made by this run
	lapsed  []string
	born    time.Time
	held    bool
	refuse  map[string]error // by the name of the call
	onLock  func(lost func())
	results []string
}

func (b *book) note(event string) error {
	b.events = append(b.events, event)
	return b.refuse[event]
}

func (b *book) Read(context.Context) (reconcile.Remembered, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.memory
	m.Intents, m.Stale = slices.Clone(m.Intents), slices.Clone(m.Stale)
	return reconcile.Remembered{Memory: m, Spent: slices.Clone(b.spent), Newest: b.newest, New: b.young, Lapsed: b.lapsed, Born: b.born}, b.refuse["read"]
}

func (b *book) Lock(context.Context, string, time.Duration) (reconcile.Right, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		return nil, reconcile.ErrLockHeld
	}
	b.held = true
	r := &right{book: b, gone: make(chan struct{})}
	if b.onLock != nil {
		b.onLock(sync.OnceFunc(func() { close(r.gone) }))
	}
	return r, nil
}

func (b *book) SpendOnMatch(_ context.Context, g plan.GenerationMark, _ string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = append(b.spent, approval.SpentMark{Topology: g.Topology, Generation: g.Generation})
	return b.note("match")
}

// right is a held lock of the book.
type right struct {
	book *book
	gone chan struct{}
}

func (r *right) intent() *plan.Intent {
	if len(r.book.memory.Intents) == 0 {
		return nil
	}
	return &r.book.memory.Intents[0]
}

// write does one call of the ledger; it fails with the context, as the real
// one does.
func (r *right) write(ctx context.Context, event string, do func(*plan.Intent)) error {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.book.note(event); err != nil {
		return err
	}
	i := r.intent()
	if (i == nil) != (event == "begin") {
		return errors.New(event + " with the wrong intents open")
	}
	do(i)
	return nil
}

func (r *right) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.write(ctx, "begin", func(*plan.Intent) {
		r.book.before = &book{memory: r.book.memory, spent: slices.Clone(r.book.spent)}
		r.book.memory.Intents = []plan.Intent{b.Intent}
		r.book.memory.Stale = append(slices.Clone(r.book.memory.Stale), b.Stale...)
		for _, p := range b.Payloads {
			r.book.spent = append(r.book.spent, approval.SpentMark{Topology: b.Intent.Topology, Generation: b.Intent.Generation, PayloadHash: p})
		}
	})
}

func (r *right) Sent(ctx context.Context) error {
	return r.write(ctx, "sent", func(i *plan.Intent) { i.MayHaveSent = true })
}

func (r *right) Effected(ctx context.Context) error {
	return r.write(ctx, "effected", func(i *plan.Intent) { i.Effected = true })
}

func (r *right) Reverse(ctx context.Context, _ string) error {
	return r.write(ctx, "reverse", func(*plan.Intent) {
		if r.book.before != nil {
			r.book.memory, r.book.spent = r.book.before.memory, r.book.before.spent
		}
		r.book.memory.Intents = nil
	})
}

func (r *right) Finish(ctx context.Context, result, _ string) error {
	return r.write(ctx, "finish", func(*plan.Intent) {
		r.book.memory.Intents = nil
		r.book.results = append(r.book.results, result)
	})
}

func (r *right) Lost() <-chan struct{} { return r.gone }

func (r *right) Until() time.Time { return time.Time{} }

func (r *right) Release() error {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	r.book.held = false
	return nil
}

func (b *book) open() bool { return len(b.memory.Intents) > 0 }
