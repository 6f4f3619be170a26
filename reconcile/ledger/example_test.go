package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/ledger"
)

// One failover as the ledger sees it. The intent and the approval that it spends are
// one record, written before anything is sent; a second lock on the topology is
// refused until the first is released.
func Example() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, now := context.Background(), time.Date(2026, 11, 22, 20, 41, 0, 0, time.UTC)
	l, err := ledger.Embedded(filepath.Join(dir, "ledger.db"), ledger.Options{Clock: func() time.Time { return now }})
	if err != nil {
		panic(err)
	}
	defer l.Close()
	_, isNew, err := l.Ensure(ctx)
	fmt.Println("new:", isNew, err)

	lock, err := l.Lock(ctx, "orders", 0)
	if err != nil {
		panic(err)
	}
	_, err = l.Lock(ctx, "orders", 0)
	fmt.Println("a second lock is refused:", err != nil)

	err = lock.Begin(ctx, ledger.Beginning{
		Intent: plan.Intent{
			Topology: "orders", Transition: plan.TransitionFailover, Generation: 8, Commit: strings.Repeat("1", 40), Digest: "sha256:3f9c", At: now,
			Steps: []plan.Step{{ID: 1, Action: plan.ActionForcePromote, Cluster: "cluster-b"}},
		},
		Document: "sha256:77aa", Payloads: []string{strings.Repeat("a", 64)}, By: []string{"alice@example.com"},
		Stale: []plan.StaleMark{{Cluster: "cluster-a", Topology: "orders", Since: now, Promoted: "cluster-b"}},
	})
	fmt.Println("begun:", err)
	fmt.Println(lock.Sent(ctx), lock.Effected(ctx), lock.Finish(ctx, "applied", ""), lock.Release())

	s, err := l.Read(ctx)
	if err != nil {
		panic(err)
	}
	for _, r := range s.History("orders") {
		fmt.Println(r.Seq, r.Kind, r.Transition, r.By)
	}
	fmt.Println("stale:", s.Memory().Stale[0].Cluster)

	// Output:
	// new: true <nil>
	// a second lock is refused: true
	// begun: <nil>
	// <nil> <nil> <nil> <nil>
	// 2 intent failover [alice@example.com]
	// 3 sent failover []
	// 4 effected failover []
	// 5 result failover []
	// stale: cluster-a
}
