package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The findings and errors of this file come from the history of Git, from the ledger
// or from an apply, and not from Compute. They are here so that every message about a
// topology is worded in this package.

// SupersededBy is the finding for a commit that no longer governs a topology; newer is
// the commit that does.
func SupersededBy(topology, newer string) Finding {
	return NewFinding(CodeSuperseded, "",
		"commit "+newer+" governs "+topology+" at the tip of the tracked ref, not the commit given",
		"read what is in force instead: 'reconcile plan "+topology+"'; then apply it: 'reconcile apply "+topology+"'")
}

// HistoryRewritten is the finding for a tracked ref that was moved to a commit which
// does not descend from the one seen before.
func HistoryRewritten(commit string) Finding {
	return NewFinding(CodeHistoryRewritten, "",
		"the tracked ref was moved to commit "+commit+", which does not descend from the one that was seen before",
		"check who moved the tracked ref and why, then accept with 'Failover-Accept: HISTORY_REWRITTEN'")
}

// LedgerNew is the finding for a ledger without a past.
func LedgerNew() Finding {
	return NewFinding(CodeLedgerNew, "", "the ledger is new: it cannot say which approvals were used before",
		"check by 'git log' that this approval was not carried out already")
}

// VerificationFailed is the finding for a primary that does not work as one. err says
// which check failed.
func VerificationFailed(topology, cluster string, level VerifyLevel, err error) Finding {
	return NewFinding(CodeVerificationFailed, cluster,
		fmt.Sprintf("%s does not work as the primary (%s): %s", cluster, level, err),
		"see whether "+cluster+" answers and what its token may do: 'reconcile doctor "+topology+"'; then check its proxies and coordinator, and verify again: 'reconcile status "+topology+" --verify'")
}

// NotCaughtUpError is the error of a proof that replication flows: channels of target
// that did not get in time what source wrote.
type NotCaughtUpError struct {
	Source, Target string
	Behind         []string // channels of target
	Channels       int      // how many it has
	Within         time.Duration
	NoneMoved      bool // every channel was read, before and after, and none moved
}

// Error says which channels stand behind, and the likely cause where nothing
// moved at all.
func (e NotCaughtUpError) Error() string {
	if e.NoneMoved {
		return fmt.Sprintf("nothing that %s wrote reached %s within %s: not one of its %d channels moved (%s)",
			e.Source, e.Target, DurationText(e.Within), e.Channels, noReplicationCause(e.Source, e.Target))
	}
	return fmt.Sprintf("%d of %d channels of %s did not reach what %s wrote within %s: %s",
		len(e.Behind), e.Channels, e.Target, e.Source, DurationText(e.Within), strings.Join(e.Behind, ", "))
}

// noReplicationCause names the likely causes when nothing at all is replicated.
func noReplicationCause(source, target string) string {
	return "likely no CDC process runs on " + source + "; else it cannot reach " + target +
		" at the uri of the topology, or its token is refused there"
}

// NoneMoved says whether every channel was read twice and none moved. False if some
// channel is missing from one of the readings: then nothing is proven.
func NoneMoved(before, after []ChannelProgress) bool {
	for _, b := range before {
		i := slices.IndexFunc(after, func(a ChannelProgress) bool { return a.Channel == b.Channel })
		if i < 0 || !b.Known || !after[i].Known {
			return false
		}
		if a := after[i]; a.SourceCluster != b.SourceCluster || a.MessageID != b.MessageID || a.TimeTick != b.TimeTick {
			return false
		}
	}
	return len(before) > 0 && len(before) == len(after)
}

// NotFollowingError is the error of a proof whose target does not, or no longer,
// replicate from source.
type NotFollowingError struct {
	Source, Target string
	Belief         Belief // of target
}

// Error says what the target is instead.
func (e NotFollowingError) Error() string {
	return fmt.Sprintf("%s does not follow %s: it believes to be %s", e.Target, e.Source, e.Belief.Kind)
}

// FellBackError is the error of a change that was read back and did not stay: a
// cluster stores something else seconds later.
type FellBackError struct {
	Topology string
	Cluster  string
	Wanted   Configuration
	Belief   Belief // of Cluster, as last read
}

// Error says what the cluster became, and what to do.
func (e FellBackError) Error() string {
	source, follows := e.Wanted.SourceOf(e.Cluster)
	switch {
	case follows && e.Belief.Kind == BeliefStandalone:
		return fmt.Sprintf("%s followed %s and has fallen back: it stands alone and takes writes, and nothing of %s reaches it, since an older removal was replayed to it (Milvus #52727) (hint: keep applications away from %s; 'reconcile apply %s' tells it once more; if it falls back again, let it go with 'role: detached' and have it join later)",
			e.Cluster, source, source, e.Cluster, e.Topology)
	case follows && e.Belief.Kind == BeliefPrimary:
		return fmt.Sprintf("%s followed %s and is a primary again: two clusters take writes, since an older change of the topology was replayed to it (hint: keep applications away from %s by network and load balancer now, and rebuild it: neither call undoes this)",
			e.Cluster, source, e.Cluster)
	default:
		return fmt.Sprintf("%s stored what was wanted and stores something else now: it believes to be %s (hint: 'reconcile status %s' shows what each cluster believes)",
			e.Cluster, e.Belief.Kind, e.Topology)
	}
}
