package kubeserver

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Grants are verbs by resource, as "leases".
type Grants map[string][]string

// Without returns the grants without one verb of a resource.
func (g Grants) Without(resource, verb string) Grants {
	out := maps.Clone(g)
	out[resource] = slices.DeleteFunc(slices.Clone(g[resource]), func(v string) bool { return v == verb })
	return out
}

// LedgerGrants are the rights that docs/deploy/kubernetes/ledger.yaml gives.
func LedgerGrants(t testing.TB) Grants {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(workTree(t), "docs", "deploy", "kubernetes", "ledger.yaml"))
	must(t, err)
	out := Grants{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var role struct {
			Rules []struct{ Resources, Verbs []string }
		}
		must(t, yaml.Unmarshal([]byte(document), &role))
		for _, r := range role.Rules {
			for _, resource := range r.Resources {
				out[resource] = r.Verbs
			}
		}
	}
	return out
}

// groups are the API groups of the resources that a test may grant.
var groups = map[string]string{"configmaps": "", "leases": "coordination.k8s.io"}

// Granted returns a token of a service account that may do this in a namespace, and nothing
// else. It makes the namespace if there is none.
func (s *Server) Granted(t testing.TB, namespace, account string, g Grants) (bearer string) {
	t.Helper()
	if s.standIn != nil {
		return s.standIn.grant(namespace, account, g)
	}
	bearer = s.Account(t, namespace, account)
	var rules []string
	for _, resource := range slices.Sorted(maps.Keys(g)) {
		rules = append(rules, fmt.Sprintf("{apiGroups: [%q], resources: [%s], verbs: [%s]}", groups[resource], resource, strings.Join(g[resource], ", ")))
	}
	s.Apply(t, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %[2]s, namespace: %[1]s}
rules: [%[3]s]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %[2]s, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[2]s}
subjects: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]
`, namespace, account, strings.Join(rules, ", ")))
	for resource, verbs := range g {
		if slices.Contains(verbs, "get") { // the server learns of all rules at once
			s.AwaitRight(t, bearer, http.MethodGet, Path(namespace, resource, "none"))
			break
		}
	}
	return bearer
}

// Path returns where an object is served; without a name, where all of a namespace are.
func Path(namespace, resource, name string) string {
	group := "/api/v1"
	if groups[resource] != "" {
		group = "/apis/" + groups[resource] + "/v1"
	}
	return strings.TrimSuffix(group+"/namespaces/"+namespace+"/"+resource+"/"+name, "/")
}
