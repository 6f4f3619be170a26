package plan

import (
	"fmt"
	"strings"
	"time"
)

// What the planner cannot know, since it comes from the history, the ledger or
// an apply, is said here, so that it is said once.

// SupersededBy is the finding for a commit that governs a topology no more.
func SupersededBy(topology, newer string) Finding {
	return NewFinding(CodeSuperseded, "",
		"commit "+newer+" governs "+topology+" at the tip of the tracked ref, not the commit given",
		"apply what is in force, 'reconcile apply "+topology+"', or look at it first with 'reconcile plan "+topology+"'")
}

// HistoryRewritten is the finding for a tracked ref that was moved to commit.
func HistoryRewritten(commit string) Finding {
	return NewFinding(CodeHistoryRewritten, "",
		"the tracked ref was moved to commit "+commit+", which does not descend from the one that was seen before",
		"check who moved it and why; an approver accepts it with 'Failover-Accept: HISTORY_REWRITTEN'")
}

// LedgerNew is the finding for a ledger without a past.
func LedgerNew() Finding {
	return NewFinding(CodeLedgerNew, "", "the ledger is new: it cannot say which approvals were used before",
		"check by 'git log' that this approval was not carried out already")
}

// VerificationFailed is the finding for a primary that does not work as one.
func VerificationFailed(topology, cluster string, level VerifyLevel, err error) Finding {
	return NewFinding(CodeVerificationFailed, cluster,
		fmt.Sprintf("%s does not work as the primary (%s): %s", cluster, level, err),
		"'reconcile doctor "+topology+"' shows whether it answers and what its token may do; then look at its proxies and coordinator, and check again with 'reconcile status "+topology+" --verify'")
}

// NotCaughtUp is the error of a switchover whose replication was not seen to
// flow: channels of target that did not get in time what source wrote.
type NotCaughtUp struct {
	Source, Target string
	Behind         []string // channels of target
	Channels       int      // how many it has
	Within         time.Duration
}

// Error says which channels stand behind.
func (e NotCaughtUp) Error() string {
	return fmt.Sprintf("%d of %d channels of %s did not reach what %s wrote within %s: %s",
		len(e.Behind), e.Channels, e.Target, e.Source, About(e.Within), strings.Join(e.Behind, ", "))
}
