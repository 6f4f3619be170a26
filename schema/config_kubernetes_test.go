package schema

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const head = "apiVersion: reconcile/v1alpha1\nkind: Config\n"

func TestConfigOfServices(t *testing.T) {
	c, problems := ParseConfig("c.yaml", []byte(head+`redirect:
  - {name: in, kubernetes: {namespace: milvus, service: db, selectors: {cluster-a: {app.kubernetes.io/instance: a}}}}
  - {name: ip, kubernetes: {kubeconfig: k, context: prod, namespace: apps, service: db, port: grpc, endpoints: {cluster-a: ["10.0.0.5:19530", "[2001:db8::5]:19530"]}}}
  - {name: cn, kubernetes: {namespace: apps, service: db, externalNames: {cluster-a: a.example}}}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []RedirectKubernetes{
		{Namespace: "milvus", Service: "db", Selectors: map[string]map[string]string{"cluster-a": {"app.kubernetes.io/instance": "a"}}},
		{
			Access: KubernetesAccess{Kubeconfig: "k", Context: "prod"}, Namespace: "apps", Service: "db", Port: "grpc",
			Endpoints: map[string][]netip.AddrPort{"cluster-a": {netip.MustParseAddrPort("10.0.0.5:19530"), netip.MustParseAddrPort("[2001:db8::5]:19530")}},
		},
		{Namespace: "apps", Service: "db", ExternalNames: map[string]string{"cluster-a": "a.example"}},
	}
	for i, w := range want {
		if d := cmp.Diff(w, *c.Redirect[i].Kubernetes, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
			t.Error(d)
		}
	}
}

// TestConfigOfTheOldPrimary: a time of 0 is one that is known.
func TestConfigOfTheOldPrimary(t *testing.T) {
	c, problems := ParseConfig("c.yaml", []byte(head+`redirect:
  - {name: lb, oldPrimary: {newConnections: 0s}, exec: {command: [move]}}
  - {name: lb2, oldPrimary: {newConnections: 5s, openConnections: 10m}, exec: {command: [move]}}
  - {name: lb3, exec: {command: [move]}}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i, want := range []*OldPrimary{{}, {New: 5 * time.Second, Open: 10 * time.Minute}, nil} {
		if d := cmp.Diff(want, c.Redirect[i].OldPrimary); d != "" {
			t.Error(d)
		}
	}
}

func TestConfigOfStatusObjects(t *testing.T) {
	c, problems := ParseConfig("c.yaml", []byte(head+"kubernetesStatus: {namespace: apps, kubeconfig: k, context: prod}\n"))
	want := &KubernetesStatus{Access: KubernetesAccess{Kubeconfig: "k", Context: "prod"}, Namespace: "apps"}
	if d := cmp.Diff(want, c.KubernetesStatus); d != "" || len(problems) > 0 {
		t.Error(d, problems)
	}
}

func TestServicesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text, say string }{
		{"kubeconfig without a context", "redirect: [{name: a, kubernetes: {kubeconfig: k, namespace: apps, service: s, externalNames: {a: b}}}]", "kubeconfig and context go together"},
		{"status without a namespace", "kubernetesStatus: {}", "\"namespace\" is missing"},
		{"status with half a kubeconfig", "kubernetesStatus: {namespace: apps, context: prod}", "kubeconfig and context go together"},
		{"Service that points nowhere", "redirect: [{name: a, kubernetes: {namespace: apps, service: s}}]", "it says in no place where the Service points"},
		{"Service that points in two ways", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, externalNames: {a: b}, endpoints: {a: ['10.0.0.1:1']}}}]", "it says in endpoints and externalNames"},
		{"port without endpoints", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, port: p, externalNames: {a: b}}}]", "no effect without endpoints"},
		{"endpoint without a port", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, endpoints: {a: [10.0.0.1]}}}]", "not an IP address with a port"},
		{"endpoint with a name", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, endpoints: {a: ['x.example:1']}}}]", "for a name use externalNames"},
		{"endpoint on this machine", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, endpoints: {a: ['127.0.0.1:1']}}}]", "takes no loopback"},
		{"endpoints with two ports", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, endpoints: {a: ['10.0.0.1:1', '10.0.0.2:2']}}}]", "has another port"},
		{"endpoint twice", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, endpoints: {a: ['10.0.0.1:1', '10.0.0.1:1']}}}]", "appears twice"},
		{"odd label", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, selectors: {a: {'a b': c}}}}]", "is not the key of a label"},
		{"Service of no cluster", "redirect: [{name: a, kubernetes: {namespace: apps, service: s, externalNames: {'a b': c}}}]", "is not a cluster id"},
	} {
		_, problems := ParseConfig("c.yaml", []byte(head+c.text+"\n"))
		if len(problems) == 0 || !strings.Contains(problems.Error(), c.say) {
			t.Errorf("%s: got %v", c.name, problems)
		}
	}
}
