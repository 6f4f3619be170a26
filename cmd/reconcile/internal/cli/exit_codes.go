package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
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

// interruptible runs a command that acts. If a signal ends it (ctx is the command's own,
// without --timeout), it says whether anything was sent, and what to type next.
func (g *globals) interruptible(ctx context.Context, command string, do func() (reconcile.Report, error)) error {
	report, err := do()
	switch {
	case ctx.Err() == nil:
		return err
	case err != nil:
		return fmt.Errorf("interrupted, and nothing was sent: %w (hint: '%s' begins again)", err, command)
	}
	if text := interruption(report, command); text != "" {
		g.Warn("", text)
	}
	return nil
}

// endedBy says what ended a command that acts before its own end: a signal, which ends the
// command's own context, or --timeout, which ends the one it acts with; empty: nothing did.
func (g *globals) endedBy(command, acting context.Context) string {
	switch {
	case command.Err() != nil:
		return "a signal"
	case acting.Err() != nil:
		return "--timeout " + plan.DurationText(g.timeout)
	default:
		return ""
	}
}

// interruption says what an apply that was interrupted sent; empty: it was done already.
func interruption(report reconcile.Report, command string) string {
	var doubtful []string
	unfinished := false
	for _, r := range report.Results {
		if r.Outcome == reconcile.OutcomeApplied || r.Outcome == reconcile.OutcomeUnchanged {
			continue
		}
		unfinished = true
		for _, cluster := range report.SentTo(r) {
			if !slices.Contains(doubtful, cluster) {
				doubtful = append(doubtful, cluster)
			}
		}
	}
	switch {
	case len(doubtful) > 0:
		return fmt.Sprintf("interrupted: a request was sent to %s and may take effect at any time; '%s' reads it back and continues it, without a new approval", strings.Join(doubtful, ", "), command)
	case unfinished:
		return fmt.Sprintf("interrupted: nothing was sent; '%s' begins again", command)
	default:
		return ""
	}
}
