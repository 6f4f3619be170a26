package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/reconcile"
)

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
		return fmt.Sprintf("interrupted: a request was sent to %s and may take effect at any time; '%s' reads it back and carries it on, without a new approval", strings.Join(doubtful, ", "), command)
	case unfinished:
		return fmt.Sprintf("interrupted: nothing was sent; '%s' begins again", command)
	default:
		return ""
	}
}
