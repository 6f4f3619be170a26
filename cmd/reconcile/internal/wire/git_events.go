package wire

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
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
		Topology: topology, Since: born.Truncate(time.Second), Unsigned: e.Policy.SignatureOptional,
		Begun: func(topology string, generation int64) bool { return begun[changeKey(topology, generation)] },
	})
	if err != nil {
		return nil, fmt.Errorf("read what Git tells: %w", err)
	}
	out := make([]ledger.Event, len(events))
	for i, x := range events {
		out[i] = ledger.Event{At: x.At, Topology: x.Topology, Lines: e.eventLines(x)}
	}
	return out, nil
}

func changeKey(topology string, generation int64) string {
	return fmt.Sprintf("%s/%d", topology, generation)
}

// eventLines says what Git tells, without secrets.
func (e *Environment) eventLines(x desired.Event) []string {
	who, text := strings.Join(x.Who, ", "), e.Fleet.Hide(x.Text)
	var first string
	switch x.Kind {
	case desired.EventProposed:
		first = ledger.ProposedBy(x.Who) + ": " + text
	case desired.EventTakenBack:
		first = "taken back by " + who + ", before it began: " + text
	case desired.EventWithdrawn:
		first = "approval withdrawn by " + who
	default:
		first = ledger.ApprovedBy(who, text)
	}
	if x.More == "" {
		return []string{first}
	}
	return []string{first, x.More}
}
