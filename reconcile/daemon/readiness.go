package daemon

import (
	"cmp"
	"fmt"
)

// Unready says why the daemon would not act on an approved failover now. Empty: it would,
// or another process on the ledger would, or it only observes.
func (s Snapshot) Unready() string {
	switch {
	case s.Stopping:
		return "it is stopping"
	case !s.Swept:
		return "not every topology has been looked at yet"
	case s.GitError != "":
		return cmp.Or(s.GitAsked, "Git") + " cannot be read, so that no new approval is seen: " + s.GitError
	case s.ElectionError != "":
		return "it cannot lead: " + s.ElectionError
	case s.RecordError != "":
		return "the ledger cannot be written: " + s.RecordError
	case s.FileError != "":
		return "a failover would lack what the configuration names: " + s.FileError
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
	return fmt.Sprintf("none of %d topologies can be looked at: %s", len(s.Topologies), s.Topologies[0].Error)
}

// electionFailed publishes why this process cannot lead, and logs each new reason once.
func (l *Loop) electionFailed(err error) {
	l.noteNotLeading("the election failed: " + err.Error())
	before := ""
	l.board.set(l.clock.Now(), func(b *Snapshot) { before, b.ElectionError = b.ElectionError, err.Error() })
	if before != err.Error() {
		l.log.Warn("the election failed, so nothing is applied", "error", err)
	}
}

// electionUndecided publishes, while a campaign goes on, why no leader is known; empty:
// another process leads.
func (l *Loop) electionUndecided(why string) {
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.ElectionError = why })
}

// noteRecorded publishes whether the ledger could be written, and logs each change once.
// What could not be written, the next pass tries again.
func (l *Loop) noteRecorded(err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	before := l.board.recordError()
	if before == said {
		return
	}
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.RecordError = said })
	if err != nil {
		l.log.Warn("the ledger could not be written", "error", err)
	} else {
		l.log.Info("the ledger can be written again")
	}
}

// Unusable notes which secrets and lists of the configuration an approved failover
// would lack; empty: none.
func (l *Loop) Unusable(why string) {
	if l.board.fileError() != why {
		l.board.set(l.clock.Now(), func(b *Snapshot) { b.FileError = why })
	}
}
