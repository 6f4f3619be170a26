package crash

import (
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// TestKubernetesReplicas runs two daemons on a ledger in Kubernetes, cuts the leader off in the
// middle of a failover, and demands that the other finishes it, and that only one force
// promote ever took effect.
func TestKubernetesReplicas(t *testing.T) {
	t.Parallel()
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		d := testkit.NewReplicasInKubernetes(t, 2, s)
		d.Lose(t)
		leader := d.Leader(t)
		d.Post(t, "/clusters/b/faults", `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"1500ms","times":1}`)
		d.FailOver(t)
		d.Await(t, "the force promote to be under way", func() bool { return len(d.Promotions(t)) > 0 })
		leader.Line.Cut()
		d.Await(t, "another to lead", func() bool { return d.Leads(leader) })
		d.Await(t, "the failover to be finished", func() bool { return d.Applied() })
		d.Await(t, "the one that was cut off to notice", leader.Says("the leadership was lost"))
		leader.Line.Heal()
		d.Await(t, "it to wait for the new leader", leader.Says("leads: this process observes and waits"))
		d.Judge(t)
		d.SameDocument(t, 2, "b")
	})
}
