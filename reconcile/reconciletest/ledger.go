package reconciletest

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

// Ledger is a ledger in memory, with what happened to it in order.
type Ledger struct {
	Mu      sync.Mutex
	Events  []string
	Memory  plan.Memory
	Spent   []approval.SpentMark
	there   plan.RehearsalWay
	before  *Ledger // as it was before the open intent, for a reversal
	Newest  time.Time
	New     bool // it was made by this run
	Lapsed  []string
	Born    time.Time
	Held    bool
	Refuse  map[string]error // by the name of the call
	OnLock  func(lost func())
	Results []string
}

func (b *Ledger) note(event string) error {
	b.Events = append(b.Events, event)
	return b.Refuse[event]
}

// Read returns what the ledger holds.
func (b *Ledger) Read(context.Context) (reconcile.Remembered, error) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	m := b.Memory
	m.Intents, m.Stale = slices.Clone(m.Intents), slices.Clone(m.Stale)
	return reconcile.Remembered{Memory: m, Spent: slices.Clone(b.Spent), Newest: b.Newest, New: b.New, Lapsed: b.Lapsed, Born: b.Born}, b.Refuse["read"]
}

// Lock takes the only lock, or fails with [reconcile.ErrLockHeld].
func (b *Ledger) Lock(context.Context, string, time.Duration) (reconcile.HeldLock, error) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	if b.Held {
		return nil, reconcile.ErrLockHeld
	}
	b.Held = true
	r := &right{ledger: b, gone: make(chan struct{})}
	if b.OnLock != nil {
		b.OnLock(sync.OnceFunc(func() { close(r.gone) }))
	}
	return r, nil
}

// SpendOnMatch spends the approval of a generation.
func (b *Ledger) SpendOnMatch(_ context.Context, g plan.GenerationMark, _ string) error {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	b.Spent = append(b.Spent, approval.SpentMark{Topology: g.Topology, Generation: g.Generation})
	return b.note("match")
}

// RecordOutages joins outages with those that the memory holds, as the ledger does.
func (b *Ledger) RecordOutages(_ context.Context, seen []plan.Outage, over []string) error {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	b.Memory = b.Memory.WithOutages(seen, over)
	return b.Refuse["outages"]
}

// RecordProven joins what was proven of standbys with what the memory holds, as the ledger
// does.
func (b *Ledger) RecordProven(_ context.Context, proven []plan.ProgressRecord) error {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	kept := slices.Clone(b.Memory.Progress)
	for _, p := range proven {
		i := slices.IndexFunc(kept, func(k plan.ProgressRecord) bool { return k.Cluster == p.Cluster })
		if i < 0 {
			kept = append(kept, p)
			continue
		}
		kept[i] = kept[i].Then(p)
	}
	b.Memory.Progress = kept
	return b.Refuse["progress"]
}

// right is a held lock of the ledger.
type right struct {
	ledger *Ledger
	gone   chan struct{}
}

func (r *right) intent() *plan.Intent {
	if len(r.ledger.Memory.Intents) == 0 {
		return nil
	}
	return &r.ledger.Memory.Intents[0]
}

// write does one call of the ledger; it fails with the context, as the real
// one does.
func (r *right) write(ctx context.Context, event string, do func(*plan.Intent)) error {
	r.ledger.Mu.Lock()
	defer r.ledger.Mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.ledger.note(event); err != nil {
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
		r.ledger.before = &Ledger{Memory: r.ledger.Memory, Spent: slices.Clone(r.ledger.Spent)}
		r.ledger.Memory.Intents = []plan.Intent{b.Intent}
		r.ledger.Memory.Stale = append(slices.Clone(r.ledger.Memory.Stale), b.Stale...)
		for _, p := range b.Payloads {
			r.ledger.Spent = append(r.ledger.Spent, approval.SpentMark{Topology: b.Intent.Topology, Generation: b.Intent.Generation, PayloadHash: p})
		}
	})
}

func (r *right) Sent(ctx context.Context) error {
	return r.write(ctx, "sent", func(i *plan.Intent) { i.MayHaveSent = true })
}

func (r *right) Advance(ctx context.Context, a plan.Advance, _ string) error {
	return r.write(ctx, "advance "+string(a.Phase)+" "+string(a.Event), func(i *plan.Intent) { i.Advances = append(slices.Clone(i.Advances), a) })
}

func (r *right) Effected(ctx context.Context) error {
	return r.write(ctx, "effected", func(i *plan.Intent) {
		i.Effected = true
		for _, s := range i.Steps {
			if s.Action == plan.ActionWipe { // its rebuild is proven
				r.ledger.Memory.Provisions = append(slices.Clone(r.ledger.Memory.Provisions), plan.UsedProvision{Cluster: s.Cluster, At: i.At, Proven: true})
			}
		}
	})
}

func (r *right) Reverse(ctx context.Context, _ string) error {
	return r.write(ctx, "reverse", func(*plan.Intent) {
		if r.ledger.before != nil {
			r.ledger.Memory, r.ledger.Spent = r.ledger.before.Memory, r.ledger.before.Spent
		}
		r.ledger.Memory.Intents = nil
	})
}

func (r *right) Finish(ctx context.Context, result, _ string) error {
	return r.write(ctx, "finish", func(*plan.Intent) {
		r.ledger.Memory.Intents = nil
		r.ledger.Results = append(r.ledger.Results, result)
	})
}

func (r *right) Turn(ctx context.Context, there plan.RehearsalWay) error {
	return r.write(ctx, "turn", func(i *plan.Intent) {
		i.Steps, i.Return, i.Turned, i.MayHaveSent, i.Effected = i.Return, nil, true, false, false
		r.ledger.there = there
	})
}

func (r *right) FinishRehearsal(ctx context.Context, back plan.RehearsalWay, written, lost *int64, _ string) error {
	return r.write(ctx, "finish", func(i *plan.Intent) {
		r.ledger.Memory.Rehearsals = append(slices.Clone(r.ledger.Memory.Rehearsals), plan.RehearsalRecord{
			Topology: i.Topology, Generation: i.Generation, Began: i.At, Result: reconcile.OutcomeApplied.String(),
			There: r.ledger.there, Back: back, Written: written, Lost: lost,
		})
		r.ledger.Memory.Intents = nil
		r.ledger.Results = append(r.ledger.Results, reconcile.OutcomeApplied.String())
	})
}

func (r *right) Lost() <-chan struct{} { return r.gone }

func (r *right) Until() time.Time { return time.Time{} }

func (r *right) Release() error {
	r.ledger.Mu.Lock()
	defer r.ledger.Mu.Unlock()
	r.ledger.Held = false
	return nil
}

// Open says whether an intent is open.
func (b *Ledger) Open() bool { return len(b.Memory.Intents) > 0 }
