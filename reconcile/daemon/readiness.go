package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Unready says why the daemon would not act on an approved failover now. Empty: it would,
// or another process on the ledger would, or it only observes.
func (s Snapshot) Unready() string {
	switch {
	case s.Stopping:
		return "it is stopping"
	case !s.Swept:
		return "not every topology has been observed yet"
	case s.GitError != "":
		return cmp.Or(s.GitAsked, "Git") + " cannot be read, so no new approval is seen: " + s.GitError
	case s.ElectionError != "":
		return "it cannot lead: " + s.ElectionError
	case s.RecordError != "":
		return "the ledger cannot be written: " + s.RecordError
	case s.FileError != "":
		return "a failover needs a file that cannot be used: " + s.FileError
	}
	return s.allFailing()
}

// allFailing says why the newest pass of every topology failed; empty: one succeeded, or
// there is no topology.
func (s Snapshot) allFailing() string {
	for _, t := range s.Topologies {
		if t.Error == "" {
			return ""
		}
	}
	if len(s.Topologies) == 0 {
		return ""
	}
	return fmt.Sprintf("none of %d topologies can be observed: %s", len(s.Topologies), s.Topologies[0].Error)
}

// electionFailed publishes why this process cannot lead. It campaigned since began.
func (l *Loop) electionFailed(began time.Time, err error) {
	l.noteNotLeading("the election failed: " + err.Error())
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.ElectionError = err.Error() })
	l.ledgerFails(began, electionHolder, "holds no election, so nothing is applied", err)
}

// ledgerKey is the key of the fault that the ledger cannot be used, and these are the parts
// of the loop that meet it, besides the fetches and the topologies.
const (
	ledgerKey      = "ledger"
	electionHolder = "election"
	recordHolder   = "records"
)

// ledgerFails tells that the ledger cannot be used, as a part of the loop tried since began.
// Whatever part meets it first says what does not work.
func (l *Loop) ledgerFails(began time.Time, holder, what string, err error) {
	l.faults.meetsSince(began, ledgerKey, holder, ledgerCause(err), Event{
		Kind: EventFault, Severity: plan.SeverityWarning, Code: ledgerKey, Text: "the ledger " + what + ": " + err.Error(),
	})
}

// ledgerCause returns why the ledger cannot be used, in words that are the same for every
// use of it. That it does not answer is one cause, at whatever call the deadline passed.
func ledgerCause(err error) string {
	if late := (interface{ Timeout() bool })(nil); errors.As(err, &late) && late.Timeout() {
		return "no answer"
	}
	cause, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "read the ledger: "), ": ") // what follows differs between two calls
	return cause
}

// ledgerWorks notes that a part of the loop could use the ledger.
func (l *Loop) ledgerWorks(holder string) {
	l.faults.endFor(ledgerKey, holder, Event{Kind: EventFaultOver, Severity: plan.SeverityInfo, Code: ledgerKey, Text: "the ledger can be used again"})
}

// electionUndecided publishes, while a campaign goes on, why no leader is known; empty:
// another process leads.
func (l *Loop) electionUndecided(why string) {
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.ElectionError = why })
}

// noteRecorded publishes whether the ledger could be written, as was tried since began.
// What could not be written, the next pass tries again.
func (l *Loop) noteRecorded(began time.Time, err error) {
	said := ""
	if err == nil {
		l.ledgerWorks(recordHolder)
	} else {
		said = err.Error()
		l.ledgerFails(began, recordHolder, "could not be written", err)
	}
	if l.board.recordError() == said {
		return
	}
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.RecordError = said })
}

// Unusable records which secrets and lists that an approved failover needs cannot be used;
// empty: none.
func (l *Loop) Unusable(why string) {
	if l.board.fileError() != why {
		l.board.set(l.clock.Now(), func(b *Snapshot) { b.FileError = why })
	}
}
