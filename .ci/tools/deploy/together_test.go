package deploy

import (
	"regexp"
	"slices"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	admission "k8s.io/pod-security-admission/policy"
	sigs "sigs.k8s.io/yaml"
)

// of are the documents of one kind, of all manifests.
func of[T any](t *testing.T, kind string) []T {
	t.Helper()
	var out []T
	for file, docs := range documents(t) {
		for _, doc := range docs {
			var head meta.TypeMeta
			if err := sigs.Unmarshal(doc, &head); err != nil || head.Kind != kind {
				continue
			}
			var v T
			if err := sigs.UnmarshalStrict(doc, &v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			out = append(out, v)
		}
	}
	return out
}

// one is the only document of its kind.
func one[T any](t *testing.T, kind string) T {
	t.Helper()
	all := of[T](t, kind)
	if len(all) != 1 {
		t.Fatalf("%d documents of the kind %s", len(all), kind)
	}
	return all[0]
}

// TestPodIsRestricted has Kubernetes' own admission judge the pod by the
// strictest of its profiles, and each namespace ask for it.
func TestPodIsRestricted(t *testing.T) {
	d := one[apps.Deployment](t, "Deployment")
	judge, err := admission.NewEvaluator(admission.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range judge.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec) {
		if !r.Allowed {
			t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
	for _, n := range of[core.Namespace](t, "Namespace") {
		if label := n.Labels[api.EnforceLevelLabel]; label != string(api.LevelRestricted) {
			t.Errorf("the namespace %s enforces %q", n.Name, label)
		}
	}
}

// TestManifestsFitTogether holds what selects to what it is to select, and
// names to what they name.
func TestManifestsFitTogether(t *testing.T) {
	d := one[apps.Deployment](t, "Deployment")
	pod := d.Spec.Template
	service := one[core.Service](t, "Service")
	monitor := one[monitoring.ServiceMonitor](t, "ServiceMonitor")
	budget := one[policy.PodDisruptionBudget](t, "PodDisruptionBudget")
	wall := one[networking.NetworkPolicy](t, "NetworkPolicy")
	for what, labels := range map[string]map[string]string{
		"deployment": d.Spec.Selector.MatchLabels, "service": service.Spec.Selector,
		"disruption budget": budget.Spec.Selector.MatchLabels, "network policy": wall.Spec.PodSelector.MatchLabels,
	} {
		if !within(labels, pod.Labels) {
			t.Errorf("the %s selects %v, and the pods are %v", what, labels, pod.Labels)
		}
	}
	if !within(monitor.Spec.Selector.MatchLabels, service.Labels) || monitor.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name {
		t.Errorf("the service monitor looks for %v at %s", monitor.Spec.Selector.MatchLabels, monitor.Spec.Endpoints[0].Port)
	}
	if budget.Spec.MinAvailable.IntValue() < 1 || int32(budget.Spec.MinAvailable.IntValue()) >= *d.Spec.Replicas {
		t.Errorf("of %d replicas %v must stay: none could go, or all", *d.Spec.Replicas, budget.Spec.MinAvailable)
	}
	if len(wall.Spec.PolicyTypes) != 2 || len(wall.Spec.Ingress) == 0 || len(wall.Spec.Egress) == 0 {
		t.Error("the network policy leaves a direction open")
	}
	for _, rule := range wall.Spec.Ingress {
		if len(rule.From) == 0 {
			t.Error("the network policy lets everybody in, and the page has no login")
		}
	}
	c := pod.Spec.Containers[0]
	if c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/healthz" {
		t.Error("the probes ask for something else than the daemon serves")
	}
	if service.Spec.Ports[0].TargetPort.StrVal != c.Ports[0].Name || wall.Spec.Ingress[0].Ports[0].Port.IntVal != c.Ports[0].ContainerPort {
		t.Error("the service or the network policy leads to another port than the pod's")
	}
	volumesAreThere(t, pod.Spec)
}

// volumesAreThere holds each file that the configuration names to one that a volume projects.
func volumesAreThere(t *testing.T, pod core.PodSpec) {
	t.Helper()
	values := exampleValues(t, "")["secret"].(map[string]any)
	settings := named(t, of[core.ConfigMap](t, "ConfigMap"), "reconcile")
	var volumes, paths []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			switch {
			case s.ConfigMap != nil && s.ConfigMap.Name != settings.Name,
				s.Secret != nil && s.Secret.Name != values["name"]:
				t.Errorf("the volume %s takes from what is not there", v.Name)
			case s.Secret != nil:
				if len(s.Secret.Items) != len(values["keys"].([]any)) {
					t.Errorf("the volume %s shows %d keys of the secret, not %v", v.Name, len(s.Secret.Items), values["keys"])
				}
				for _, item := range s.Secret.Items {
					paths = append(paths, "/etc/reconcile/"+item.Path)
				}
			case s.ConfigMap != nil:
				for name := range settings.Data {
					paths = append(paths, "/etc/reconcile/"+name)
				}
			}
		}
	}
	for _, path := range regexp.MustCompile(`/etc/reconcile/[\w./-]+`).FindAllString(settings.Data["reconcile.yaml"], -1) {
		if !slices.Contains(paths, path) {
			t.Errorf("the configuration names %s, and the volumes have %v", path, paths)
		}
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if !slices.Contains(volumes, m.Name) {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
}

// named is the ConfigMap of that name.
func named(t *testing.T, all []core.ConfigMap, name string) core.ConfigMap {
	t.Helper()
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no ConfigMap %s", name)
	return core.ConfigMap{}
}

func within(part, all map[string]string) bool {
	for k, v := range part {
		if all[k] != v {
			return false
		}
	}
	return len(part) > 0
}
