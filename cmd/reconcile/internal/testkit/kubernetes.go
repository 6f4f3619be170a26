package testkit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// LedgerNamespace is the namespace of docs/deploy/kubernetes/ledger.yaml.
const LedgerNamespace = "reconcile-ledger"

// NewReplicasInKubernetes starts n daemons that keep their ledger in a server of Kubernetes,
// as an account with the rights of the ledger. They observe a pair which is in sync.
func NewReplicasInKubernetes(t *testing.T, n int, s *kubeserver.Server) *Replicas {
	t.Helper()
	bearer := s.Granted(t, LedgerNamespace, "reconcile", kubeserver.LedgerGrants(t))
	lease := shortLease
	if n == 0 {
		lease = keptLease
	}
	setting := func(address string, lease time.Duration) string {
		through := *s
		through.URL = "https://" + address
		return fmt.Sprintf("{kubernetes: {namespace: %s, name: ledger, kubeconfig: %q, context: tests, ttl: %s}}",
			LedgerNamespace, through.Kubeconfig(t, bearer), lease)
	}
	return newReplicas(t, make([]string, n), lease, ledgerIn{strings.TrimPrefix(s.URL, "https://"), setting})
}
