package importer

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/discovery"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
	"milvus-reconcile/schema"
)

// TestClustersAreFoundInKubernetes reads a real API server that holds what the Milvus operator
// and the Milvus chart make.
func TestClustersAreFoundInKubernetes(t *testing.T) {
	s := kubeserver.Start(t)
	for _, namespace := range []string{"by-operator", "by-chart"} {
		s.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n")
	}
	at := Kubernetes{Kubeconfig: s.Kubeconfig(t, s.Token), Contexts: []string{contextOfTests}}
	if found, err := at.Find(t.Context()); err != nil || len(found) != 0 {
		t.Fatalf("without clusters and without the operator: %v, %v", found, err)
	}
	s.Apply(t, customResource)
	awaitServed(t, s, "/apis/milvus.io/v1beta1/milvuses")
	s.Apply(t, objects)
	setStatus(t, s, "/apis/apps/v1/namespaces/by-operator/deployments/cluster-a-milvus-cdc", map[string]any{"replicas": 1, "readyReplicas": 1})
	setStatus(t, s, "/api/v1/namespaces/by-operator/services/cluster-a-milvus", balancedBy("hostname", "a.lb.example"))
	setStatus(t, s, "/api/v1/namespaces/by-chart/services/orders-milvus", balancedBy("ip", "10.1.2.3"))
	found, err := at.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(List(found)), contextOfTests+":", "CONTEXT:")
	if want := strings.TrimLeft(listed, "\n"); trimmed(got) != trimmed(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if r, err := (Request{Name: "orders", TokenEnv: []string{"TOKEN"}}).Choose(found, at); err == nil || len(r.Clusters) != 0 ||
		!strings.HasSuffix(err.Error(), " --name orders --cluster by-dev --cluster plain-id --cluster cluster-a --cluster other --token-env TOKEN") {
		t.Errorf("a token for all of them: %v, %v", r.Clusters, err)
	}
	inside := discovery.Open(at.Kubeconfig, contextOfTests)
	defer inside.Close()
	for instance, want := range map[string]struct {
		made  discovery.Maker
		state discovery.CDC
	}{
		"by-operator/cluster-a": {discovery.Operator, discovery.CDCReady},
		"by-chart/orders":       {discovery.Chart, discovery.CDCNotReady},
		"by-chart/plain":        {discovery.Chart, discovery.CDCAbsent},
		"by-chart/nowhere":      {"", discovery.CDCUnknown},
	} {
		namespace, name, _ := strings.Cut(instance, "/")
		made, state, err := inside.ReadCDC(t.Context(), discovery.Place{Namespace: namespace, Instance: name})
		if made != want.made || state != want.state || (err == nil) == (want.state == discovery.CDCUnknown) {
			t.Errorf("%s: %q %v %v", instance, made, state, err)
		}
	}
	least(t, s)
}

// contextOfTests is the context of the kubeconfig that kubeserver writes.
const contextOfTests = "tests"

// awaitServed waits until the server knows a kind that was just defined.
func awaitServed(t *testing.T, s *kubeserver.Server, path string) {
	t.Helper()
	for {
		if status, _ := s.Call(t, s.Token, http.MethodGet, path, nil); status == http.StatusOK {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// setStatus writes what a controller would write.
func setStatus(t *testing.T, s *kubeserver.Server, path string, status map[string]any) {
	t.Helper()
	var object map[string]any
	s.Do(t, http.MethodGet, path, nil, &object)
	object["status"] = status
	s.Do(t, http.MethodPut, path+"/status", object, nil)
}

func balancedBy(kind, host string) map[string]any {
	return map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{kind: host}}}}
}

// least holds what the reader of one namespace needs, and that a right that is missing is told.
func least(t *testing.T, s *kubeserver.Server) {
	t.Helper()
	bearer := s.Account(t, "by-chart", "reader")
	at := Kubernetes{Kubeconfig: s.Kubeconfig(t, bearer), Contexts: []string{contextOfTests}, Namespace: "by-chart"}
	if _, err := at.Find(t.Context()); err == nil || !strings.Contains(err.Error(), "list the Services of Milvus") || strings.Contains(err.Error(), bearer) {
		t.Errorf("without a right: %v", err)
	}
	s.Apply(t, `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: by-chart}
rules:
  - {apiGroups: [""], resources: [services], verbs: [list]}
  - {apiGroups: [""], resources: [configmaps], verbs: [get]}
  - {apiGroups: [apps], resources: [deployments], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: by-chart}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: by-chart}]
`)
	s.AwaitRight(t, bearer, http.MethodGet, "/apis/apps/v1/namespaces/by-chart/deployments")
	found, err := at.Find(t.Context())
	if err != nil || len(found) != 3 {
		t.Errorf("with the rights for clusters of the chart: %v, %v", found, err)
	}
}

// trimmed has one space where columns are apart.
func trimmed(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

const listed = `
ID         WHERE                          MADE BY   ADDRESS                                  CDC
by-dev     CONTEXT:by-chart/orders        chart     10.1.2.3:19530                           ✗ not ready
not known  CONTEXT:by-chart/own           chart     own-milvus.by-chart.svc:19530 (inside)   ✗ not deployed
plain-id   CONTEXT:by-chart/plain         chart     plain-milvus.by-chart.svc:19531 (inside) ✗ not deployed
cluster-a  CONTEXT:by-operator/cluster-a  operator  a.lb.example:19530                       ✓ ready
other      CONTEXT:by-operator/named      operator  named-milvus.by-operator.svc:19530 (inside)  ✗ not deployed

The id of CONTEXT:by-chart/own is not known: there is no ConfigMap by-chart/own-milvus: the release uses a customConfigMap.

A primary without CDC sends nothing to its standbys: 'reconcile doctor' names the command for each.
`

const customResource = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: milvuses.milvus.io}
spec:
  group: milvus.io
  names: {kind: Milvus, plural: milvuses, singular: milvus, listKind: MilvusList}
  scope: Namespaced
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// objects are what the makers make, as far as it is read; the names, labels, ports and owners are theirs.
const objects = `apiVersion: milvus.io/v1beta1
kind: Milvus
metadata: {name: cluster-a, namespace: by-operator}
spec: {components: {cdc: {replicas: 1}}}
---
apiVersion: milvus.io/v1beta1
kind: Milvus
metadata: {name: named, namespace: by-operator}
spec: {config: {msgChannel: {chanNamePrefix: {cluster: other}}, common: {security: {tlsMode: 1}}}}
---
apiVersion: v1
kind: Service
metadata:
  name: cluster-a-milvus
  namespace: by-operator
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: cluster-a}
  ownerReferences: [{apiVersion: milvus.io/v1beta1, kind: Milvus, name: cluster-a, uid: 00000000-0000-0000-0000-000000000001}]
spec: {type: LoadBalancer, ports: [{name: milvus, port: 19530}, {name: metrics, port: 9091}]}
---
apiVersion: v1
kind: Service
metadata:
  name: named-milvus
  namespace: by-operator
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: named}
  ownerReferences: [{apiVersion: milvus.io/v1beta1, kind: Milvus, name: named, uid: 00000000-0000-0000-0000-000000000002}]
spec: {ports: [{name: milvus, port: 19530}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cluster-a-milvus-cdc
  namespace: by-operator
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: cluster-a, app.kubernetes.io/component: cdc}
  ownerReferences: [{apiVersion: milvus.io/v1beta1, kind: Milvus, name: cluster-a, uid: 00000000-0000-0000-0000-000000000001}]
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: cdc, image: milvus}]}}}
---
apiVersion: v1
kind: Service
metadata:
  name: orders-milvus
  namespace: by-chart
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: orders, component: proxy}
spec: {type: LoadBalancer, ports: [{name: milvus, port: 19530}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: orders-milvus, namespace: by-chart}
data: {default.yaml: "log: {level: info}", user.yaml: "# nothing"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: orders-milvus-cdc
  namespace: by-chart
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: orders, component: cdc}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: cdc, image: milvus}]}}}
---
apiVersion: v1
kind: Service
metadata:
  name: plain-milvus
  namespace: by-chart
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: plain, component: standalone}
spec: {ports: [{name: grpc, port: 1}, {name: milvus, port: 19531}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: plain-milvus, namespace: by-chart}
data:
  default.yaml: "msgChannel: {chanNamePrefix: {cluster: x}}"
  user.yaml: "msgChannel: {chanNamePrefix: {cluster: plain-id}}"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: plain-milvus-standalone
  namespace: by-chart
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: plain, component: standalone}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: milvus, image: milvus}]}}}
---
apiVersion: v1
kind: Service
metadata:
  name: plain-milvus-attu
  namespace: by-chart
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: plain, component: attu}
spec: {ports: [{name: attu, port: 3000}]}
---
apiVersion: v1
kind: Service
metadata:
  name: own-milvus
  namespace: by-chart
  labels: {app.kubernetes.io/name: milvus, app.kubernetes.io/instance: own, component: proxy}
spec: {ports: [{name: milvus, port: 19530}]}
`

// TestFoundClustersAreChosen: an id names one cluster, or the reason why not.
func TestFoundClustersAreChosen(t *testing.T) {
	cluster := func(id, instance string) Found {
		return Found{Cluster: discovery.Cluster{Place: discovery.Place{Namespace: "n", Instance: instance}, ID: id, Address: instance + ".n.svc:19530"}, Kubeconfig: "/k", Context: "eu"}
	}
	secured := cluster("tls", "tls")
	secured.TLS = true
	nameless := cluster("", "nameless")
	nameless.NoID = "its ConfigMap is not there"
	all := []Found{cluster("a", "one"), cluster("b", "two"), cluster("by-dev", "three"), cluster("by-dev", "four"), secured}
	for name, c := range map[string]struct {
		clusters []string
		found    []Found
		ca       string
		want     string
		says     string
	}{
		"by its id":             {clusters: []string{"a", "b"}, found: all, want: "a=one.n.svc:19530 b=two.n.svc:19530"},
		"one from elsewhere":    {clusters: []string{"a", "c=c.example:1"}, found: all, want: "a=one.n.svc:19530 c=c.example:1"},
		"all":                   {found: all[:2], want: "a=one.n.svc:19530 b=two.n.svc:19530"},
		"none":                  {says: "no Milvus cluster was found"},
		"one that is not there": {clusters: []string{"z"}, found: all, says: `no cluster "z" was found`},
		"an id of two":          {clusters: []string{"by-dev"}, found: all, says: "eu:n/three and eu:n/four both call themselves by-dev"},
		"TLS without a CA":      {clusters: []string{"tls"}, found: all, says: "tls uses TLS (hint: --ca-file"},
		"TLS with a CA":         {clusters: []string{"tls"}, found: all, ca: "/ca", want: "tls=tls.n.svc:19530"},
		"an empty name":         {clusters: []string{"a", ""}, found: all, says: "--cluster names no cluster (hint: --cluster ID"},
		"one without an id":     {found: []Found{nameless}, says: "its ConfigMap is not there (hint: name it, --cluster ID=nameless.n.svc:19530)"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Request{Clusters: c.clusters, CAFile: c.ca}.Choose(c.found, Kubernetes{})
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("err = %v, want %q", err, c.says)
				}
				return
			}
			if got := strings.Join(r.Clusters, " "); err != nil || got != c.want {
				t.Errorf("%q, %v", got, err)
			}
			if place, known := r.Places["a"]; known && place != (schema.KubernetesPlace{Namespace: "n", Instance: "one", Kubeconfig: "/k", Context: "eu"}) {
				t.Errorf("%+v", place)
			}
		})
	}
}

// TestAKubeconfigWantsAContext: the current one changes with every use-context.
func TestAKubeconfigWantsAContext(t *testing.T) {
	_, err := Kubernetes{Kubeconfig: "/etc/kubeconfig"}.Find(context.Background())
	if err == nil || !strings.Contains(err.Error(), "--context NAME") {
		t.Error(err)
	}
}

// TestAKubeconfigThatOthersCouldChangeIsNotUsed: it may name a program.
func TestAKubeconfigThatOthersCouldChangeIsNotUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o666)); err != nil {
		t.Fatal(err)
	}
	_, err := Kubernetes{Kubeconfig: file, Contexts: []string{"eu"}}.Find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "can be written by every user of this machine (hint: chmod o-w") {
		t.Error(err)
	}
}
