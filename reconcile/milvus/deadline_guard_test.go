package milvus

import (
	"context"
	"errors"
	"testing"
	"time"

	"milvus-reconcile/reconcile/permit"
)

// asleep is a context whose deadline has passed while its timer had no turn
// yet, as in a process that was stopped and has just woken up.
type asleep struct{ context.Context }

func (asleep) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// TestDeadlineGuard: what has become too late is not sent, even if nothing but the
// clock says so; what is not too late is.
func TestDeadlineGuard(t *testing.T) {
	for name, c := range map[string]struct {
		sleep  bool
		answer answer
		calls  int
	}{
		"in time":  {false, accepted, 1},
		"too late": {true, unsent, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := converged(t)
			cutOff(w)
			x, err := w.fleet().prepare(w.topology, w.promote(), permit.Permit{})
			must(t, err)
			ctx := w.ctx()
			if c.sleep {
				ctx = asleep{ctx}
			}
			got, err := x.sendRequest(ctx)
			if got != c.answer || c.sleep && !errors.Is(err, errTooLate) || !c.sleep && err != nil {
				t.Errorf("%v: %v", got, err)
			}
			if n := w.calls("b", updateMethod); n != c.calls {
				t.Errorf("%d requests arrived, want %d", n, c.calls)
			}
		})
	}
}

func TestDeadlineGuardReadsTheClock(t *testing.T) {
	for name, c := range map[string]struct {
		left time.Duration
		late bool
	}{
		"no deadline": {0, false}, "in time": {time.Minute, false}, "too late": {-time.Nanosecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if c.left != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, time.Now().Add(c.left))
				defer cancel()
			}
			l := &deadlineGuard{}
			if _, err := l.GetRequestMetadata(ctx); l.tooLate != c.late || (err != nil) != c.late {
				t.Errorf("too late: %v, %v", l.tooLate, err)
			}
		})
	}
}
