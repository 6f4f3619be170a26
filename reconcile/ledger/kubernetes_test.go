package ledger

import (
	"fmt"
	"testing"
	"time"

	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

func TestKubernetes(t *testing.T) {
	s := kubeserver.Start(t)
	s.Account(t, "reconcile", "any") // makes the namespace
	api := kubeapi.Config{Kubeconfig: s.Kubeconfig(t, s.Token), Context: "tests"}
	ledgers := 0
	conformance(t, func(t *testing.T) func(Options) *Ledger {
		ledgers++
		c := KubernetesConfig{API: api, Namespace: "reconcile", Name: fmt.Sprint("l", ledgers), TTL: 2 * time.Second}
		return func(o Options) *Ledger { return newKubernetes(t, c, o) }
	})
}

// newKubernetes opens a ledger in Kubernetes.
func newKubernetes(t *testing.T, c KubernetesConfig, o Options) *Ledger {
	t.Helper()
	l, err := Kubernetes(c, o)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}
