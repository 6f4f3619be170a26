package reconcile_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestASlowGitMakesNoEvidenceOld: while Git is read before the intent, the rounds
// go on, so that the failover still rests on what is so.
func TestASlowGitMakesNoEvidenceOld(t *testing.T) {
	for _, test := range []struct {
		name  string
		back  bool // the old primary returns meanwhile
		until time.Duration
		want  outcome
	}{
		{"it stays away", false, 20 * time.Second, outcome{reconcile.OutcomeApplied, "", []string{reconciletest.Promote}, []string{"begin", "sent", "effected", "finish"}, false, 1, 1}},
		{"it returns", true, 20 * time.Second, outcome{outcome: reconcile.OutcomeBlocked, detail: "PRIMARY_"}},
		{"Git keeps silent", false, time.Hour, outcome{outcome: reconcile.OutcomeError, detail: "no answer within 30 s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := reconciletest.NewFixture(t)
				s.Apply.RereadGit = func(ctx context.Context) (reconcile.Wanted, error) {
					s.Clusters.Mu.Lock()
					s.Clusters.Instant = true // Git's silence moves the clock, not the rounds
					if test.back {
						s.Up("cluster-a")
					}
					s.Clusters.Mu.Unlock()
					for waited := time.Duration(0); waited < test.until; waited += 2 * time.Second {
						select {
						case <-time.After(2 * time.Second):
							s.Clusters.Clock.Pass(2 * time.Second)
						case <-ctx.Done():
							return reconcile.Wanted{}, context.Cause(ctx)
						}
					}
					return reconcile.Wanted{Changes: s.Apply.Changes}, nil
				}
				test.want.check(t, s, s.Run(t))
			})
		})
	}
}
