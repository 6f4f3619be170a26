package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
)

// Options of a ledger. The zero value uses the machine's clock and names.
type Options struct {
	Clock    func() time.Time // time.Now if nil
	BusyWait time.Duration    // for another process's transaction; 5 s if 0
	Process  string           // name of this process, shown to others that find a lock held; the program's name if empty
	Host     string           // the machine's name if empty
	Shard    string           // of the topologies that this process acts on by itself; empty: all
}

// Ledger is a ledger on any backend. Goroutines may share it. Each method is one
// transaction.
type Ledger struct {
	store    backend
	clock    func() time.Time
	holder   Holder
	verified verified
	together together
	held     atomic.Int64 // locks of topologies that this process holds
}

func newLedger(store backend, o Options) *Ledger {
	l := &Ledger{store: store, clock: o.Clock, holder: Holder{Process: o.Process, PID: os.Getpid(), Host: o.Host, Shard: o.Shard}}
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

// Close closes the connections of a ledger in etcd. The caller releases its locks
// first; a lock that is not released ends with its lease.
func (l *Ledger) Close() error { return l.store.close() }

// Kind says where the ledger is kept.
func (l *Ledger) Kind() plan.LedgerKind { return l.store.kind() }

// Ensure creates the ledger if it does not exist. It returns the time of its birth, and
// whether this call created it (contract.md §4, LEDGER_NEW).
func (l *Ledger) Ensure(ctx context.Context) (born time.Time, isNew bool, err error) {
	before, err := l.readBirth(ctx)
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
	return at, true, l.takeAsideOver(ctx)
}

// ensureExists creates a ledger before its locks, where they count as traces of a ledger:
// lock files, and Leases of Kubernetes. A lock in etcd ends without a trace.
func (l *Ledger) ensureExists(ctx context.Context) error {
	if l.store.kind() == plan.LedgerEtcd {
		return nil
	}
	_, _, err := l.Ensure(ctx)
	return err
}

// SpendOnMatch spends the approval of a generation whose document the live state
// matches. It does nothing if the approval is spent. While an intent has no result, it
// returns an OpenIntentError. What several callers spend at once is one transaction.
func (l *Ledger) SpendOnMatch(ctx context.Context, g plan.GenerationMark, commit string) error {
	return l.writeTogether(ctx, g.Topology, matchRule(g, commit))
}

// RecordGeneration records the greatest generation of topologies, and the hash of the first
// document with each, in one transaction for each batch. No topology may occur twice.
func (l *Ledger) RecordGeneration(ctx context.Context, marks ...plan.GenerationMark) error {
	rules := make([]rule, len(marks))
	for i, g := range marks {
		rules[i] = generationRule(g)
	}
	return l.writeBatches(ctx, rules)
}

// RecordHome records the topology of each cluster id, in one transaction for each batch.
func (l *Ledger) RecordHome(ctx context.Context, homes ...plan.Home) error {
	rules := make([]rule, len(homes))
	for i, h := range homes {
		rules[i] = homeRule(h)
	}
	return l.writeBatches(ctx, rules)
}

// RecordLapse records that approvals lapsed: the old primary was up after they were
// complete (contract.md §4). Payloads that lapsed before are not recorded again.
func (l *Ledger) RecordLapse(ctx context.Context, p Lapse) error {
	return l.write(ctx, nil, lapseRule(p))
}

// RecordServed records version and text of the SDK document that is served for a
// topology. The ledger does not parse the text. A lower version than the recorded one
// is ErrTransition: no process serves an earlier version (contract.md §9). The same
// version is not recorded again.
func (l *Ledger) RecordServed(ctx context.Context, topology string, s Served) error {
	return l.write(ctx, nil, servedRule(topology, s))
}

// RecordFirstServed records what is served of topologies, in one transaction for each batch.
// It leaves alone those that have a record.
func (l *Ledger) RecordFirstServed(ctx context.Context, first map[string]Served) error {
	var rules []rule
	for _, topology := range sortedKeys(first) {
		rules = append(rules, func(s *state) (*entry, error) {
			if s.served[topology].Version > 0 {
				return nil, nil //nolint:nilnil // a later version is recorded by RecordServed
			}
			return servedRule(topology, first[topology])(s)
		})
	}
	return l.writeBatches(ctx, rules)
}

// writeBatches writes the records of rules that do not depend on each other.
func (l *Ledger) writeBatches(ctx context.Context, rules []rule) error {
	for batch := range slices.Chunk(rules, l.store.batch()) {
		if err := l.write(ctx, nil, batch...); err != nil {
			return err
		}
	}
	return nil
}

// topologyName matches the names that a lock may have: DNS-1123 labels
// (contract.md §2), hence no paths.
var topologyName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`) })

// Lock takes the right to act on one topology. It waits for wait at most, and then
// returns a HeldError that names the holder. The caller releases the lock.
func (l *Ledger) Lock(ctx context.Context, topology string, wait time.Duration) (*Lock, error) {
	if !topologyName().MatchString(topology) {
		return nil, fmt.Errorf("%q is not a topology name", topology)
	}
	if err := l.ensureExists(ctx); err != nil {
		return nil, err
	}
	g, err := l.store.lock(ctx, topology, l.completeHolder(Holder{}), wait)
	if err != nil {
		return nil, fmt.Errorf("lock topology %s: %w", topology, err)
	}
	return l.heldLock(g, topology), nil
}

// HeldByAnother returns who holds the lock of a topology, unless that is this process;
// false: nobody else does. It takes no lock.
func (l *Ledger) HeldByAnother(ctx context.Context, topology string) (Holder, bool, error) {
	return l.heldByAnother(ctx, topology, topology)
}

// heldByAnother returns who holds a lock that belongs to a topology.
func (l *Ledger) heldByAnother(ctx context.Context, topology, lock string) (Holder, bool, error) {
	if !topologyName().MatchString(topology) {
		return Holder{}, false, fmt.Errorf("%q is not a topology name", topology)
	}
	h, held, err := l.store.holder(ctx, lock)
	if err != nil {
		return Holder{}, false, fmt.Errorf("ask who holds the lock of %s: %w", topology, err)
	}
	own := h.PID == l.holder.PID && h.Host == l.holder.Host && h.Process == l.holder.Process
	return h, held && !own, nil
}
