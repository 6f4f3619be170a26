package kubeserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// Everything that the tests rely on is asked of both, in one order, and must be answered alike.
func TestStandInAnswersAsKubernetes(t *testing.T) {
	compare(t, StartStandIn(t), nil)
}

func TestKubernetesAnswersAsTheStandIn(t *testing.T) {
	compare(t, StartStandIn(t), Start(t))
}

// compare asks one server, and if there is another one, demands the same answers of it.
func compare(t *testing.T, first, second *Server) {
	t.Helper()
	servers := []*Server{first}
	if second != nil {
		servers = append(servers, second)
	}
	var got [2][]string
	for i, s := range servers {
		bearer := s.Granted(t, "data", "reader", Grants{"configmaps": {"get", "list"}, "leases": {"get"}})
		got[i] = conversation(t, s, bearer)
	}
	if d := cmp.Diff(got[0], got[1]); second != nil && d != "" {
		t.Errorf("the stand-in (-) and Kubernetes (+) answer differently:\n%s", d)
	}
}

// conversation returns the status and the reason of each answer.
func conversation(t *testing.T, s *Server, bearer string) []string {
	t.Helper()
	var out []string
	version, uid, next := "", "", ""
	ask := func(bearer, method, path string, body any) {
		t.Helper()
		status, raw := s.Call(t, bearer, method, path, body)
		var answer struct {
			Kind, Reason string
			Metadata     struct{ ResourceVersion, UID, Continue string }
			Items        []any
		}
		must(t, json.Unmarshal(raw, &answer))
		changed := answer.Metadata.ResourceVersion != version
		if answer.Kind == "ConfigMap" || answer.Kind == "Lease" {
			version, uid = answer.Metadata.ResourceVersion, answer.Metadata.UID
		}
		changed = changed && method == http.MethodPut && status == http.StatusOK
		path, _, _ = strings.Cut(path, "&continue=") // each server has its own form
		out = append(out, fmt.Sprintf("%s %s: %d %s, %d items, more: %t, a new version: %t", method, path, status, answer.Reason, len(answer.Items), answer.Metadata.Continue != "", changed))
		if answer.Items != nil {
			next = answer.Metadata.Continue
		}
	}
	maps, leases := Path("data", "configmaps", ""), Path("data", "leases", "")
	one := func(kind, text string, more map[string]any) map[string]any {
		o := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "one", "labels": map[string]any{"of": "x"}, "resourceVersion": version, "uid": uid}}
		if kind == "Lease" {
			o["apiVersion"], o["spec"] = "coordination.k8s.io/v1", map[string]any{"holderIdentity": text, "leaseDurationSeconds": 2, "renewTime": "2026-11-30T12:00:00.000001Z"}
		} else {
			o["data"] = map[string]any{"text": text}
		}
		for key, value := range more {
			o[key] = value
		}
		return o
	}
	stale := func(o map[string]any, field, value string) map[string]any {
		o["metadata"].(map[string]any)[field] = value
		return o
	}
	ask("nobody", http.MethodGet, maps, nil)
	ask(bearer, http.MethodPost, maps, one("ConfigMap", "a", nil))
	ask(bearer, http.MethodGet, maps+"/one", nil)
	for _, kind := range []string{"ConfigMap", "Lease"} {
		path := map[string]string{"ConfigMap": maps, "Lease": leases}[kind]
		version, uid = "", ""
		ask(s.Token, http.MethodPut, path+"/one", stale(one(kind, "a", nil), "resourceVersion", "1")) // makes a Lease
		ask(s.Token, http.MethodDelete, path+"/one", nil)
		version, uid = "", ""
		ask(s.Token, http.MethodPost, path+"?dryRun=All", one(kind, "a", nil))
		version, uid = "", ""
		ask(s.Token, http.MethodPost, path, one(kind, "a", nil))
		ask(s.Token, http.MethodPost, path, stale(stale(one(kind, "a", nil), "resourceVersion", ""), "uid", ""))
		ask(s.Token, http.MethodPut, path+"/one", one(kind, "a", nil)) // nothing changes
		ask(s.Token, http.MethodPut, path+"/one", one(kind, "b", nil))
		ask(s.Token, http.MethodPut, path+"/one", stale(one(kind, "c", nil), "resourceVersion", "1"))
		ask(s.Token, http.MethodPut, path+"/one", stale(one(kind, "c", nil), "uid", "another"))
		ask(s.Token, http.MethodPut, path+"/one?dryRun=All", one(kind, "c", nil))
		ask(s.Token, http.MethodGet, path+"/one", nil)
		ask(s.Token, http.MethodGet, path+"?labelSelector=of%3Dx&limit=1", nil)
		ask(s.Token, http.MethodGet, path+"?labelSelector=of%3Dy", nil)
	}
	version, uid = "", ""
	ask(s.Token, http.MethodPost, maps, stale(one("ConfigMap", "a", nil), "name", "two"))
	ask(s.Token, http.MethodGet, maps+"?labelSelector=of%3Dx,of&limit=1", nil)
	ask(s.Token, http.MethodGet, maps+"?labelSelector=of%3Dx,of&limit=1&continue="+url.QueryEscape(next), nil)
	ask(s.Token, http.MethodGet, maps+"?labelSelector=of%3Dx,other", nil)
	version, uid = "", ""
	ask(s.Token, http.MethodGet, maps+"/one", nil)
	ask(s.Token, http.MethodPut, maps+"/one", one("ConfigMap", strings.Repeat("x", 1<<20+1), nil))
	ask(s.Token, http.MethodPut, maps+"/one", one("ConfigMap", strings.Repeat("x", 900<<10), nil))
	ask(s.Token, http.MethodPut, maps+"/one", one("ConfigMap", "d", map[string]any{"immutable": true}))
	ask(s.Token, http.MethodPut, maps+"/one", one("ConfigMap", "e", map[string]any{"immutable": true}))
	ask(s.Token, http.MethodDelete, maps+"/one", nil)
	ask(s.Token, http.MethodGet, maps+"/one", nil)
	return out
}
