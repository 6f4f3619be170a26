package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
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
		{"it stays away", false, 20 * time.Second, outcome{reconcile.OutcomeApplied, "", []string{promote}, []string{"begin", "sent", "effected", "finish"}, false, 1, 1}},
		{"it returns", true, 20 * time.Second, outcome{outcome: reconcile.OutcomeBlocked, detail: "PRIMARY_"}},
		{"Git keeps silent", false, time.Hour, outcome{outcome: reconcile.OutcomeError, detail: "no answer within 30 s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStory(t)
				s.apply.Again = func(ctx context.Context) (reconcile.Wanted, error) {
					if test.back {
						s.world.mu.Lock()
						s.up("cluster-a")
						s.world.mu.Unlock()
					}
					for waited := time.Duration(0); waited < test.until; waited += 2 * time.Second {
						select {
						case <-time.After(2 * time.Second):
							s.world.clock.pass(2 * time.Second)
						case <-ctx.Done():
							return reconcile.Wanted{}, context.Cause(ctx)
						}
					}
					return reconcile.Wanted{Changes: s.apply.Changes}, nil
				}
				test.want.check(t, s, s.run(t))
			})
		})
	}
}

// TestLoopReadsGitAgain: the daemon knows an approval, which is withdrawn before it
// acts, or Git cannot be read then. It acts as soon as both are as they should be.
func TestLoopReadsGitAgain(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*tip)
		said   string
	}{
		{"withdrawn", func(g *tip) { g.revision.Changes = map[string]approval.Change{} }, "not_approved: APPROVAL_MISSING"},
		{"another commit governs", func(g *tip) {
			c := g.revision.Changes["orders"]
			c.Commit = "beef"
			g.revision.Changes = map[string]approval.Change{"orders": c}
		}, "blocked: blocked by SUPERSEDED"},
		{"Git is gone", func(g *tip) { g.err = errors.New("the forge is down") }, "error: GIT_UNREADABLE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			d := newDaemon(t, s)
			was := d.git.revision
			var once atomic.Bool
			s.book.onLock = func(func()) {
				if !once.Swap(true) {
					d.git.set(test.change)
				}
			}
			d.start(t, d.settings())
			d.await(t, "the refusal", func() bool {
				o, _ := d.loop.Board().Snapshot().Topology("orders")
				return d.heard(reconcile.EventResult, test.said) > 0 || strings.HasSuffix(test.said, o.Decision.Code) && o.Decision.Code != "" || test.name == "another commit governs" && once.Load()
			})
			if got := d.sentTo(); len(got) > 0 {
				t.Fatalf("sent %q", got)
			}
			d.git.set(func(g *tip) { g.revision, g.err = was, nil })
			d.await(t, "the promotion", func() bool { return len(d.sentTo()) == 1 })
		})
	}
}
