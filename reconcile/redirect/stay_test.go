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
		for what, states := range map[string][]plan.TrafficState{
			"a check": r.Check(t.Context(), "orders", "cluster-b", nil), "a set": r.Set(t.Context(), "orders", "cluster-b", nil),
		} {
			if got := only(t, states).Stay.Text("cluster-a"); got != c.say {
				t.Errorf("%s: got %q, want %q", what, got, c.say)
			}
		}
	}
}

// TestATargetWithoutACheckIsNamed: a plan says of it, too, for how long clients stay.
func TestATargetWithoutACheckIsNamed(t *testing.T) {
	for _, stay := range []plan.Stay{{}, {Known: true, New: 5 * time.Second, Why: "as configured"}} {
		r, _ := made(t, redirect.Target{Name: "t", Stay: stay, Exec: &redirect.Exec{Command: []string{"true"}}})
		want := plan.TrafficState{Topology: "orders", Target: "t", OK: true, Unasked: true, Stay: stay}
		if got := only(t, r.Check(t.Context(), "orders", "cluster-b", nil)); got != want {
			t.Errorf("got %+v", got)
		}
	}
}

// TestASetSaysWhatItSaw: a target that has a check says within which time it was seen to lead
// to the primary, over all attempts; one without says nothing.
func TestASetSaysWhatItSaw(t *testing.T) {
	late := script(t, `[ "$(wc -l <"$0.asked")" -ge 3 ]`)
	for _, c := range []struct {
		name, want string
		exec       redirect.Exec
	}{
		{"at once", "within 0 s", redirect.Exec{Command: []string{"true"}, Check: []string{"true"}}},
		{"at the third attempt", "within 3 s", redirect.Exec{Command: []string{"sh", "-c", `echo >>"` + late + `.asked"`}, Check: []string{late}}},
		{"no check", "", redirect.Exec{Command: []string{"true"}}},
		{"never", "", redirect.Exec{Command: []string{"true"}, Check: []string{"false"}}},
	} {
		r, _ := made(t, redirect.Target{Name: "t", Exec: &c.exec})
		if got := only(t, r.Set(t.Context(), "orders", "cluster-b", nil)).Seen; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
