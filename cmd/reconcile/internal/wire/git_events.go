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

// GitEvents returns what Git tells of a topology, or of all, and the ledger does not: what
// was proposed, approved, withdrawn and taken back. records are all that the ledger holds.
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
	born, begun := time.Time{}, map[string]bool{}
	for _, r := range records {
		switch r.Kind {
		case ledger.KindBorn:
			born = r.At // Git keeps whole seconds
		case ledger.KindIntent, ledger.KindMatched:
			begun[changeKey(r.Topology, r.Generation)] = true
		default:
		}
	}
	events, err := e.options.Loader.Events(e.Repo, rev, desired.EventQuery{
		Topology: topology, Since: born.Truncate(time.Second), Policy: e.Policy,
		Begun: func(topology string, generation int64) bool { return begun[changeKey(topology, generation)] },
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
		}
		if x.Kind == desired.EventApproved && x.Said.Code == "" && x.Said.Until.Before(now) && !begun[changeKey(x.Topology, x.Generation)] {
			out[i].Denial = approval.CodeExpired
			out[i].Lines = append(out[i].Lines, "it ended "+x.Said.Until.UTC().Format(time.RFC3339)+" and was not used")
		}
	}
	return out, nil
}

// gitKinds are the kinds of what people did in Git.
var gitKinds = map[desired.EventKind]ledger.Kind{
	desired.EventProposed: ledger.Proposed, desired.EventTakenBack: ledger.TakenBack,
	desired.EventApproved: ledger.Approved, desired.EventWithdrawn: ledger.Withdrawn,
}

func changeKey(topology string, generation int64) string {
	return fmt.Sprintf("%s/%d", topology, generation)
}

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
		first = ledger.ApprovedBy(who, text)
	}
	if x.Said.Code == "" {
		return []string{first}
	}
	if !x.Said.Proven() {
		first = "an approval in the name of " + who
	}
	return []string{first, "it does not count: " + x.Said.Why() + " (" + x.Said.Code + ")"}
}
