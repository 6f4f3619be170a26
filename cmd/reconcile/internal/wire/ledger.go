package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
)

// ledgerRecord is the reconcile.Ledger of a pass.
type ledgerRecord struct {
	options Options
	ledger  *ledger.Ledger
	isNew   bool      // this run created it
	last    *lastRead // of this ledger
	hide    func(string) string
}

// lastRead caches the decoded ledger while its records stay the same. A daemon makes a
// pass every few milliseconds, and writes once a second.
type lastRead struct {
	mu         sync.Mutex
	snapshot   ledger.Snapshot // of version 0: none
	remembered reconcile.Remembered
	published  map[string]published // of documents that were decoded, by topology
}

// published is a document of a topology, and what it says.
type published struct {
	served ledger.Served
	says   reconcile.Published
}

// Read returns what the ledger holds. Callers must not change the result.
func (l ledgerRecord) Read(ctx context.Context) (reconcile.Remembered, error) {
	s, err := l.options.recall(ctx, l.ledger)
	if err != nil {
		return reconcile.Remembered{}, err
	}
	l.last.mu.Lock()
	defer l.last.mu.Unlock()
	switch known := l.last.snapshot; {
	case s.Version() == 0 || known.Version() == 0 || !s.SameRecords(known):
		if l.last.remembered, err = l.last.decode(s); err != nil {
			l.last.snapshot = ledger.Snapshot{}
			return reconcile.Remembered{}, err
		}
	case s.Version() != known.Version():
		l.last.remembered.Memory = s.Memory() // with other progress
	}
	l.last.snapshot = s
	out := l.last.remembered
	out.New, out.HolderOf, out.RunnerOf = l.isNew, holderIn(l.ledger), runnerIn(l.ledger)
	return out, nil
}

// holderIn returns who else holds the lock of a topology, as a ledger says. Not knowing it is
// no reason to stop: the lock itself decides who may act.
func holderIn(l *ledger.Ledger) reconcile.HolderOf {
	return func(ctx context.Context, topology string) (plan.LockHolder, bool) {
		h, held, err := l.HeldByAnother(ctx, topology)
		return plan.LockHolder{Topology: topology, By: h.Name(), Since: h.Since}, err == nil && held
	}
}

// runnerIn returns who else carries out a replay of a topology.
func runnerIn(l *ledger.Ledger) reconcile.RunnerOf {
	return func(ctx context.Context, topology string) (by plan.LockHolder, held, asked bool) {
		h, held, err := l.ReplayHeldByAnother(ctx, topology)
		return plan.LockHolder{Topology: topology, By: h.Name(), Since: h.Since}, err == nil && held, err == nil
	}
}

// MemoryOf returns the memory of a snapshot of the ledger, with the other holders of
// locks.
func (e *Environment) MemoryOf(ctx context.Context, s ledger.Snapshot) plan.Memory {
	m := s.Memory()
	if e.opened != nil {
		m.Holders = reconcile.LockHolders(ctx, m, holderIn(e.opened))
		m.Replays = reconcile.Running(ctx, m.Replays, runnerIn(e.opened))
	}
	return m
}

// RecordLossBounds keeps in the ledger what was proven of standbys, and when a primary was first seen down.
// Without a ledger it keeps nothing.
func (e *Environment) RecordLossBounds(ctx context.Context, p plan.Plan, m plan.Memory) {
	if e.opened != nil {
		reconcile.RecordLossBounds(ctx, e.opened, p, m)
	}
}

// recordDriftsWithin bounds what a drift spends on keeping what it found.
const recordDriftsWithin = time.Second

// RecordDrifts keeps in the ledger what a drift found. Without a ledger it keeps nothing. If
// the ledger is slow or cannot be written, nobody is told: drift works without it.
func (e *Environment) RecordDrifts(ctx context.Context, marks []plan.DriftMark) {
	if e.opened == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, recordDriftsWithin)
	defer cancel()
	_ = e.opened.RecordDrifts(bounded, marks) // see above
}

func (l *lastRead) decode(s ledger.Snapshot) (reconcile.Remembered, error) {
	out := reconcile.Remembered{Memory: s.Memory(), Sorted: true, Newest: s.Newest()}
	out.Born, _ = s.Born()
	out.Accepted, _ = s.Accepted()
	for _, m := range s.Spent("") {
		out.Spent = append(out.Spent, approval.SpentMark{Topology: m.Topology, Generation: m.Generation, PayloadHash: m.PayloadHash})
	}
	for _, p := range s.Lapsed("") {
		out.Lapsed = append(out.Lapsed, p.Payloads...)
	}
	var err error
	out.Published, err = l.decodePublished(s)
	return out, err
}

func (l ledgerRecord) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	lock, err := l.ledger.Lock(ctx, topology, wait)
	var held *ledger.HeldError
	if errors.As(err, &held) {
		return nil, lockHeld{held}
	}
	if err != nil {
		return nil, err
	}
	return ledgerRight{lock, l.hide}, nil
}

func (l ledgerRecord) SpendOnMatch(ctx context.Context, mark plan.GenerationMark, commit string) error {
	return l.ledger.SpendOnMatch(ctx, mark, commit)
}

func (l ledgerRecord) RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error {
	return l.ledger.RecordOutages(ctx, seen, over)
}

func (l ledgerRecord) RecordProven(ctx context.Context, proven []plan.ProgressRecord) error {
	return l.ledger.RecordProven(ctx, proven)
}

// lockHeld is reconcile.ErrLockHeld in the words of the ledger, which name the holder.
type lockHeld struct{ *ledger.HeldError }

// Is says that the error means a held lock.
func (lockHeld) Is(target error) bool { return target == reconcile.ErrLockHeld }

// ledgerRight is a held lock.
type ledgerRight struct {
	*ledger.Lock
	hide func(string) string // takes the operator's tokens out of a text
}

// withoutSecrets returns the reasons of approvers without any token of the operator.
func (r ledgerRight) withoutSecrets(reasons []string) []string {
	out := make([]string, len(reasons))
	for i, reason := range reasons {
		out[i] = r.hide(reason)
	}
	return out
}

func (r ledgerRight) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.Lock.Begin(ctx, ledger.Beginning{
		Intent: b.Intent, Document: b.Document, Payloads: b.Payloads, By: b.By,
		ProposedBy: b.ProposedBy, Reasons: r.withoutSecrets(b.Reasons),
		Stale: b.Stale, Provisions: b.Used,
	})
}

// decodePublished decodes the topology documents that were last published to clients.
func (l *lastRead) decodePublished(s ledger.Snapshot) (map[string]reconcile.Published, error) {
	if l.published == nil {
		l.published = map[string]published{}
	}
	out := make(map[string]reconcile.Published, len(l.published))
	for topology, served := range s.Served() {
		if served.Document == "" {
			continue
		}
		p := l.published[topology]
		if p.served != served {
			p = published{served: served}
			if err := json.Unmarshal([]byte(served.Document), &p.says); err != nil {
				return nil, fmt.Errorf("read the ledger: the served document of %s: %w", topology, err)
			}
			p.says.Version = served.Version
			l.published[topology] = p
		}
		out[topology] = p.says
	}
	return out, nil
}

// WithoutLedger adds a hint to an error of the ledger: what a person can do without it.
func WithoutLedger(err error) error {
	return fmt.Errorf("%w (hint: 'reconcile history' shows what can be read; if it is lost with its region and nobody can wait, promote by hand, and 'reconcile adopt TOPOLOGY' afterwards; 'reconcile doctor' tells how)", err)
}

// KnownMemory returns what the ledger remembers, if this machine has the configuration
// and the ledger. Otherwise it returns an empty memory.
func (o Options) KnownMemory(ctx context.Context, top string) (plan.Memory, error) {
	named := o.ConfigFile != "" || os.Getenv("RECONCILE_CONFIG") != ""
	if _, err := os.Stat(o.ConfigPath()); errors.Is(err, fs.ErrNotExist) && !named {
		return plan.Memory{}, nil
	}
	config, err := o.ReadConfig()
	if err != nil {
		return plan.Memory{}, err
	}
	e := Environment{options: o, Config: config, Git: gitsource.Config{URL: top}}
	if err := e.checkFileTrust(); err != nil {
		return plan.Memory{}, err
	}
	if config.Ledger.IsZero() {
		return plan.Memory{}, nil
	}
	l, err := e.Ledger()
	if err != nil {
		return plan.Memory{}, err
	}
	s, err := o.recall(ctx, l)
	if err != nil {
		return plan.Memory{}, fmt.Errorf("read the ledger: %w", err)
	}
	return s.Memory(), nil
}

// StaleSince returns when the ledger's failover made a cluster stale. The error says why
// that is not known.
func (e *Environment) StaleSince(ctx context.Context, cluster string) (time.Time, error) {
	if e.Config.Ledger.IsZero() {
		return time.Time{}, errors.New("no ledger is configured")
	}
	l, err := e.Ledger()
	if err != nil {
		return time.Time{}, err
	}
	s, err := e.Recall(ctx, l)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the ledger: %w", err)
	}
	if since, ok := s.Memory().StaleSince(cluster); ok {
		return since, nil
	}
	return time.Time{}, fmt.Errorf("the ledger holds no failover that made %s stale", cluster)
}

// RecordLoss keeps the exact count of a loss in the ledger.
func (e *Environment) RecordLoss(ctx context.Context, c plan.CountedLoss) error {
	l, err := e.Ledger()
	if err != nil {
		return err
	}
	if err := l.RecordLoss(ctx, c); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// RecordsOf returns what the ledger holds of each topology, the oldest first; none if it cannot
// be read.
func (e *Environment) RecordsOf(ctx context.Context) map[string][]ledger.Record {
	l, err := e.Ledger()
	if err != nil {
		return nil
	}
	snapshot, err := l.Read(ctx)
	if err != nil {
		return nil
	}
	out := map[string][]ledger.Record{}
	for _, r := range snapshot.History("") {
		out[r.Topology] = append(out[r.Topology], r)
	}
	return out
}
