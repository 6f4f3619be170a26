package milvus

import (
	"context"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/permit"
)

// TestHalfPromotionIsToldAndNotSentAgain: it is told within seconds, the
// request goes once, and what a restart finishes is read back.
func TestHalfPromotionIsToldAndNotSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		begun  bool // by somebody else, before
		want   plan.StepStatus
		sends  int
		effect int
	}{
		"by our request":         {false, plan.StepDone, 1, 1},
		"by an earlier request":  {true, plan.StepAlready, 0, 0},
		"by a channel left over": {false, plan.StepDone, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			must(t, w.SetLink("a", "b", false))
			if strings.Contains(name, "channel") {
				must(t, w.DetachChannel("b", "b-rootcoord-dml_3", true))
			} else {
				must(t, w.HalfPromote("b", c.begun, 0))
			}
			told := 0
			r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{KnownHalfPromoted: c.begun, HalfPromoted: func(_ context.Context, lasted time.Duration) {
				if told++; lasted < halfSureAfter || lasted > 3*halfSureAfter {
					t.Errorf("told after %s", lasted)
				}
				must(t, w.Restart("b"))
			}})
			if r.Status != c.want || told == 0 || w.calls("b", updateMethod) != c.sends || w.State("b").BelievedRole != "standalone" {
				t.Errorf("%+v, told %d times, sent %d times", r, told, w.calls("b", updateMethod))
			}
		})
	}
}

// TestHalfPromotionSaysTheRemedy: who gives up is told what is wrong.
func TestHalfPromotionSaysTheRemedy(t *testing.T) {
	w := pair(t, "")
	must(t, w.HalfPromote("b", false, 0))
	ctx, cancel := context.WithCancel(w.ctx())
	r := w.fleet().Execute(ctx, w.topology, w.promote(), permit.Permit{HalfPromoted: func(context.Context, time.Duration) { cancel() }})
	if r.Status != plan.StepInDoubt || !strings.Contains(r.Detail, "PROMOTION_HALF_DONE") || !strings.Contains(r.Detail, "restart the coordinator of b") {
		t.Errorf("%+v", r)
	}
}

// TestChannelsAreRead: what the channels say is told from what the cluster stores.
func TestChannelsAreRead(t *testing.T) {
	read := func(w *world) plan.View { return w.observe(plan.Depth{Progress: true})["b"] }
	w := pair(t, "")
	if v := read(w); v.HalfPromoted() || len(v.Unattached()) != 0 {
		t.Errorf("a standby at rest: %+v", v.Unattached())
	}
	must(t, w.DetachChannel("b", "b-rootcoord-dml_3", true))
	if v := read(w); v.HalfPromoted() || len(v.Unattached()) != 1 {
		t.Errorf("with a detached channel: %+v", v.Unattached())
	}
	must(t, w.DetachChannel("b", "b-rootcoord-dml_3", false)) // live and salvage now
	if v := read(w); v.HalfPromoted() || len(v.Unattached()) != 0 {
		t.Errorf("attached again: %+v", v.Unattached())
	}
	must(t, w.HalfPromote("b", true, 0))
	if v := read(w); !v.HalfPromoted() {
		t.Errorf("half promoted: %+v", v.Progress)
	}
	must(t, w.Restart("b")) // which finishes it, right after the restart
	w.await(func() bool { return w.State("b").BelievedRole == "standalone" })
	if v := read(w); v.HalfPromoted() || v.Belief.Kind != plan.BeliefStandalone {
		t.Errorf("promoted: %+v", v.Belief)
	}
}
