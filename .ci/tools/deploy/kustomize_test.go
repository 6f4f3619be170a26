package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	sigs "sigs.k8s.io/yaml"
)

// TestKustomizeBase builds an overlay on the base of docs/deploy/kubernetes with kustomize's own
// library, as a team would: every document of the base is in it, and the patch has taken effect.
func TestKustomizeBase(t *testing.T) {
	disk, base := filesys.MakeFsInMemory(), documents(t)
	names := []string{"kustomization.yaml", "reconcile.yaml", "ledger.yaml", "status.yaml", "servicemonitor.yaml", "rules.yaml", "dashboard.yaml"}
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(manifestFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.WriteFile("/base/"+name, raw); err != nil {
			t.Fatal(err)
		}
	}
	overlay := `
resources: [../base]
images: [{name: reconcile, newName: images.example/reconcile, newTag: v1.0.0}]
replicas: [{name: reconcile, count: 3}]
`
	if err := disk.WriteFile("/ours/kustomization.yaml", []byte(overlay)); err != nil {
		t.Fatal(err)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/ours")
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, docs := range base {
		want += len(docs)
	}
	if built.Size() != want {
		t.Errorf("%d documents, and the base has %d", built.Size(), want)
	}
	for _, r := range built.Resources() {
		if r.GetKind() != "Deployment" {
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var d apps.Deployment
		if err := sigs.UnmarshalStrict(text, &d); err != nil {
			t.Fatal(err)
		}
		if *d.Spec.Replicas != 3 || !strings.HasSuffix(d.Spec.Template.Spec.Containers[0].Image, "images.example/reconcile:v1.0.0") {
			t.Errorf("the overlay did not change the deployment: %d replicas of %s", *d.Spec.Replicas, d.Spec.Template.Spec.Containers[0].Image)
		}
		return
	}
	t.Error("there is no Deployment")
}
