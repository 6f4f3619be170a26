package daemon_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

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
			s := reconciletest.NewFixture(t)
			d := newTestLoop(t, s)
			was := d.git.revision
			var once atomic.Bool
			s.Ledger.OnLock = func(func()) {
				if !once.Swap(true) {
					d.git.set(test.change)
				}
			}
			d.start(t, d.settings())
			d.await(t, "the refusal", func() bool {
				o, _ := d.loop.Board().Snapshot().Topology("orders")
				return d.countEvents(daemon.EventResult, test.said) > 0 || strings.HasSuffix(test.said, o.Decision.Code) && o.Decision.Code != "" || test.name == "another commit governs" && once.Load()
			})
			if got := d.sentTo(); len(got) > 0 {
				t.Fatalf("sent %q", got)
			}
			d.git.set(func(g *tip) { g.revision, g.err = was, nil })
			d.await(t, "the promotion", func() bool { return len(d.sentTo()) == 1 })
		})
	}
}
