package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

// Accepted is the result of Accept.
type Accepted struct {
	Records int    // number of records in the ledger, with the acceptance
	MovedTo string // new path of the unreadable ledger file; empty: no file was moved
	Why     string // why the ledger was refused before; empty: it was not
}

// Accept declares the ledger as it is now to be the newest copy. It starts a new ledger
// if the old one is lost or unreadable. Approvals signed before this moment no longer
// count: the lost records may say that they were used.
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
	if errors.As(err, &corrupt) { // unreadable, with and without the notes
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

// Proof describes what shows that this copy of the ledger is the newest one. complete
// is false if one of the notes of the newest record is missing.
func (s Snapshot) Proof() (text string, complete bool) {
	newest, n := lastRecord(s.chain, nil), s.noted
	switch {
	case newest.seq == 0:
		return "it holds no record yet", true
	case n.unproven(s.chain):
		return "no note next to the ledger names its newest record: the next run that may write accepts the ledger as it is, and approvals given before no longer count", false
	case n.alwaysKept && n.complete(newest):
		return "two notes next to the ledger name its newest record", true
	case n.alwaysKept && len(n.missing) > 0:
		return "one of the two notes next to the ledger is missing or damaged (" + strings.Join(n.missing, ", ") + "): the next run that may write restores it", false
	case n.alwaysKept:
		return "the notes next to the ledger name an earlier record than its newest: the next run that may write corrects them", false
	case len(n.missing) == 0 && len(n.notes) > 0:
		return "a note on this machine names its newest record", true
	case len(n.missing) > 0:
		return "the note of its newest record, " + n.missing[0] + ", does not exist yet: this machine creates it with the next record that it writes", false
	}
	other := "another etcd cluster holds it"
	if s.memory.Ledger == plan.LedgerKubernetes {
		other = "its object was made again"
	}
	return "no note on this machine names its newest record (git.cacheDir is not set): restored old data is detected only by a process that keeps running, or if " + other, true
}

// accept records the acceptance. It ignores the notes of the newest record.
func (l *Ledger) accept(ctx context.Context, why string) error {
	err := l.store.commit(ctx, nil, func(im image) (change, error) {
		im.noted, im.version = nil, 0
		return l.nextChange(im, nil, acceptRule(why))
	})
	l.verified.forget()
	return err
}

// acceptUnproven accepts a ledger for which no note exists. It does nothing if another
// process has written a note in the meantime.
func (l *Ledger) acceptUnproven(ctx context.Context) error {
	err := l.store.commit(ctx, nil, func(im image) (change, error) {
		if !im.noted().unproven(im.chain) {
			return l.nextChange(im, nil, bornRule)
		}
		return l.nextChange(im, nil, acceptRule("no note showed whether it is the newest copy"))
	})
	l.verified.forget()
	return err
}

// forget makes the next read verify the ledger and compare it with the notes.
func (v *verified) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.soundVersion, v.newest = 0, Snapshot{}
}
