package doctor

import (
	"crypto/x509"
	"fmt"

	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/schema"
)

// kubernetesCertificates returns those that the kubeconfigs of the configuration name or hold,
// each once. A kubeconfig that cannot be used is a finding too.
func kubernetesCertificates(c schema.Config) []validity {
	var out []validity
	seen := map[schema.KubernetesAccess]bool{}
	for _, server := range wire.KubernetesServers(c) {
		if server.Kubeconfig == "" || seen[server] {
			continue
		}
		seen[server] = true
		name := fmt.Sprintf("context %s of %s", server.Context, server.Kubeconfig)
		client, authorities, err := wire.KubernetesCertificates(server)
		if err != nil {
			out = append(out, validity{subject: name, unreadable: err})
			continue
		}
		add := func(what string, data []byte, consequence string, each func(*validity, *x509.Certificate)) {
			if len(data) > 0 {
				e, err := validityIn(data, each)
				e.subject, e.unreadable, e.consequence = what+name, err, consequence
				out = append(out, e)
			}
		}
		add("our certificate in ", client, "the API server no longer accepts us", ofChain)
		add("the authority in ", authorities, "we no longer trust the API server", ofAuthorities)
	}
	return out
}
