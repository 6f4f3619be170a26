package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestWaitingIsTold: what is waited for, for how long at most, and that it still
// goes on.
func TestWaitingIsTold(t *testing.T) {
	want := []string{
		"force_promote: waiting until cluster-b is read back with it, at most 1 min",
		"force_promote: waiting until cluster-b is read back with it, 10 s so far, at most 1 min",
		"force_promote: waiting until cluster-b is read back with it, 20 s so far, at most 1 min",
	}
	t.Run("to who watches", func(t *testing.T) { tellsOfWaiting(t, false, want) })
	t.Run("to what keeps every line", func(t *testing.T) { tellsOfWaiting(t, true, want[:1]) })
}

func tellsOfWaiting(t *testing.T, once bool, want []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := reconciletest.NewFixture(t)
		s.Apply.TellOnce = once
		var mu sync.Mutex
		var told []string
		s.Apply.Tell = func(_, text string) { mu.Lock(); defer mu.Unlock(); told = append(told, text) }
		s.Actor.Answers["cluster-b"] = func(context.Context, func(context.Context) error) reconcile.StepResult {
			time.Sleep(25 * time.Second) // in the bubble's time
			return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Apply.Run(ctx); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		told = slices.DeleteFunc(told, func(text string) bool { return !strings.Contains(text, "force_promote") })
		if !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
	})
}
