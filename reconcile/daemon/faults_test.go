package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// handClock is a clock that a test moves.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) After(time.Duration) <-chan time.Time { return nil }

// errNoAnswer is that of a ledger that does not answer, as package ledger has it.
type errNoAnswer struct{}

func (errNoAnswer) Error() string { return "the ledger cannot be reached" }

func (errNoAnswer) Timeout() bool { return true }

// TestAFaultOfTheLedgerIsToldOnce: whichever parts of the loop meet it, in whatever order,
// at whatever call, and however late one of them hears of it, the log says once that it
// begins and once that it is over.
func TestAFaultOfTheLedgerIsToldOnce(t *testing.T) {
	clock := &handClock{now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	var told []EventKind
	l := &Loop{clock: clock, board: &Board{}}
	l.faults.clock, l.faults.emit = clock, func(e Event) { told = append(told, e.Kind) }
	pass := func(d time.Duration) time.Time { clock.now = clock.now.Add(d); return clock.now }

	cut := clock.now
	unreachable := fmt.Errorf("%w: etcd: keepalive ping failed", errNoAnswer{})
	l.ledgerFails(cut, "orders", "could not be read", fmt.Errorf("read the ledger: %w", unreachable))
	pass(5 * time.Second)
	l.ledgerFails(cut, fetchHolder, "could not be read", unreachable)
	l.ledgerFails(clock.now, "orders", "could not be read", fmt.Errorf("open ledger: %w", context.DeadlineExceeded))
	l.noteRecorded(cut, fmt.Errorf("write progress: %w", unreachable))
	l.noteRecorded(cut, errors.Join(fmt.Errorf("write outages: %w", context.DeadlineExceeded), unreachable))
	campaign := clock.now
	pass(time.Second)
	l.ledgerWorks("orders")
	l.ledgerWorks(fetchHolder)
	l.noteRecorded(clock.now, nil)
	pass(4 * time.Second)
	l.electionFailed(campaign, fmt.Errorf("campaign for leadership: %w", unreachable)) // as it was asked while the line was cut
	l.ledgerWorks(electionHolder)
	if want := []EventKind{EventFault, EventFaultOver}; !slices.Equal(told, want) {
		t.Fatalf("told %v, want %v", told, want)
	}

	l.electionFailed(clock.now, unreachable)
	l.ledgerFails(clock.now, electionHolder, "is damaged", errors.New("ledger /var/lib/ledger.db is damaged: it ends with record 3"))
	if want := []EventKind{EventFault, EventFaultOver, EventFault, EventFault}; !slices.Equal(told, want) {
		t.Errorf("a fault that begins later, and another cause: told %v, want %v", told, want)
	}
}
