package schema

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// kubernetesAccess reads kubeconfig and context, which go together: the current context of
// a kubeconfig may change at any time.
func kubernetesAccess(f field) KubernetesAccess {
	out := KubernetesAccess{Kubeconfig: f.get("kubeconfig").text(), Context: f.get("context").text()}
	if f.get("kubeconfig").set != f.get("context").set {
		f.fail("kubeconfig and context go together", "write both, or neither for the service account of this pod")
	}
	return out
}

func kubernetesStatus(f field) *KubernetesStatus {
	if !f.set {
		return nil
	}
	return &KubernetesStatus{Access: kubernetesAccess(f), Namespace: f.get("namespace").text()}
}

// serviceTargets are the ways to say where a Service points.
var serviceTargets = []string{"selectors", "endpoints", "externalNames"}

func redirectKubernetes(f field) *RedirectKubernetes {
	if !f.set {
		return nil
	}
	var found []string
	for _, key := range serviceTargets {
		if f.get(key).set {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		f.fail("it says in "+words(found)+" where the Service points", "write exactly one of "+strings.Join(serviceTargets, ", "))
	}
	if port := f.get("port"); port.set && !f.get("endpoints").set {
		port.fail("a port has no effect without endpoints", "remove it")
	}
	out := &RedirectKubernetes{
		Access: kubernetesAccess(f), Namespace: f.get("namespace").text(), Service: f.get("service").text(), Port: f.get("port").text(),
		Selectors: map[string]map[string]string{}, Endpoints: map[string][]netip.AddrPort{}, ExternalNames: map[string]string{},
	}
	for id, selector := range byCluster(f.get("selectors")) {
		out.Selectors[id] = selectorOf(selector)
	}
	for id, addresses := range byCluster(f.get("endpoints")) {
		out.Endpoints[id] = endpointsOf(addresses)
	}
	for id, name := range byCluster(f.get("externalNames")) {
		out.ExternalNames[id] = name.text()
	}
	return out
}

// words lists keys; none: "no place".
func words(keys []string) string {
	if len(keys) == 0 {
		return "no place"
	}
	return strings.Join(keys, " and ")
}

// byCluster returns the entries of a mapping whose keys are cluster ids.
func byCluster(f field) map[string]field {
	out := map[string]field{}
	ids, entries := f.entries()
	for i, id := range ids {
		if !clusterID().MatchString(id) {
			entries[i].fail(quoted(id)+" is not a cluster id", "use the cluster's id as key")
		}
		out[id] = entries[i]
	}
	return out
}

var labelKey = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
})

func selectorOf(f field) map[string]string {
	out := map[string]string{}
	keys, values := f.entries()
	for i, key := range keys {
		if !labelKey().MatchString(key) {
			values[i].fail(quoted(key)+" is not the key of a label", "write it as kubectl shows it, such as app.kubernetes.io/instance")
		}
		out[key] = values[i].text()
	}
	return out
}

func endpointsOf(f field) []netip.AddrPort {
	var out []netip.AddrPort
	const hint = "write an IP address and a port, such as 10.0.0.5:19530 or [2001:db8::5]:19530; for a name use externalNames"
	for _, item := range f.items() {
		a, err := netip.ParseAddrPort(item.text())
		unusable := err == nil && (a.Addr().IsLoopback() || a.Addr().IsUnspecified() || a.Addr().IsMulticast() || a.Addr().IsLinkLocalUnicast())
		switch {
		case err != nil || a.Port() == 0 || a.Addr().Zone() != "":
			item.fail(quoted(item.text())+" is not an IP address with a port", hint)
		case unusable:
			item.fail(quoted(item.text())+" cannot be an endpoint: Kubernetes takes no loopback, link-local or multicast address", hint)
		case slices.Contains(out, a):
			item.fail(quoted(item.text())+" appears twice", "remove one of them")
		case len(out) > 0 && a.Port() != out[0].Port():
			item.fail(quoted(item.text())+" has another port than the first one", "give the endpoints of a cluster one port")
		}
		out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return out
}

func oldPrimary(f field) *OldPrimary {
	if !f.set {
		return nil
	}
	return &OldPrimary{New: f.get("newConnections").durationOr(0), Open: f.get("openConnections").intervalOr(0)}
}
