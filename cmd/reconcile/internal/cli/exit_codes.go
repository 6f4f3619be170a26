package cli

import (
	"milvus-reconcile/reconcile"
)

// ExitCode is a process's exit code (contract.md §5).
type ExitCode int

// The exit codes.
const (
	ExitOK          ExitCode = 0 // in sync, planned, or done and verified
	ExitError       ExitCode = 1 // an error; nothing was sent
	ExitChanges     ExitCode = 2 // plan --detailed-exitcode: changes; drift: drift
	ExitNotApproved ExitCode = 3
	ExitBlocked     ExitCode = 4
	ExitUnverified  ExitCode = 5 // something may have changed and was not verified
)

// exitRank orders exit codes. If topologies have different ones, the first in this order
// wins.
var exitRank = []ExitCode{ExitUnverified, ExitError, ExitBlocked, ExitNotApproved, ExitChanges, ExitOK}

// worstExit returns the exit code of a command from those of its topologies.
func worstExit(codes ...ExitCode) ExitCode {
	for _, rank := range exitRank {
		for _, c := range codes {
			if c == rank {
				return rank
			}
		}
	}
	return ExitOK
}

// exitOf returns the exit code of one outcome of apply.
func exitOf(o reconcile.Outcome) ExitCode {
	switch o {
	case reconcile.OutcomeUnchanged, reconcile.OutcomeApplied:
		return ExitOK
	case reconcile.OutcomeNotApproved:
		return ExitNotApproved
	case reconcile.OutcomeBlocked:
		return ExitBlocked
	case reconcile.OutcomeUnverified:
		return ExitUnverified
	case reconcile.OutcomeError:
		return ExitError
	default:
		return ExitError
	}
}
