package ledger

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"milvus-reconcile/plan"
)

// TestManyCallersShareATransaction: what comes while the file is written goes into one
// transaction, and what the rules refuse to one caller is no matter of the others. A first
// sweep of 10,000 topologies took a transaction for each, and ended in the deadlines of those
// that waited for their turn.
func TestManyCallersShareATransaction(t *testing.T) {
	f := newFixture(t, func(t *testing.T) func(Options) *Ledger {
		path := filepath.Join(t.TempDir(), "ledger.db")
		return func(o Options) *Ledger {
			l, err := Embedded(path, o)
			must(t, err)
			return l
		}
	})
	must(t, f.lock("open").Begin(t.Context(), failover("open", 8, "d1")))
	b := f.store.(*embedded) //nolint:forcetypeassert // it was just made
	before := b.cached.number
	b.turn <- struct{}{} // nobody can write
	const many = 60
	var callers sync.WaitGroup
	spend := func(topology string) {
		err := f.SpendOnMatch(t.Context(), plan.GenerationMark{Topology: topology, Generation: 1, Document: "d"}, "c")
		if open := (*OpenIntentError)(nil); errors.As(err, &open) != (topology == "open") || topology != "open" && err != nil {
			t.Errorf("%s: %v", topology, err)
		}
	}
	waiting := func() int {
		f.together.mu.Lock()
		defer f.together.mu.Unlock()
		return len(f.together.waiting)
	}
	await := func(n int) {
		for waiting() != n || !busy(&f.together) {
			runtime.Gosched()
		}
	}
	callers.Go(func() { spend("first") })
	await(0) // its transaction waits for its turn
	for i := range many {
		callers.Go(func() { spend(fmt.Sprint("t", i)) })
	}
	callers.Go(func() { spend("open") })
	callers.Go(func() { spend("t0") }) // twice in one process
	await(many + 2)
	<-b.turn
	callers.Wait()
	if n := b.cached.number - before; n != 2 {
		t.Errorf("%d transactions", n)
	}
	same(t, len(f.read().Spent("")), many+2) // the first, and that of the failover
	same(t, len(f.read().Spent("t0")), 1)
}

// TestOnlyHeldLocksAreCounted: a record waits for those of other locks only while they are held.
func TestOnlyHeldLocksAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustEmbedded(t, path)
	for n, name := range []string{"a", "b"} {
		k, err := l.Lock(t.Context(), name, 0)
		must(t, err)
		same(t, l.held.Load(), int64(1))
		if n == 0 {
			_, err = l.Lock(t.Context(), name, 0)
			same(t, err != nil, true)
			same(t, l.held.Load(), int64(1))
		}
		must(t, k.Release())
		must(t, k.Release())
		same(t, l.held.Load(), int64(0))
	}
}

// busy says whether a transaction is under way.
func busy(t *together) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writing
}
