package docs

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// helmRun is the real helm, with a kubeconfig.
type helmRun struct {
	program, kubeconfig string
}

func (h helmRun) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.program, append(args, "--kubeconfig", h.kubeconfig, "--namespace", "reconcile")...)
	cmd.Dir = testkit.Repository()
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("helm %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestChartInstallsInKubernetes installs the chart with the real helm on a real API server, as
// docs/deploy.md says, and asks that server what the service account may do, and whether it lets
// the pods in.
func TestChartInstallsInKubernetes(t *testing.T) {
	s := kubeserver.Start(t)
	helm := helmRun{filepath.Join(testkit.Repository(), "bin", "helm"), s.Kubeconfig(t, s.Token)}
	const chart = "docs/deploy/helm/reconcile"
	// The Prometheus Operator is not there.
	with := []string{"-f", "docs/deploy/kubernetes/values.yaml", "--set", "namespace.create=false,serviceMonitor.enabled=false,rules.enabled=false"}
	bearer := s.Account(t, "reconcile", "nobody")
	helm.run(t, append([]string{"install", "reconcile", chart}, with...)...)

	before := deployed(t, s)
	if before.Spec.Replicas != 2 {
		t.Errorf("%d replicas", before.Spec.Replicas)
	}
	admits(t, s, before.Spec.Template)
	hasOnlyItsRights(t, s, bearer)

	helm.run(t, append([]string{"upgrade", "reconcile", chart, "--set", "configuration.mode=apply"}, with...)...)
	if after := deployed(t, s); after.Spec.Template.Metadata.Annotations["reconcile/configuration"] == before.Spec.Template.Metadata.Annotations["reconcile/configuration"] {
		t.Error("a change of the configuration replaces no pod")
	}

	listsDeployments(t, s, func(more ...string) {
		helm.run(t, append(append([]string{"upgrade", "reconcile", chart}, with...), more...)...)
	})

	s.Apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ledger, namespace: reconcile-ledger}\n")
	helm.run(t, "uninstall", "reconcile")
	if status, _ := s.Call(t, s.Token, http.MethodGet, "/apis/apps/v1/namespaces/reconcile/deployments/reconcile", nil); status != http.StatusNotFound {
		t.Errorf("after uninstall the deployment answers %d", status)
	}
	var namespace struct{ Status struct{ Phase string } }
	s.Do(t, http.MethodGet, "/api/v1/namespaces/reconcile-ledger", nil, &namespace)
	if status, _ := s.Call(t, s.Token, http.MethodGet, "/api/v1/namespaces/reconcile-ledger/configmaps/ledger", nil); status != http.StatusOK || namespace.Status.Phase != "Active" {
		t.Errorf("uninstall touches the ledger: %d, the namespace is %s", status, namespace.Status.Phase)
	}
}

// podTemplate is what a Deployment says of its pods.
type podTemplate struct {
	Metadata struct {
		Labels, Annotations map[string]string
	} `json:"metadata"`
	Spec json.RawMessage `json:"spec"`
}

type deployment struct {
	Spec struct {
		Replicas int
		Template podTemplate
	}
}

func deployed(t *testing.T, s *kubeserver.Server) deployment {
	t.Helper()
	var d deployment
	s.Do(t, http.MethodGet, "/apis/apps/v1/namespaces/reconcile/deployments/reconcile", nil, &d)
	return d
}

// admits has the server judge a pod of the deployment in a namespace that enforces `restricted`,
// without making it.
func admits(t *testing.T, s *kubeserver.Server, of podTemplate) {
	t.Helper()
	s.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: restricted, labels: {pod-security.kubernetes.io/enforce: restricted}}\n")
	pod := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "one", "labels": of.Metadata.Labels}, "spec": of.Spec}
	if status, answer := s.Call(t, s.Token, http.MethodPost, "/api/v1/namespaces/restricted/pods?dryRun=All", pod); status != http.StatusCreated {
		t.Errorf("the pod is refused: %d %s", status, answer)
	}
	pod["spec"] = map[string]any{"containers": []any{map[string]any{"name": "c", "image": "i"}}}
	if status, _ := s.Call(t, s.Token, http.MethodPost, "/api/v1/namespaces/restricted/pods?dryRun=All", pod); status != http.StatusForbidden {
		t.Errorf("the namespace admits any pod: %d", status)
	}
}

// hasOnlyItsRights asks the server what the service account of the chart may do.
func hasOnlyItsRights(t *testing.T, s *kubeserver.Server, other string) {
	t.Helper()
	own := s.Account(t, "reconcile", "reconcile")
	s.AwaitRight(t, own, http.MethodGet, "/api/v1/namespaces/reconcile-ledger/configmaps/ledger")
	s.AwaitRight(t, own, http.MethodGet, "/apis/reconcile.milvus.io/v1alpha1/namespaces/reconcile/replicationtopologystatuses")
	for what, c := range map[string]struct {
		method, path string
		allowed      bool
	}{
		"read the ledger":          {http.MethodGet, "/api/v1/namespaces/reconcile-ledger/configmaps/ledger", true},
		"list its locks":           {http.MethodGet, "/apis/coordination.k8s.io/v1/namespaces/reconcile-ledger/leases", true},
		"write objects":            {http.MethodGet, "/apis/reconcile.milvus.io/v1alpha1/namespaces/reconcile/replicationtopologystatuses", true},
		"delete the ledger":        {http.MethodDelete, "/api/v1/namespaces/reconcile-ledger/configmaps/ledger", false},
		"read Secrets":             {http.MethodGet, "/api/v1/namespaces/reconcile/secrets/reconcile", false},
		"read other configuration": {http.MethodGet, "/api/v1/namespaces/reconcile/configmaps/reconcile", false},
		"change itself":            {http.MethodDelete, "/apis/apps/v1/namespaces/reconcile/deployments/reconcile", false},
	} {
		if status, answer := s.Call(t, own, c.method, c.path, nil); (status != http.StatusForbidden) != c.allowed {
			t.Errorf("%s: %d %s", what, status, answer)
		}
		if status, _ := s.Call(t, other, c.method, c.path, nil); status != http.StatusForbidden {
			t.Errorf("another account may %s: %d", what, status)
		}
	}
}

// listsDeployments: only if it is wanted, and only where the configuration says that clusters
// run, may the service account list Deployments.
func listsDeployments(t *testing.T, s *kubeserver.Server, upgrade func(more ...string)) {
	t.Helper()
	s.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: milvus}\n")
	own := s.Account(t, "reconcile", "reconcile")
	const there, elsewhere = "/apis/apps/v1/namespaces/milvus/deployments", "/apis/apps/v1/namespaces/reconcile/deployments"
	for _, path := range []string{there, elsewhere} {
		if status, _ := s.Call(t, own, http.MethodGet, path, nil); status != http.StatusForbidden {
			t.Errorf("%s: %d", path, status)
		}
	}
	upgrade("--set", "doctor.listDeployments=true", "--set-json", `configuration.clusters=[{"id":"cluster-a","kubernetes":{"namespace":"milvus","instance":"a"}}]`)
	s.AwaitRight(t, own, http.MethodGet, there)
	if status, _ := s.Call(t, own, http.MethodGet, elsewhere, nil); status != http.StatusForbidden {
		t.Errorf("%s: %d", elsewhere, status)
	}
}
