package redirect_test

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/redirect"
)

// TestTheOperatorKnowsHowLongClientsStay: what the configuration says counts instead of what
// the target says; without it, unknown stays unknown.
func TestTheOperatorKnowsHowLongClientsStay(t *testing.T) {
	target := redirect.Target{Name: "t", Exec: &redirect.Exec{Command: []string{"true"}, Check: []string{"true"}}}
	for _, c := range []struct {
		configured plan.Stay
		say        string
	}{
		{plan.Stay{}, "clients stay with cluster-a for a time that is not known"},
		{plan.Stay{Known: true, New: 5 * time.Second, Open: 10 * time.Minute, Why: "as configured"}, "new connections leave cluster-a after at most 5 s (as configured), open ones after at most 10 min"},
		{plan.Stay{Known: true, Why: "as configured"}, "new connections leave cluster-a at once (as configured), open ones when they break"},
	} {
		target.Stay = c.configured
		r, _ := made(t, target)
		if got := only(t, r.Check(t.Context(), "orders", "cluster-b", nil)).Stay.Text("cluster-a"); got != c.say {
			t.Errorf("got %q, want %q", got, c.say)
		}
	}
}
