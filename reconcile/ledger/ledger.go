package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	store    backend
	clock    func() time.Time
	holder   Holder
	verified verified
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

// Close gives up the connections of a ledger in etcd. Release its locks before:
// they end with their leases otherwise.
func (l *Ledger) Close() error { return l.store.close() }

// Ensure makes the ledger if it does not exist and returns when it was born,
// and whether that is now (contract.md §4, LEDGER_NEW).
func (l *Ledger) Ensure(ctx context.Context) (born time.Time, isNew bool, err error) {
	before, err := l.Read(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	at, exists := before.Born()
	switch {
	case before.noted.unproven(before.chain):
		if err := l.acceptUnproven(ctx); err != nil {
			return time.Time{}, false, err
		}
		return at, false, nil
	case exists && before.noted.complete(lastRecord(before.chain, nil)):
		return at, false, nil
	}
	if err := l.write(ctx, nil, bornRule); err != nil || exists {
		return at, false, err
	}
	after, err := l.Read(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	at, _ = after.Born()
	return at, true, nil
}

// ensureExists is Ensure for what must not be there before the ledger is: in files, what shows
// that there was one.
func (l *Ledger) ensureExists(ctx context.Context) error {
	if l.store.kind() != plan.LedgerEmbedded {
		return nil
	}
	_, _, err := l.Ensure(ctx)
	return err
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

// RecordHome remembers which topologies cluster ids belong to, in one
// transaction.
func (l *Ledger) RecordHome(ctx context.Context, homes ...plan.Home) error {
	rules := make([]rule, len(homes))
	for i, h := range homes {
		rules[i] = homeRule(h)
	}
	return l.write(ctx, nil, rules...)
}

// RecordLapse remembers that an approval lapsed, since the old primary was
// seen up after it was complete (contract.md §4). Payloads that lapsed
// before are not recorded again.
func (l *Ledger) RecordLapse(ctx context.Context, p Lapse) error {
	return l.write(ctx, nil, lapseRule(p))
}

// RecordServed remembers the version of the SDK document that a topology is
// served under, and what it says, which the ledger does not read. A lower
// version than before is ErrTransition: it never goes back, whichever process
// serves it (contract.md §9). The same version is not recorded again.
func (l *Ledger) RecordServed(ctx context.Context, topology string, s Served) error {
	return l.write(ctx, nil, servedRule(topology, s))
}

// topologyName is what may name a lock: a DNS-1123 label (contract.md §2),
// hence no path.
var topologyName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Lock takes the right to act on one topology, waiting for it no longer than
// wait; a HeldError says who has it. Release it.
func (l *Ledger) Lock(ctx context.Context, topology string, wait time.Duration) (*Lock, error) {
	if !topologyName.MatchString(topology) {
		return nil, fmt.Errorf("%q is not a topology name", topology)
	}
	if err := l.ensureExists(ctx); err != nil {
		return nil, err
	}
	g, err := l.store.lock(ctx, topology, l.completeHolder(Holder{}), wait)
	if err != nil {
		return nil, fmt.Errorf("lock topology %s: %w", topology, err)
	}
	return &Lock{ledger: l, guard: g, topology: topology}, nil
}
