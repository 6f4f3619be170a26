package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/ledger"
)

// ledgerRecord lets a pass use a ledger.
type ledgerRecord struct {
	ledger *ledger.Ledger
	isNew  bool // it was made by this run
}

func (l ledgerRecord) Read(ctx context.Context) (reconcile.Remembered, error) {
	s, err := l.ledger.Read(ctx)
	if err != nil {
		return reconcile.Remembered{}, err
	}
	out := reconcile.Remembered{Memory: s.Memory(), Newest: s.Newest(), New: l.isNew}
	out.Born, _ = s.Born()
	if out.Published, err = publishedIn(s); err != nil {
		return reconcile.Remembered{}, err
	}
	topologies := map[string]bool{}
	for _, r := range s.History("") {
		topologies[r.Topology] = true
	}
	for name := range topologies {
		for _, m := range s.Spent(name) {
			out.Spent = append(out.Spent, approval.SpentMark{Topology: m.Topology, Generation: m.Generation, PayloadHash: m.PayloadHash})
		}
		for _, p := range s.Lapsed(name) {
			out.Lapsed = append(out.Lapsed, p.Payloads...)
		}
	}
	return out, nil
}

func (l ledgerRecord) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.Right, error) {
	lock, err := l.ledger.Lock(ctx, topology, wait)
	var held *ledger.HeldError
	if errors.As(err, &held) {
		return nil, fmt.Errorf("%w: %w", reconcile.ErrLockHeld, err)
	}
	if err != nil {
		return nil, err
	}
	return ledgerRight{lock}, nil
}

func (l ledgerRecord) SpendOnMatch(ctx context.Context, mark plan.GenerationMark, commit string) error {
	return l.ledger.SpendOnMatch(ctx, mark, commit)
}

// ledgerRight is a held lock.
type ledgerRight struct{ *ledger.Lock }

func (r ledgerRight) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.Lock.Begin(ctx, ledger.Beginning{
		Intent: b.Intent, Document: b.Document, Payloads: b.Payloads, By: b.By,
		Stale: b.Stale, Provisions: b.Used,
	})
}

// publishedIn decodes what clients were last told.
func publishedIn(s ledger.Snapshot) (map[string]reconcile.Published, error) {
	out := map[string]reconcile.Published{}
	for topology, served := range s.Served() {
		if served.Document == "" {
			continue
		}
		var p reconcile.Published
		if err := json.Unmarshal([]byte(served.Document), &p); err != nil {
			return nil, fmt.Errorf("read the ledger: what is served of %s: %w", topology, err)
		}
		p.Version = served.Version
		out[topology] = p
	}
	return out, nil
}
