package ledger

import (
	"context"
	"fmt"
	"time"
)

// Lock is the right to act on one topology. Everything that it writes is
// refused with ErrLockLost once the right is gone.
type Lock struct {
	ledger   *Ledger
	guard    guard
	topology string
}

// Begin writes the intent, the approval that it spends, the clusters that
// become stale and the provisions that it uses, in one transaction. An intent
// that is already open under the same transition, generation and digest is
// resumed: nothing is written. SpentError and OpenIntentError tell why not.
func (k *Lock) Begin(ctx context.Context, b Beginning) error {
	b.Intent.Topology = k.topology
	return k.write(ctx, beginRule(b))
}

// Sent is written before the first RPC leaves: from here on, only reading
// the cluster decides what came of it.
func (k *Lock) Sent(ctx context.Context) error { return k.write(ctx, sentRule(k.topology)) }

// Effected is written once the transition was read back.
func (k *Lock) Effected(ctx context.Context) error { return k.write(ctx, effectedRule(k.topology)) }

// Reverse takes back what Begin wrote. It is for a definite refusal by the
// server after which the old state was read back, and for nothing else: an
// effected intent cannot be reversed.
func (k *Lock) Reverse(ctx context.Context, reason string) error {
	return k.write(ctx, reverseRule(k.topology, reason))
}

// Finish closes the intent with its result. A failover that took effect is
// remembered as the topology's last one.
func (k *Lock) Finish(ctx context.Context, result, detail string) error {
	return k.write(ctx, finishRule(k.topology, result, detail))
}

func (k *Lock) write(ctx context.Context, r rule) error {
	return k.ledger.write(ctx, k.guard, r)
}

// Lost is closed once the right may be another's, and by Release. It is
// closed while there is still time to end a call that is under way.
func (k *Lock) Lost() <-chan struct{} { return k.guard.lost() }

// Until is when the right is no longer surely ours, by the monotonic clock;
// zero: it does not run out while the process lives. It moves on as long as
// the lease is kept alive.
func (k *Lock) Until() time.Time { return k.guard.until() }

// Release gives the right back. It is safe to call twice.
func (k *Lock) Release() error { return k.guard.release(context.Background()) }

// Leadership is the right to be the one that acts by itself, of all the
// processes that share a ledger. It does not replace the lock of a topology:
// a person's apply needs no leadership.
type Leadership struct{ guard guard }

// Campaign waits until this process leads, or ctx ends: then the error is a
// HeldError that names who leads, if anybody, joined with the context's. Zero
// fields of who are filled in.
func (l *Ledger) Campaign(ctx context.Context, who Holder) (*Leadership, error) {
	if err := l.ensureExists(ctx); err != nil {
		return nil, err
	}
	g, err := l.store.campaign(ctx, l.completeHolder(who))
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

// completeHolder fills in who we are.
func (l *Ledger) completeHolder(h Holder) Holder {
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
	own.Since = wallTime(own.Since)
	return own
}
