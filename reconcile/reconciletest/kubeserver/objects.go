package kubeserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// Call sends a request with a token and returns the status of the answer and its text.
func (s *Server) Call(t testing.TB, bearer, method, path string, body any) (int, []byte) {
	t.Helper()
	var raw []byte
	if body != nil {
		var err error
		raw, err = json.Marshal(body)
		must(t, err)
	}
	status, answer, err := s.do(t.Context(), bearer, method, path, "application/json", raw)
	must(t, err)
	return status, answer
}

// Do sends a request as administrator, which must succeed, and reads the answer into out, if
// it is not nil.
func (s *Server) Do(t testing.TB, method, path string, body, out any) {
	t.Helper()
	status, answer := s.Call(t, s.Token, method, path, body)
	if status >= http.StatusMultipleChoices {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if out != nil {
		must(t, json.Unmarshal(answer, out))
	}
}

// Apply applies each document of a manifest as `kubectl apply --server-side` does, as
// administrator. An object without a namespace of its own comes into default.
func (s *Server) Apply(t testing.TB, manifest string) {
	t.Helper()
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		raw, err := yaml.YAMLToJSON([]byte(document))
		must(t, err)
		if bytes.Equal(raw, []byte("null")) {
			continue
		}
		path := s.path(t, raw) + "?fieldManager=tests&force=true"
		status, answer, err := s.do(t.Context(), s.Token, http.MethodPatch, path, "application/apply-patch+yaml", raw)
		must(t, err)
		if status >= http.StatusMultipleChoices {
			t.Fatalf("apply %s: %d %s", path, status, answer)
		}
	}
}

// path returns where an object is served.
func (s *Server) path(t testing.TB, raw []byte) string {
	t.Helper()
	var o struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	must(t, json.Unmarshal(raw, &o))
	group := "/apis/" + o.APIVersion
	if !strings.Contains(o.APIVersion, "/") {
		group = "/api/" + o.APIVersion
	}
	var served struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	s.Do(t, http.MethodGet, group, nil, &served)
	for _, r := range served.Resources {
		if r.Kind != o.Kind || strings.Contains(r.Name, "/") {
			continue
		}
		if !r.Namespaced {
			return fmt.Sprintf("%s/%s/%s", group, r.Name, o.Metadata.Name)
		}
		if o.Metadata.Namespace == "" {
			o.Metadata.Namespace = "default"
		}
		return fmt.Sprintf("%s/namespaces/%s/%s/%s", group, o.Metadata.Namespace, r.Name, o.Metadata.Name)
	}
	t.Fatalf("%s serves no %s", group, o.Kind)
	return ""
}

// Account makes the service account of a namespace, if there is none, and returns a token of
// it. It has no rights but those that its roles give.
func (s *Server) Account(t testing.TB, namespace, name string) (bearer string) {
	t.Helper()
	s.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s, namespace: %s}\n", namespace, name, namespace))
	var out struct{ Status struct{ Token string } }
	path := fmt.Sprintf("/api/v1/namespaces/%s/serviceaccounts/%s/token", namespace, name)
	s.Do(t, http.MethodPost, path, map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{}}, &out)
	return out.Status.Token
}

// Kubeconfig writes a kubeconfig with a token and returns its path.
func (s *Server) Kubeconfig(t testing.TB, bearer string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(path, []byte(fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: tests
contexts: [{name: tests, context: {cluster: tests, user: tests}}]
clusters: [{name: tests, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: tests, user: {token: %q}}]
`, s.URL, s.CA, bearer)), 0o600))
	return path
}

// AwaitRight waits until a token may do something: the server learns of a new role a moment
// after it was written.
func (s *Server) AwaitRight(t testing.TB, bearer, method, path string) {
	t.Helper()
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(20 * time.Millisecond) {
		status, answer := s.Call(t, bearer, method, path, nil)
		if status != http.StatusForbidden {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s stays forbidden: %s", method, path, answer)
		}
	}
}
