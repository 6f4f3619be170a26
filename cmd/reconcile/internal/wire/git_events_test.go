package wire

import (
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/reconcile/approval"
)

// TestApprovalsThatEndedUnused: withdrawn or too old before the change began, or by now if it
// did not begin.
func TestApprovalsThatEndedUnused(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	said := func(kind desired.EventKind, minute int, email, code string) desired.Event {
		return desired.Event{
			At: at(minute), Topology: "orders", Kind: kind, Generation: 2,
			Said: approval.Statement{At: at(minute), By: approval.Person{Email: email}, Code: code, Until: at(minute + 120)},
		}
	}
	numbered := func(e desired.Event, ref string) desired.Event {
		e.Said.Ref = ref
		return e
	}
	given := numbered(said(desired.EventApproved, 0, "alice@x", ""), "alice@x-2")
	for name, c := range map[string]struct {
		others []desired.Event
		begun  time.Time
		now    time.Time
		want   string
	}{
		"it holds":                              {nil, time.Time{}, at(60), ""},
		"it was used":                           {nil, at(60), at(600), ""},
		"it ended":                              {nil, time.Time{}, at(121), approval.CodeExpired},
		"it ended before the change began":      {nil, at(130), at(600), approval.CodeExpired},
		"it was withdrawn":                      {[]desired.Event{said(desired.EventWithdrawn, 10, "Alice@x", "")}, at(60), at(600), approval.CodeWithdrawn},
		"it was withdrawn after its use":        {[]desired.Event{said(desired.EventWithdrawn, 70, "alice@x", "")}, at(60), at(600), ""},
		"somebody else withdrew theirs":         {[]desired.Event{said(desired.EventWithdrawn, 10, "bob@x", "")}, at(60), at(600), ""},
		"nobody is proven to have withdrawn it": {[]desired.Event{said(desired.EventWithdrawn, 10, "alice@x", approval.CodeUnsigned)}, at(60), at(600), ""},
		"it was given again in that second":     {[]desired.Event{numbered(said(desired.EventWithdrawn, 0, "alice@x", ""), "")}, at(60), at(600), ""},
		"it was withdrawn in that second":       {[]desired.Event{numbered(said(desired.EventWithdrawn, 0, "alice@x", ""), "alice@x-3")}, at(60), at(600), approval.CodeWithdrawn},
		"it was given again":                    {[]desired.Event{said(desired.EventWithdrawn, -10, "alice@x", "")}, at(60), at(600), ""},
	} {
		if got, line := endedUnused(given, c.others, c.begun, c.now); got != c.want || (line == "") != (got == "") {
			t.Errorf("%s: %q, %q; want %q", name, got, line, c.want)
		}
	}
}
