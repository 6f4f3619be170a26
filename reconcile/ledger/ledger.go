package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Options of a ledger. The zero value uses the machine's clock and names.
type Options struct {
	Clock    func() time.Time // time.Now if nil
	BusyWait time.Duration    // for another process's transaction; 5 s if 0
	Process  string           // who we are, for others who find a lock held; the program's name if empty
	Host     string           // the machine's name if empty
}

// Ledger is one ledger, whatever keeps it. Its methods may be called from any
// goroutine; every one of them is a transaction of its own.
type Ledger struct {
	store  backend
	clock  func() time.Time
	holder Holder
}

// image is all that a backend holds, as bytes.
type image struct {
	chain    []sealed
	progress [][]byte // sorted by cluster
}

// change is what one transaction adds.
type change struct {
	append   []sealed
	progress map[string][]byte // by cluster, replacing
}

// backend keeps the bytes and the locks; the meaning of both is Ledger's.
type backend interface {
	kind() plan.LedgerKind
	// name says where the ledger is, for errors.
	name() string
	// load reads everything at one moment. A ledger that does not exist is empty.
	load(ctx context.Context) (image, error)
	// commit writes what fn returns, all or nothing and durably, provided that
	// g (if not nil) still holds its lock in that same transaction. fn may run
	// more than once.
	commit(ctx context.Context, g guard, fn func(image) (change, error)) error
	lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error)
}

// guard is a held lock.
type guard interface {
	lost() <-chan struct{}
	release() error
}

func newLedger(store backend, o Options) *Ledger {
	l := &Ledger{store: store, clock: o.Clock, holder: Holder{Process: o.Process, PID: os.Getpid(), Host: o.Host}}
	if l.clock == nil {
		l.clock = time.Now
	}
	if l.holder.Process == "" {
		l.holder.Process = filepath.Base(os.Args[0])
	}
	if l.holder.Host == "" {
		l.holder.Host, _ = os.Hostname() // an unnamed host still has a process id
	}
	return l
}

// Ensure makes the ledger if it does not exist and returns when it was born,
// and whether that is now (contract section 4, LEDGER_NEW).
func (l *Ledger) Ensure(ctx context.Context) (born time.Time, isNew bool, err error) {
	before, err := l.Read(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	if at, ok := before.Born(); ok {
		return at, false, nil
	}
	if err := l.write(ctx, nil, bornRule); err != nil {
		return time.Time{}, false, err
	}
	after, err := l.Read(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	at, _ := after.Born()
	return at, true, nil
}

// SpendOnMatch spends the approval of a generation because the live state was
// seen to match its document. It does nothing when it is spent, and is an
// OpenIntentError while an intent has no result.
func (l *Ledger) SpendOnMatch(ctx context.Context, g plan.GenerationMark, commit string) error {
	return l.write(ctx, nil, matchRule(g, commit))
}

// RecordGeneration remembers the greatest generation of a topology, and the
// document first seen with it.
func (l *Ledger) RecordGeneration(ctx context.Context, g plan.GenerationMark) error {
	return l.write(ctx, nil, generationRule(g))
}

// RecordHome remembers which topology a cluster id belongs to.
func (l *Ledger) RecordHome(ctx context.Context, h plan.Home) error {
	return l.write(ctx, nil, homeRule(h))
}

// RecordProgress replaces the progress of those standbys. It is not chained:
// only the newest matters, and there is one with every sweep.
func (l *Ledger) RecordProgress(ctx context.Context, records ...plan.ProgressRecord) error {
	encoded := make(map[string][]byte, len(records))
	for _, p := range records {
		raw, err := encodeProgress(p)
		if err != nil {
			return err
		}
		encoded[p.Cluster] = raw
	}
	return l.store.commit(ctx, nil, func(im image) (change, error) {
		c, err := l.next(im, bornRule)
		c.progress = encoded
		return c, err
	})
}

// write runs a rule against the ledger in one transaction.
func (l *Ledger) write(ctx context.Context, g guard, r rule) error {
	return l.store.commit(ctx, g, func(im image) (change, error) { return l.next(im, r) })
}

// next verifies what stands, asks the rule, and chains its record. The birth
// goes before the first record of all.
func (l *Ledger) next(im image, r rule) (change, error) {
	entries, s, err := l.replay(im)
	if err != nil {
		return change{}, err
	}
	e, err := r(s)
	if err != nil {
		return change{}, err
	}
	var todo []entry
	if len(entries) == 0 {
		todo = append(todo, entry{Kind: KindBorn})
	}
	if e != nil {
		todo = append(todo, *e)
	}
	return l.chain(im, todo)
}

func (l *Ledger) chain(im image, todo []entry) (change, error) {
	var last sealed
	if n := len(im.chain); n > 0 {
		last = im.chain[n-1]
	}
	var c change
	now := wall(l.clock())
	for _, e := range todo {
		e.At = now
		next, err := seal(last, e)
		if err != nil {
			return change{}, err
		}
		c.append, last = append(c.append, next), next
	}
	return c, nil
}

// replay verifies and adds up the records, naming the ledger in what it finds.
func (l *Ledger) replay(im image) ([]entry, *state, error) {
	entries, err := verify(im.chain)
	if err != nil {
		return entries, nil, l.named(err)
	}
	s, err := fold(entries)
	return entries, s, l.named(err)
}

func (l *Ledger) named(err error) error {
	var damaged *CorruptError
	if errors.As(err, &damaged) {
		damaged.Path = l.store.name()
	}
	return err
}

// Lock takes the right to act on one topology, waiting for it no longer than
// wait; a HeldError says who has it. Release it.
func (l *Ledger) Lock(ctx context.Context, topology string, wait time.Duration) (*Lock, error) {
	h := l.holder
	h.Since = wall(l.clock())
	g, err := l.store.lock(ctx, topology, h, wait)
	if err != nil {
		return nil, fmt.Errorf("lock topology %s: %w", topology, err)
	}
	return &Lock{ledger: l, guard: g, topology: topology}, nil
}

func decodeAllProgress(raw [][]byte) ([]plan.ProgressRecord, error) {
	var out []plan.ProgressRecord
	for _, r := range raw {
		p, err := decodeProgress(r)
		if err != nil {
			return nil, &CorruptError{Reason: "a record of replication progress: " + err.Error()}
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b plan.ProgressRecord) int {
		switch {
		case a.Cluster < b.Cluster:
			return -1
		case a.Cluster > b.Cluster:
			return 1
		}
		return 0
	})
	return out, nil
}
