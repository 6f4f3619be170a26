package daemon_test

import (
	"context"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// slowChecker answers when it is let go.
type slowChecker struct{ asked, release chan string }

func (s slowChecker) Check(ctx context.Context, topology, primary string, _ []string) []plan.TrafficState {
	s.asked <- primary
	detail := <-s.release
	if ctx.Err() != nil {
		detail = "the question ended with its pass"
	}
	return []plan.TrafficState{{Topology: topology, Target: "lb", OK: detail == "", Detail: detail}}
}

// TestAHangingTargetHoldsUpNoPass: each Check returns at once; the answer
// comes with a later one, if the question is still the same.
func TestAHangingTargetHoldsUpNoPass(t *testing.T) {
	slow := slowChecker{make(chan string, 9), make(chan string)}
	t.Cleanup(func() { close(slow.release) })
	c, _ := daemon.InBackground(slow, nil)
	check := func(primary string) []plan.TrafficState {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel() // the pass ends, the question does not
		return c.Check(ctx, "orders", primary, []string{"cluster-c"})
	}
	eventually := func(primary, detail string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			if got := check(primary); len(got) == 1 && got[0].Detail == detail {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("got %+v, want %q", got, detail)
			}
			<-time.After(time.Millisecond)
		}
	}
	for range 3 {
		if got := check("cluster-a"); len(got) != 0 {
			t.Fatalf("nothing was answered, got %+v", got)
		}
	}
	slow.release <- "refused"
	eventually("cluster-a", "refused")
	if got := check("cluster-b"); len(got) != 0 {
		t.Errorf("another question got the answer %+v", got)
	}
	slow.release <- "of cluster-a" // the question asked before, answered too late
	for deadline := time.Now().Add(10 * time.Second); len(slow.asked) < 3; {
		if got := check("cluster-b"); len(got) != 0 || time.Now().After(deadline) {
			t.Fatalf("got %+v, asked %d times", got, len(slow.asked))
		}
		<-time.After(time.Millisecond)
	}
	slow.release <- "of cluster-b"
	eventually("cluster-b", "of cluster-b")
	if first, second := <-slow.asked, <-slow.asked; first != "cluster-a" || second != "cluster-a" {
		t.Errorf("asked about %s and %s at first", first, second)
	}
}

// letters is a checker whose answers a test gives one by one.
type letters chan chan []plan.TrafficState

func (l letters) Check(context.Context, string, string, []string) []plan.TrafficState {
	reply := make(chan []plan.TrafficState)
	l <- reply
	return <-reply
}

// TestWhatWasAskedBeforeTrafficWasSetIsForgotten: what setting it came to is the
// answer, until somebody asks again.
func TestWhatWasAskedBeforeTrafficWasSetIsForgotten(t *testing.T) {
	questions := make(letters)
	c, r := daemon.InBackground(questions, reconciletest.Redirect{})
	known := func() []plan.TrafficState { return c.Check(t.Context(), "orders", "cluster-b", nil) }
	known()
	before := <-questions
	r.Set(t.Context(), "orders", "cluster-b", nil)
	known()
	after := <-questions // next to the first, which nobody hears
	before <- []plan.TrafficState{{Target: "lb", Detail: "it points elsewhere"}}
	after <- []plan.TrafficState{{Target: "lb", OK: true, Detail: "asked again"}}
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(time.Millisecond) {
		got := known()
		if len(got) != 1 || !got[0].OK || time.Now().After(deadline) {
			t.Fatalf("got %+v", got)
		}
		if got[0].Detail == "asked again" {
			break
		}
	}
	(<-questions) <- nil // of the last that was asked
}
