package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// pausing is a ledger that lets time pass when a call is about to be sent.
type pausing struct {
	*reconciletest.Ledger
	pause func()
}

func (p pausing) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	r, err := p.Ledger.Lock(ctx, topology, wait)
	return pausingRight{r, p.pause}, err
}

type pausingRight struct {
	reconcile.HeldLock
	pause func()
}

func (r pausingRight) Sent(ctx context.Context) error {
	r.pause()
	return r.HeldLock.Sent(ctx)
}

// TestResendNeedsFreshEvidence: before the same request goes again, the world
// is looked at again.
func TestResendNeedsFreshEvidence(t *testing.T) {
	for _, test := range []struct {
		name    string
		between func(*reconciletest.Fixture)
		want    string // a part of what forbids it; empty: it may go
	}{
		{"nothing changed", func(*reconciletest.Fixture) {}, ""},
		{"the attempt took a minute", func(s *reconciletest.Fixture) { s.Clusters.Clock.Pass(time.Minute) }, ""},
		{"the old primary is back", func(s *reconciletest.Fixture) { s.Up("cluster-a") }, "PRIMARY_REACHABLE"},
		{"the old primary half answers", func(s *reconciletest.Fixture) {
			s.Clusters.Set("cluster-a", func(v *plan.View) { v.Reach, v.Class = plan.ReachDegraded, plan.ClassTimeout })
		}, "PRIMARY_NOT_SERVING"},
		{"the candidate is silent", func(s *reconciletest.Fixture) {
			s.Clusters.Set("cluster-b", func(v *plan.View) { v.Reach = plan.ReachUnreachable })
		}, "PRIMARY_NOT_PROBED"},
		{"the checkpoint moves", func(s *reconciletest.Fixture) {
			s.Clusters.OnRound = func(w *reconciletest.Clusters, n int) {
				w.Set("cluster-b", func(v *plan.View) {
					v.Progress = slices.Clone(v.Progress)
					v.Progress[0].TimeTick += uint64(n)
				})
			}
		}, "PRIMARY_"},
		{"the approval expired", func(s *reconciletest.Fixture) { s.Clusters.Clock.Pass(3 * time.Hour) }, "approval ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			var said error
			s.Actor.Answers["cluster-b"] = func(ctx context.Context, still func(context.Context) error) reconcile.StepResult {
				s.Clusters.Mu.Lock()
				test.between(s)
				s.Clusters.Mu.Unlock()
				said = still(ctx)
				return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true}
			}
			s.Run(t)
			if (said == nil) != (test.want == "") || said != nil && !strings.Contains(said.Error(), test.want) {
				t.Errorf("still said %v, want %q", said, test.want)
			}
		})
	}
}

// TestLostLockForbidsTheNextRequest: with the lock the right to send again goes.
func TestLostLockForbidsTheNextRequest(t *testing.T) {
	s := reconciletest.NewFixture(t)
	var lose func()
	s.Ledger.OnLock = func(lost func()) { lose = lost }
	var said error
	s.Actor.Answers["cluster-b"] = func(ctx context.Context, still func(context.Context) error) reconcile.StepResult {
		lose()
		<-ctx.Done()
		said = still(ctx)
		return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true}
	}
	outcome{reconcile.OutcomeUnverified, "", []string{reconciletest.Promote}, []string{"begin", "sent"}, true, 1, 1}.check(t, s, s.Run(t))
	if said == nil || !strings.Contains(said.Error(), "lock was lost") {
		t.Errorf("still said %v after the lock was lost", said)
	}
}
