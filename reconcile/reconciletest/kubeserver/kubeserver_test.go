package kubeserver

import (
	"net/http"
	"testing"
)

func TestKubernetesHasRBACAndComparesVersions(t *testing.T) {
	s := Start(t)
	bearer := s.Account(t, "data", "reader")
	const path = "/api/v1/namespaces/data/configmaps"
	if status, _ := s.Call(t, bearer, http.MethodGet, path, nil); status != http.StatusForbidden {
		t.Errorf("without a role: %d", status)
	}
	s.Apply(t, `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: data}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: data}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: data}]
`)
	s.AwaitRight(t, bearer, http.MethodGet, path)
	if status, _ := s.Call(t, bearer, http.MethodPost, path, object("x", "")); status != http.StatusForbidden {
		t.Errorf("a verb that the role lacks: %d", status)
	}
	var made struct {
		Metadata struct{ ResourceVersion string }
	}
	s.Do(t, http.MethodPost, path, object("x", ""), &made)
	s.Do(t, http.MethodPut, path+"/x", object("x", made.Metadata.ResourceVersion), nil)
	if status, _ := s.Call(t, s.Token, http.MethodPut, path+"/x", object("x", made.Metadata.ResourceVersion)); status != http.StatusConflict {
		t.Errorf("a version that was replaced: %d", status)
	}
}

func object(name, version string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]string{"version": version},
		"metadata": map[string]string{"name": name, "resourceVersion": version},
	}
}
