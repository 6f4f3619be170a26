package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Accepted is what Accept did.
type Accepted struct {
	Records int    // that stand, the acceptance included
	MovedTo string // where a file that cannot be read was moved to; empty: none was
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
		out.Why = corrupt.reasonOnly()
	default:
		return out, against
	}
	err := l.accept(ctx, out.Why)
	if errors.As(err, &corrupt) { // it cannot be read, whatever was noted of it
		if out.MovedTo, err = l.store.setAside("damaged-" + l.clock().UTC().Format("20060102T150405.000Z")); err != nil {
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

// Proof says what tells that this copy is the newest that was written, in words, and
// whether all of it is there.
func (s Snapshot) Proof() (text string, whole bool) {
	newest, n := lastRecord(s.chain, nil), s.noted
	switch {
	case newest.seq == 0:
		return "it holds no record yet", true
	case n.unproven(s.chain):
		return "no file beside it names its newest record: the next run that may write takes it as it is, and what was approved before counts no more", false
	case n.alwaysKept && n.complete(newest):
		return "two files beside it name its newest record", true
	case n.alwaysKept && len(n.missing) > 0:
		return "of the two files beside it that name its newest record, one is missing or damaged (" + strings.Join(n.missing, ", ") + "): the next run that may write makes it", false
	case n.alwaysKept:
		return "the files beside it name a record before its newest: the next run that may write makes them good", false
	case len(n.missing) == 0 && len(n.notes) > 0:
		return "a file of this machine names its newest record", true
	case len(n.missing) > 0:
		return n.missing[0] + ", which is to name its newest record, is not there yet: the next record that this machine writes makes it", false
	}
	return "no file of this machine names its newest record (git.cacheDir is not set): that old data was put back is found out by processes that go on meanwhile, and where the data lies in another etcd cluster", true
}

// accept records that the ledger is taken as it is, whatever was noted of it.
func (l *Ledger) accept(ctx context.Context, why string) error {
	err := l.store.commit(ctx, nil, func(im image) (change, error) {
		im.noted, im.version = nil, 0
		return l.nextChange(im, nil, acceptRule(why))
	})
	l.verified.forget()
	return err
}

// acceptUnproven takes a ledger as it is beside which nothing tells whether it is the
// newest, unless somebody wrote meanwhile who knew it.
func (l *Ledger) acceptUnproven(ctx context.Context) error {
	err := l.store.commit(ctx, nil, func(im image) (change, error) {
		if !im.noted().unproven(im.chain) {
			return l.nextChange(im, nil, bornRule)
		}
		return l.nextChange(im, nil, acceptRule("nothing beside it told whether it is the newest copy"))
	})
	l.verified.forget()
	return err
}

// forget has the next reading compare with what is noted.
func (v *verified) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.soundVersion, v.newest = 0, Snapshot{}
}
