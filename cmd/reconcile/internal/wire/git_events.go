package wire

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/ledger"
)

// GitEvents returns the events of a topology, or of all, that only Git has: proposals,
// approvals, withdrawals and changes that were taken back. records are all records of the
// ledger.
func (e *Environment) GitEvents(ctx context.Context, records []ledger.Record, topology string) ([]ledger.Event, error) {
	rev, err := e.Revision(ctx, "", "", nil)
	if err != nil {
		return nil, err
	}
	return e.gitEventsAt(rev, records, topology)
}

// gitEventsAt returns what Git tells at a revision. Nothing is told from before the ledger was
// made.
func (e *Environment) gitEventsAt(rev desired.Revision, records []ledger.Record, topology string) ([]ledger.Event, error) {
	born, begun := time.Time{}, map[string]time.Time{}
	for _, r := range records {
		switch r.Kind {
		case ledger.KindBorn:
			born = r.At // Git keeps whole seconds
		case ledger.KindIntent, ledger.KindMatched:
			if key := changeKey(r.Topology, r.Generation); begun[key].IsZero() {
				begun[key] = r.At
			}
		case ledger.KindReplay:
			begun[replayKey(r.Topology, r.ReplayDigest)] = r.At
		default:
		}
	}
	events, err := e.options.Loader.Events(e.Repo, rev, desired.EventQuery{
		Topology: topology, Since: born.Truncate(time.Second), Policy: e.Policy,
		Begun: func(topology string, generation int64) bool { return !begun[changeKey(topology, generation)].IsZero() },
	})
	if err != nil {
		return nil, fmt.Errorf("read what Git tells: %w", err)
	}
	now := e.options.Clock()
	out := make([]ledger.Event, len(events))
	for i, x := range events {
		out[i] = ledger.Event{
			At: x.At, Topology: x.Topology, Kind: gitKinds[x.Kind], By: x.Who, Reason: e.Fleet.Hide(x.Said.Reason),
			Commit: x.Commit, Generation: x.Generation, Denial: x.Said.Code, Lines: e.eventLines(x),
			ReplayDigest: x.Said.Replay,
		}
		key := changeKey(x.Topology, x.Generation)
		if x.Said.Replay != "" {
			key = replayKey(x.Topology, x.Said.Replay)
		}
		if denial, line := endedUnused(x, events, begun[key], now); denial != "" {
			out[i].Denial, out[i].Lines = denial, append(out[i].Lines, line)
		}
	}
	return out, nil
}

// endedUnused says how an approval that counted ended before its change began (zero: it did not): it
// was withdrawn, or grew too old.
func endedUnused(x desired.Event, all []desired.Event, begun, now time.Time) (denial, line string) {
	if x.Kind != desired.EventApproved || x.Said.Code != "" || x.Generation == 0 {
		return "", ""
	}
	if begun.IsZero() {
		begun = now
	}
	for _, w := range all {
		same := w.Kind == desired.EventWithdrawn && w.Said.Code == "" && w.Topology == x.Topology && w.Generation == x.Generation && w.Said.By.SameEmail(x.Said.By)
		if same && w.Said.After(x.Said) && w.At.Before(begun) {
			return approval.CodeWithdrawn, "it was withdrawn at " + w.At.UTC().Format(time.RFC3339) + " and was not used"
		}
	}
	if x.Said.Until.Before(begun) {
		return approval.CodeExpired, "it ended at " + x.Said.Until.UTC().Format(time.RFC3339) + " and was not used"
	}
	return "", ""
}

// gitKinds are the kinds of what people did in Git.
var gitKinds = map[desired.EventKind]ledger.Kind{
	desired.EventProposed: ledger.Proposed, desired.EventTakenBack: ledger.TakenBack,
	desired.EventApproved: ledger.Approved, desired.EventWithdrawn: ledger.Withdrawn,
}

func changeKey(topology string, generation int64) string {
	return fmt.Sprintf("%s/%d", topology, generation)
}

func replayKey(topology, digest string) string { return topology + " " + digest }

// eventLines says what Git tells, without secrets.
func (e *Environment) eventLines(x desired.Event) []string {
	who, text := strings.Join(x.Who, ", "), e.Fleet.Hide(x.Text)
	var first string
	switch {
	case x.Kind == desired.EventProposed:
		return []string{ledger.ProposedBy(x.Who) + ": " + text, fmt.Sprintf("commit %.12s", x.Commit)}
	case x.Kind == desired.EventTakenBack:
		return []string{"taken back by " + who + ", before it began: " + text, fmt.Sprintf("commit %.12s", x.Commit)}
	case x.Kind == desired.EventWithdrawn:
		first = "approval withdrawn by " + who
	default:
		first = ofReplay(x, ledger.ApprovedBy(who, text))
	}
	if x.Said.Code == "" {
		return []string{first}
	}
	if !x.Said.Proven() {
		first = ofReplay(x, "an approval in the name of "+who)
	}
	return []string{first, "it does not count: " + x.Said.Why() + " (" + x.Said.Code + ")"}
}

// ofReplay says of an approval that it is of a replay of lost rows, if it is.
func ofReplay(x desired.Event, approval string) string {
	if x.Said.Replay == "" {
		return approval
	}
	return ledger.OfReplay(approval)
}
