package crash

import (
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestReplicas runs two or three daemons on a ledger in a real etcd, takes the
// leader away in the middle of a failover, and demands that another finishes
// it, and that only one force promote ever took effect.
func TestReplicas(t *testing.T) {
	for _, c := range []struct {
		name    string
		daemons int
		take    func(*testkit.Replica)
		after   func(*testing.T, *testkit.Replicas, *testkit.Replica) // once the failover is finished
	}{
		{"the leader is killed", 2, func(r *testkit.Replica) { _ = r.Cmd.Process.Kill() }, nil},
		{"one of three is killed", 3, func(r *testkit.Replica) { _ = r.Cmd.Process.Kill() }, nil},
		{
			"the leader is stopped for a while", 2, func(r *testkit.Replica) { _ = r.Cmd.Process.Signal(syscall.SIGSTOP) },
			func(t *testing.T, d *testkit.Replicas, r *testkit.Replica) {
				if err := r.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
				d.Await(t, "the one that was stopped to notice", r.Says("the leadership was lost"))
			},
		},
		{
			"the leader is cut off from etcd", 2, func(r *testkit.Replica) { r.Line.Cut() },
			func(t *testing.T, d *testkit.Replicas, r *testkit.Replica) {
				d.Await(t, "the one that was cut off to notice", r.Says("the leadership was lost"))
				r.Line.Heal()
				d.Await(t, "it to wait for the new leader", r.Says("leads: this process observes and waits"))
			},
		},
		{"the leader is asked to end", 2, func(r *testkit.Replica) { _ = r.Cmd.Process.Signal(syscall.SIGTERM) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := testkit.NewReplicas(t, c.daemons)
			leader := d.Leader(t)
			d.Post(t, "/clusters/b/faults", `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"1500ms","times":1}`)
			d.FailOver(t)
			d.Await(t, "the force promote to be under way", func() bool { return len(d.Promotions(t)) > 0 })
			began := time.Now()
			c.take(leader)
			d.Await(t, "another to lead", func() bool { return d.Leads(leader) })
			t.Logf("another leads after %s", time.Since(began).Round(time.Millisecond))
			d.Await(t, "the failover to be finished", func() bool { return d.Applied() })
			t.Logf("the failover is finished after %s", time.Since(began).Round(time.Millisecond))
			if c.after != nil {
				c.after(t, d, leader)
			}
			d.Judge(t)
			d.SameDocument(t, 2, "b")
		})
	}
}
