package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigs "sigs.k8s.io/yaml"
)

var kinds = map[string]func() any{
	"v1/Namespace":                      func() any { return new(core.Namespace) },
	"v1/ServiceAccount":                 func() any { return new(core.ServiceAccount) },
	"v1/ConfigMap":                      func() any { return new(core.ConfigMap) },
	"v1/Secret":                         func() any { return new(core.Secret) },
	"v1/Service":                        func() any { return new(core.Service) },
	"apps/v1/Deployment":                func() any { return new(apps.Deployment) },
	"rbac.authorization.k8s.io/v1/Role": func() any { return new(rbac.Role) },
	"rbac.authorization.k8s.io/v1/RoleBinding":         func() any { return new(rbac.RoleBinding) },
	"apiextensions.k8s.io/v1/CustomResourceDefinition": func() any { return new(apiextensions.CustomResourceDefinition) },
	"policy/v1/PodDisruptionBudget":                    func() any { return new(policy.PodDisruptionBudget) },
	"networking.k8s.io/v1/NetworkPolicy":               func() any { return new(networking.NetworkPolicy) },
	"monitoring.coreos.com/v1/ServiceMonitor":          func() any { return new(monitoring.ServiceMonitor) },
	"monitoring.coreos.com/v1/PrometheusRule":          func() any { return new(monitoring.PrometheusRule) },
}

func documents(t *testing.T) map[string][][]byte {
	t.Helper()
	files, err := filepath.Glob("../../../docs/deploy/kubernetes/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("manifests: %v %v", files, err)
	}
	all := map[string][][]byte{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(file); name != "values.yaml" && name != "kustomization.yaml" {
			all[name] = split(t, raw)
		}
	}
	return all
}

// split are the documents of a YAML file.
func split(t *testing.T, raw []byte) [][]byte {
	t.Helper()
	var docs [][]byte
	for r := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw))); ; {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return docs
		} else if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
}

// TestManifestsAreOfTheirKinds holds that every document has a known kind and
// no field that its API does not have.
func TestManifestsAreOfTheirKinds(t *testing.T) {
	for file, docs := range documents(t) {
		for _, doc := range docs {
			isOfItsKind(t, file, doc)
		}
	}
}

func isOfItsKind(t *testing.T, file string, doc []byte) {
	t.Helper()
	var head meta.TypeMeta
	if err := sigs.Unmarshal(doc, &head); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	known := kinds[head.APIVersion+"/"+head.Kind]
	if known == nil {
		t.Errorf("%s: %s/%s is no kind that is checked", file, head.APIVersion, head.Kind)
		return
	}
	if err := sigs.UnmarshalStrict(doc, known()); err != nil {
		t.Errorf("%s: %s: %v\n%s", file, head.Kind, err, doc)
	}
}

// TestTheContainerHasNoRights holds what the manifest promises of its container. Of Kubernetes'
// own rights it has those of the role.
func TestTheContainerHasNoRights(t *testing.T) {
	seen := false
	for _, doc := range documents(t)["reconcile.yaml"] {
		var d apps.Deployment
		if err := sigs.Unmarshal(doc, &d); err != nil || d.Kind != "Deployment" {
			continue
		}
		seen = true
		pod := d.Spec.Template.Spec
		if d.Spec.Replicas == nil || *d.Spec.Replicas < 2 {
			t.Error("fewer than two replicas")
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Error("the pod has more than it needs")
		}
		for _, c := range pod.Containers {
			s := c.SecurityContext
			if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
				t.Errorf("container %s may write or gain rights", c.Name)
			}
			if c.ReadinessProbe == nil || c.LivenessProbe == nil {
				t.Errorf("container %s is not probed", c.Name)
			}
		}
	}
	if !seen {
		t.Error("there is no Deployment")
	}
}
