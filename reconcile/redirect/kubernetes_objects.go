package redirect

import (
	"net/netip"
	"slices"
)

// Labels and annotations of Kubernetes and ours.
const (
	labelServiceName = "kubernetes.io/service-name"
	labelManagedBy   = "endpointslice.kubernetes.io/managed-by"
	ownDomain        = "reconcile.milvus.io"
	sliceController  = "endpointslice-controller.k8s.io"
	// pausedKey is the selector of a Service while it moves. No pod has this label.
	pausedKey, pausedValue = ownDomain + "/points-at", "nothing"
)

// objectMeta is the metadata that a target reads and writes.
type objectMeta struct {
	Name            string            `json:"name,omitempty"`
	Namespace       string            `json:"namespace,omitempty"`
	UID             string            `json:"uid,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	OwnerReferences []ownerReference  `json:"ownerReferences,omitempty"`
}

type ownerReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// service is a Service, as far as a target reads and writes it.
type service struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   objectMeta  `json:"metadata"`
	Spec       serviceSpec `json:"spec"`
}

type serviceSpec struct {
	Type         string            `json:"type,omitempty"`
	Selector     map[string]string `json:"selector,omitempty"`
	ExternalName string            `json:"externalName,omitempty"`
	Ports        []servicePort     `json:"ports,omitempty"`
}

type servicePort struct {
	Name     string `json:"name,omitempty"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol,omitempty"`
}

// endpointSlice is an EndpointSlice.
type endpointSlice struct {
	APIVersion  string          `json:"apiVersion"`
	Kind        string          `json:"kind"`
	Metadata    objectMeta      `json:"metadata"`
	AddressType string          `json:"addressType"`
	Endpoints   []sliceEndpoint `json:"endpoints"`
	Ports       []slicePort     `json:"ports"`
}

type sliceEndpoint struct {
	Addresses  []string        `json:"addresses"`
	Conditions sliceConditions `json:"conditions"`
}

// sliceConditions are the conditions of an endpoint. A nil Ready counts as ready.
type sliceConditions struct {
	Ready *bool `json:"ready,omitempty"`
}

// slicePort is the port of a slice. Both fields must be the same as the Service's.
type slicePort struct {
	Name     string `json:"name"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol,omitempty"`
}

type sliceList struct {
	Items []endpointSlice `json:"items"`
}

// family is the address type of an EndpointSlice.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// families are the address types, in the order in which they are written.
func families() []string { return []string{"IPv4", "IPv6"} }

// ours says whether the target's manager wrote the slice.
func (s endpointSlice) ours() bool { return s.Metadata.Labels[labelManagedBy] == ownDomain }

// manager names who wrote the slice.
func (s endpointSlice) manager() string {
	if m := s.Metadata.Labels[labelManagedBy]; m != "" {
		return m
	}
	return "somebody"
}

// addresses are where the slice leads, sorted.
func (s endpointSlice) addresses() []netip.AddrPort {
	var out []netip.AddrPort
	for _, e := range s.Endpoints {
		for _, text := range e.Addresses {
			a, err := netip.ParseAddr(text)
			if err != nil {
				continue // a name, which kube-proxy does not follow
			}
			for _, p := range s.Ports {
				out = append(out, netip.AddrPortFrom(a, uint16(p.Port))) //nolint:gosec // the API server allows 1 to 65535
			}
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return slices.Compact(out)
}

// ready is the number of endpoints that get traffic.
func (s endpointSlice) ready() int {
	n := 0
	for _, e := range s.Endpoints {
		if e.Conditions.Ready == nil || *e.Conditions.Ready {
			n++
		}
	}
	return n
}
