package ledger

import (
	"context"
	"errors"
	"fmt"
)

// Accepted is what Accept did.
type Accepted struct {
	Records int    // that stand, the acceptance included
	Aside   string // where a file that cannot be read was moved to; empty: none was
	Why     string // what spoke against the ledger; empty: nothing
}

// Accept takes the ledger as it stands for the newest there is, or begins a new one
// where it is lost or cannot be read. What was approved before now may have been used
// and recorded in what is lost: it does not count any more.
func (l *Ledger) Accept(ctx context.Context) (Accepted, error) {
	out := Accepted{}
	_, against := l.Read(ctx)
	var corrupt *CorruptError
	switch {
	case against == nil:
	case errors.As(against, &corrupt):
		out.Why = corrupt.said()
	default:
		return out, against
	}
	err := l.accept(ctx, out.Why)
	if errors.As(err, &corrupt) { // it cannot be read, whatever was noted of it
		if out.Aside, err = l.store.setAside("damaged-" + l.clock().UTC().Format("20060102T150405.000Z")); err != nil {
			return out, fmt.Errorf("move the damaged ledger away: %w", err)
		}
		err = l.accept(ctx, out.Why)
	}
	if err != nil {
		return out, err
	}
	s, err := l.Read(ctx)
	out.Records = len(s.chain)
	return out, err
}

// accept records that the ledger is taken as it is, whatever was noted of it.
func (l *Ledger) accept(ctx context.Context, why string) error {
	err := l.store.commit(ctx, nil, func(im image) (change, error) {
		im.noted, im.version = nil, 0
		return l.next(im, nil, acceptRule(why))
	})
	l.verified.forget()
	return err
}

// forget has the next reading compare with what is noted.
func (v *verified) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.good, v.newest = 0, Snapshot{}
}
