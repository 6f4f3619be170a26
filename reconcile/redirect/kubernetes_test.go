package redirect_test

import (
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
	"milvus-reconcile/reconcile/redirect"
)

// TestKubernetes runs every form of the target against a real API server.
func TestKubernetes(t *testing.T) {
	server := kubeserver.Start(t)
	for name, test := range map[string]func(*testing.T, *kube){
		"SelectorOldEndpointsAreGoneFirst":   selectorOldEndpointsAreGoneFirst,
		"SelectorWaitsForTheController":      selectorWaitsForTheController,
		"EndpointsOldOnesAreGoneFirst":       endpointsOldOnesAreGoneFirst,
		"ExternalNameMoves":                  externalNameMoves,
		"FieldOfAnotherManagerIsNotTaken":    fieldOfAnotherManagerIsNotTaken,
		"ObjectsSayWhoSetThemAndWhy":         objectsSayWhoSetThemAndWhy,
		"UnfitServicesAreRefused":            unfitServicesAreRefused,
		"EndpointsOfOthersAreReported":       endpointsOfOthersAreReported,
		"RightsAreTheLeast":                  rightsAreTheLeast,
		"RehearsalStoresNothing":             rehearsalStoresNothing,
		"CredentialThatIsRefusedIsSaidSo":    credentialThatIsRefusedIsSaidSo,
		"ServiceThatIsNotThereIsNotInvented": serviceThatIsNotThereIsNotInvented,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, newKube(t, server))
		})
	}
}

func selectorOldEndpointsAreGoneFirst(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	defer k.controller(t, map[string]string{"a": "10.0.0.1", "b": "10.0.0.2"})()
	k.mustSet(t, k.selectors(), "cluster-a")
	from := k.version(t)
	refused(t, k.check(t, k.selectors(), "cluster-b"), "its selector db=a of cluster-a is not that of cluster-b")
	k.mustSet(t, k.selectors(), "cluster-b")
	if got := k.history(t, from); !slices.Equal(got, []string{"", "10.0.0.2"}) {
		t.Errorf("its endpoints were %q", got)
	}
	if k.seen != "within 0 s, its old endpoints were gone within 0 s" {
		t.Errorf("it saw %q", k.seen)
	}
	if o := k.get(t); !maps.Equal(o.Spec.Selector, map[string]string{"db": "b"}) {
		t.Errorf("its selector is %v", o.Spec.Selector)
	}
	before := k.get(t).Metadata.ResourceVersion
	k.mustSet(t, k.selectors(), "cluster-b")
	if after := k.get(t).Metadata.ResourceVersion; after != before {
		t.Error("a set that has nothing to change writes")
	}
}

// selectorWaitsForTheController: while the endpoints of the old primary are there, no other
// pods are selected, and the next set goes on.
func selectorWaitsForTheController(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	k.slice(t, "db-x1", "endpointslice-controller.k8s.io", "10.0.0.1")
	target := k.selectors()
	target.Timeout = 300 * time.Millisecond
	refused(t, k.set(t, target, "cluster-b"), "still has 1 endpoints of before", "kube-controller-manager")
	if got := k.get(t).Spec.Selector; !maps.Equal(got, map[string]string{"reconcile.milvus.io/points-at": "nothing"}) {
		t.Errorf("its selector is %v", got)
	}
	refused(t, k.check(t, target, "cluster-b"), "it points at nothing")
	defer k.controller(t, map[string]string{"b": "10.0.0.2"})()
	k.mustSet(t, k.selectors(), "cluster-b")
}

func endpointsOldOnesAreGoneFirst(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	from := k.version(t)
	for _, id := range []string{"cluster-a", "cluster-b", "cluster-c", "cluster-a"} {
		k.mustSet(t, k.endpoints(), id)
	}
	want := []string{"10.1.0.1 10.1.0.2", "", "10.2.0.1", "", "2001:db8::5", "", "10.1.0.1 10.1.0.2"}
	if got := k.history(t, from); !slices.Equal(got, want) {
		t.Errorf("its endpoints were %q", got)
	}
	refused(t, k.check(t, k.endpoints(), "cluster-b"), "it leads to 10.1.0.1:19530 of cluster-a", "it does not lead to 10.2.0.1:29530 of cluster-b")
	if k.seen != "within 0 s, its old endpoints were gone within 0 s" {
		t.Errorf("it saw %q", k.seen)
	}
	at := k.version(t)
	k.mustSet(t, k.endpoints(), "cluster-a")
	if got := k.version(t); got != at || k.seen != "within 0 s" {
		t.Error("a set that has nothing to change writes")
	}
}

// externalNameMoves: a Service that was created as docs/redirect.md says moves, and keeps its
// type.
func externalNameMoves(t *testing.T, k *kube) {
	api := kubeapi.New(kubeapi.Config{Kubeconfig: k.server.Kubeconfig(t, k.server.Token), Context: "tests"})
	k.applyAs(t, api, false, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"db"},"spec":{"type":"ExternalName","externalName":"a.example"}}`)
	refused(t, k.check(t, k.names(), "cluster-b"), "a name for a.example of cluster-a, not for b.example of cluster-b")
	k.mustSet(t, k.names(), "cluster-b")
	s := k.set(t, k.names(), "cluster-a")
	if got := s.Stay.Text("cluster-b"); !s.OK || s.Seen != "within 0 s" || !strings.Contains(got, "after at most 30 s (the TTL of the cluster's DNS") {
		t.Errorf("%s, and %q", got, s.Seen)
	}
	if got := k.get(t).Spec; got.ExternalName != "a.example" || got.Type != "ExternalName" {
		t.Errorf("got %+v", got)
	}
}

// fieldOfAnotherManagerIsNotTaken: the conflict is reported with its owner and what to do;
// once a person handed the field over, the set works.
func fieldOfAnotherManagerIsNotTaken(t *testing.T, k *kube) {
	k.service(t, "{selector: {db: a}, "+ports+"}")
	defer k.controller(t, map[string]string{"a": "10.0.0.1", "b": "10.0.0.2"})()
	target := k.selectors()
	r, _ := made(t, target)
	s := k.set(t, target, "cluster-b")
	refused(t, s, "FIELD_CONFLICT", `conflict with "tests"`, ".spec.selector", "not taken over by force")
	rehearsed := only(t, r.Rehearse(t.Context(), "orders", "cluster-b", nil))
	refused(t, rehearsed, "FIELD_CONFLICT", "take the field out of what that manager applies")
	if strings.Contains(rehearsed.Detail, "kubectl") {
		t.Errorf("doctor tells to move the traffic: %s", rehearsed.Detail)
	}
	if got := k.get(t).Spec.Selector; !maps.Equal(got, map[string]string{"db": "a"}) {
		t.Fatalf("its selector is %v", got)
	}
	k.byHand(t, s.Detail)
	k.mustSet(t, target, "cluster-b")
	k.mustSet(t, target, "cluster-a")
}

func objectsSayWhoSetThemAndWhy(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	k.mustSet(t, k.endpoints(), "cluster-a")
	var o kubeObject
	k.server.Do(t, http.MethodGet, k.slicesPath()+"/db-reconcile-ipv4", nil, &o)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"reconcile.milvus.io/set-by": "reconcile on " + host, "reconcile.milvus.io/set-at": "2026-11-22T12:00:00Z",
		"reconcile.milvus.io/topology": "orders", "reconcile.milvus.io/primary": "cluster-a",
		"reconcile.milvus.io/commit": "c0ffee", "reconcile.milvus.io/transition": "failover",
	}
	if !maps.Equal(o.Metadata.Annotations, want) {
		t.Errorf("got %v", o.Metadata.Annotations)
	}
}

func unfitServicesAreRefused(t *testing.T, k *kube) {
	k.service(t, "{selector: {db: a}, ports: [{name: milvus, port: 19530}, {name: metrics, port: 9091}]}")
	refused(t, k.set(t, k.endpoints(), "cluster-b"), "has a selector", "create it without a selector")
	refused(t, k.set(t, k.names(), "cluster-b"), "has the type ClusterIP")
	named := k.selectors()
	named.Topologies = []string{"orders"}
	refused(t, k.set(t, named, "cluster-c"), "the target does not say what cluster-c is")
	k.server.Do(t, http.MethodDelete, "/api/v1/namespaces/"+k.namespace+"/services/db", nil, nil)
	k.service(t, "{ports: [{name: milvus, port: 19530}, {name: metrics, port: 9091}]}")
	refused(t, k.set(t, k.endpoints(), "cluster-b"), `has no port ""`)
	target := k.endpoints()
	target.Kubernetes.Port = "milvus"
	k.mustSet(t, target, "cluster-b")
}

func endpointsOfOthersAreReported(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	k.mustSet(t, k.endpoints(), "cluster-a")
	k.slice(t, "by-hand", "somebody.example", "10.9.9.9")
	refused(t, k.check(t, k.endpoints(), "cluster-a"), "EndpointSlice by-hand, which somebody.example wrote, adds 1 endpoints")
}

// rightsAreTheLeast: without any verb of the documented role a form fails that needs it, and
// says that a right is missing; with all verbs both work.
func rightsAreTheLeast(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	both := []redirect.Target{k.selectors(), k.endpoints()}
	for _, missing := range []struct {
		rule, verb string
		of         redirect.Target
	}{
		{"services", "get", both[0]},
		{"services", "patch", both[0]},
		{"endpointslices", "list", both[0]},
		{"services", "get", both[1]},
		{"endpointslices", "list", both[1]},
		{"endpointslices", "create", both[1]},
		{"endpointslices", "patch", both[1]},
	} {
		k.role(t, missing.rule, missing.verb)
		k.await(t, func() string {
			r, _ := made(t, missing.of)
			return only(t, r.Rehearse(t.Context(), "orders", "cluster-a", nil)).Detail
		}, func(detail string) bool {
			return strings.Contains(detail, "FORBIDDEN: a right is missing") && strings.Contains(detail, "cannot "+missing.verb+" resource \""+missing.rule)
		})
	}
	k.role(t, "", "")
	for _, target := range both {
		k.await(t, func() string {
			r, _ := made(t, target)
			return only(t, r.Rehearse(t.Context(), "orders", "cluster-a", nil)).Detail
		}, func(detail string) bool { return detail == "" })
	}
}

func rehearsalStoresNothing(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	k.mustSet(t, k.endpoints(), "cluster-a")
	service, at := k.get(t).Metadata.ResourceVersion, k.version(t)
	for _, target := range []redirect.Target{k.endpoints(), k.selectors()} {
		r, _ := made(t, target)
		if s := only(t, r.Rehearse(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); !s.OK {
			t.Error(s.Detail)
		}
	}
	if k.get(t).Metadata.ResourceVersion != service || k.version(t) != at {
		t.Error("a rehearsal wrote")
	}
}

func credentialThatIsRefusedIsSaidSo(t *testing.T, k *kube) {
	k.service(t, "{"+ports+"}")
	k.access.Kubeconfig = k.server.Kubeconfig(t, "CANARY-of-a-token")
	s := k.check(t, k.endpoints(), "cluster-a")
	refused(t, s, "UNAUTHORIZED", "does not accept the credential")
	k.access.Kubeconfig = filepath.Join(t.TempDir(), "none")
	refused(t, k.check(t, k.endpoints(), "cluster-a"), "no such file")
	if strings.Contains(s.Detail, "CANARY") {
		t.Error("it shows the token")
	}
}

func serviceThatIsNotThereIsNotInvented(t *testing.T, k *kube) {
	for _, target := range []redirect.Target{k.endpoints(), k.selectors(), k.names()} {
		refused(t, k.set(t, target, "cluster-a"), "does not exist", "create it with its ports")
	}
	status, _ := k.server.Call(t, k.server.Token, http.MethodGet, "/api/v1/namespaces/"+k.namespace+"/services/db", nil)
	if status != http.StatusNotFound {
		t.Errorf("the Service: %d", status)
	}
}

// TestKubernetesTargetsThatMixClustersUp are refused before anything is called.
func TestKubernetesTargetsThatMixClustersUp(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		name string
		conf redirect.Kubernetes
		say  string
	}{
		{"nothing", redirect.Kubernetes{}, "exactly one of selectors, endpoints, externalNames"},
		{"two kinds", redirect.Kubernetes{
			Selectors: map[string]map[string]string{"a": {"x": "1"}}, ExternalNames: map[string]string{"a": "a.example"},
		}, "exactly one of"},
		{"a selector within another", redirect.Kubernetes{Selectors: map[string]map[string]string{
			"a": {"app": "milvus"}, "b": {"app": "milvus", "instance": "b"},
		}}, "a and b have selectors that match the same pods"},
		{"one address", redirect.Kubernetes{Endpoints: map[string][]netip.AddrPort{"a": {at("10.0.0.1:1")}, "b": {at("10.0.0.1:1")}}}, "the same endpoint 10.0.0.1:1"},
		{"two ports", redirect.Kubernetes{Endpoints: map[string][]netip.AddrPort{"a": {at("10.0.0.1:1"), at("10.0.0.2:2")}}}, "they have the ports 1 and 2"},
		{"one name", redirect.Kubernetes{ExternalNames: map[string]string{"a": "x.example", "b": "x.example"}}, "the same external name x.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := redirect.New([]redirect.Target{{Name: "svc", Kubernetes: &c.conf}}, redirect.Options{})
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("got %v", err)
			}
		})
	}
}
