package ledger

import (
	"context"
	"fmt"
)

// Leadership is the right to be the one that acts by itself, of all the
// processes that share a ledger. It does not replace the lock of a topology:
// a person's apply needs no leadership.
type Leadership struct{ guard guard }

// Campaign waits until this process leads, or ctx ends: then the error is a
// HeldError that names who leads, if anybody, joined with the context's. Zero
// fields of who are filled in.
func (l *Ledger) Campaign(ctx context.Context, who Holder) (*Leadership, error) {
	if err := l.made(ctx); err != nil {
		return nil, err
	}
	g, err := l.store.campaign(ctx, l.signed(who))
	if err != nil {
		return nil, fmt.Errorf("campaign for leadership: %w", err)
	}
	return &Leadership{guard: g}, nil
}

// Leader says who leads now; false: nobody. It is for those who wait.
func (l *Ledger) Leader(ctx context.Context) (Holder, bool, error) {
	h, ok, err := l.store.leader(ctx)
	if err != nil {
		return Holder{}, false, fmt.Errorf("ask who leads: %w", err)
	}
	return h, ok, nil
}

// Lost is closed once another may lead, and by Resign.
func (p *Leadership) Lost() <-chan struct{} { return p.guard.lost() }

// Resign lets another lead at once. It is safe to call twice.
func (p *Leadership) Resign(ctx context.Context) error {
	if err := p.guard.release(ctx); err != nil {
		return fmt.Errorf("resign leadership: %w", err)
	}
	return nil
}

// signed fills in who we are.
func (l *Ledger) signed(h Holder) Holder {
	own := l.holder
	if h.Process != "" {
		own.Process = h.Process
	}
	if h.PID != 0 {
		own.PID = h.PID
	}
	if h.Host != "" {
		own.Host = h.Host
	}
	own.Since = h.Since
	if own.Since.IsZero() {
		own.Since = l.clock()
	}
	own.Since = wall(own.Since)
	return own
}
