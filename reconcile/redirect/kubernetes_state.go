package redirect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/reconcile/kubeapi"
)

// kubeView is a Service as it was read, with its endpoints.
type kubeView struct {
	kubeService
	traffic desiredTraffic
	dryRun  bool
	service service
	slices  []endpointSlice
	begun   time.Time // when a set began
	was     replaced
}

func (v *kubeView) servicePath() string {
	return "/api/v1/namespaces/" + v.conf.Namespace + "/services/" + v.conf.Service
}

func (v *kubeView) slicesPath() string {
	return "/apis/discovery.k8s.io/v1/namespaces/" + v.conf.Namespace + "/endpointslices"
}

// read reads the Service and its endpoints. An ExternalName has none.
func (v *kubeView) read(ctx context.Context) error {
	if err := v.client.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: v.servicePath()}, &v.service); err != nil {
		if kubeapi.IsNotFound(err) {
			return fmt.Errorf("the Service %s does not exist (hint: create it with its ports; reconcile sets only where it points)", v.conf.service())
		}
		return v.failed("read Service "+v.conf.service(), err, "")
	}
	if len(v.conf.ExternalNames) > 0 {
		return nil
	}
	return v.readSlices(ctx)
}

func (v *kubeView) readSlices(ctx context.Context) error {
	var list sliceList
	query := url.Values{"labelSelector": {labelServiceName + "=" + v.conf.Service}}
	if err := v.client.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: v.slicesPath(), Query: query}, &list); err != nil {
		return v.failed("read the EndpointSlices of Service "+v.conf.service(), err, "")
	}
	v.slices = list.Items
	return nil
}

// failed explains why a call failed. Of a conflict, it says how a person takes over what a
// set would apply; a rehearsal must not say that, since it would move the traffic.
func (v *kubeView) failed(what string, err error, byHand string) error {
	refused := func(code, why, hint string) error {
		return fmt.Errorf("%s: %s: %s: %w (hint: %s)", what, code, why, err, hint)
	}
	var status *kubeapi.StatusError
	switch {
	case kubeapi.IsConflict(err):
		hint := "take the field out of what that manager applies"
		if byHand != "" && !v.dryRun {
			hint += "; to move the traffic by hand now: " + byHand
		}
		return refused("FIELD_CONFLICT", "another manager owns what is to be set, and it is not taken over by force", hint)
	case kubeapi.IsForbidden(err):
		return refused("FORBIDDEN", "a right is missing", "grant it as docs/redirect.md#kubernetes says")
	case errors.As(err, &status) && status.Code == http.StatusUnauthorized:
		return refused("UNAUTHORIZED", v.client.Where()+" does not accept the credential", "renew it")
	}
	return fmt.Errorf("%s by %s: %w", what, v.client.Where(), err)
}

// unfit says why the Service cannot be pointed anywhere in the configured way.
func (v *kubeView) unfit() error {
	s := v.service.Spec
	external := s.Type == "ExternalName"
	name := "Service " + v.conf.service()
	switch {
	case len(v.conf.ExternalNames) > 0 && !external:
		return fmt.Errorf("%s has the type %s, so an external name has no effect (hint: create it with type: ExternalName, or configure selectors or endpoints)", name, bounded(s.Type))
	case len(v.conf.ExternalNames) == 0 && external:
		return fmt.Errorf("%s has the type ExternalName (hint: configure externalNames, or create the Service with another type)", name)
	case len(v.conf.Endpoints) > 0 && len(s.Selector) > 0:
		return fmt.Errorf("%s has a selector, so Kubernetes adds endpoints of its own (hint: create it without a selector)", name)
	case len(v.conf.Endpoints) > 0 && v.port() == nil:
		return fmt.Errorf("%s has no port %q (hint: write the name of the port for Milvus as port)", name, v.conf.Port)
	}
	return nil
}

// port is the port of the Service that leads to Milvus: the named one, or the only one.
func (v *kubeView) port() *servicePort {
	ports := v.service.Spec.Ports
	if v.conf.Port == "" && len(ports) == 1 {
		return &ports[0]
	}
	i := slices.IndexFunc(ports, func(p servicePort) bool { return p.Name == v.conf.Port })
	if i < 0 {
		return nil
	}
	return &ports[i]
}

// problems says what sends traffic elsewhere than to the primary.
func (v *kubeView) problems() []string {
	id := v.traffic.primary.Cluster
	if len(v.conf.ExternalNames) > 0 {
		if got := v.service.Spec.ExternalName; got != v.conf.ExternalNames[id] {
			return []string{fmt.Sprintf("it is a name for %s, not for %s of %s", v.named(bounded(got), v.clusterOfName(got)), v.conf.ExternalNames[id], id)}
		}
		return nil
	}
	wrong := v.foreignSlices()
	if len(v.conf.Selectors) > 0 {
		return append(v.selectorProblems(id), wrong...)
	}
	return append(v.endpointProblems(id), wrong...)
}

func (v *kubeView) selectorProblems(id string) []string {
	got := v.service.Spec.Selector
	if !maps.Equal(got, v.conf.Selectors[id]) {
		if got[pausedKey] == pausedValue {
			return []string{"it points at nothing, since a change of its selector was not finished"}
		}
		return []string{fmt.Sprintf("its selector %s is not that of %s", v.named(bounded(labels(got)), v.clusterOfSelector(got)), id)}
	}
	if v.ready() == 0 {
		return []string{"it has no endpoint that is ready: no pod of " + id + " matches its selector and is ready"}
	}
	return nil
}

// ready is the number of endpoints that get traffic.
func (v *kubeView) ready() int {
	n := 0
	for _, s := range v.slices {
		n += s.ready()
	}
	return n
}

func (v *kubeView) endpointProblems(id string) []string {
	want, got := v.desiredAddresses(), v.ownAddresses()
	var wrong []string
	for _, a := range got {
		if !slices.Contains(want, a) {
			wrong = append(wrong, "it leads to "+v.named(a.String(), v.clusterOfAddress(a)))
		}
	}
	for _, a := range want {
		if !slices.Contains(got, a) {
			wrong = append(wrong, "it does not lead to "+v.named(a.String(), id))
		}
	}
	for _, s := range v.slices {
		if s.ours() && s.ready() < len(s.Endpoints) {
			wrong = append(wrong, "an endpoint of "+s.Metadata.Name+" is not ready")
		}
	}
	return wrong
}

// foreignSlices names the EndpointSlices with endpoints that nobody configured: part of the
// traffic goes there.
func (v *kubeView) foreignSlices() []string {
	var wrong []string
	for _, s := range v.slices {
		expected := s.ours()
		if len(v.conf.Selectors) > 0 {
			expected = s.Metadata.Labels[labelManagedBy] == sliceController
		}
		if !expected && len(s.Endpoints) > 0 {
			wrong = append(wrong, fmt.Sprintf("EndpointSlice %s, which %s wrote, adds %d endpoints", bounded(s.Metadata.Name), bounded(s.manager()), len(s.Endpoints)))
		}
	}
	return wrong
}

// ownAddresses are where the slices of the target lead, sorted.
func (v *kubeView) ownAddresses() []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range v.slices {
		if s.ours() {
			out = append(out, s.addresses()...)
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

func (v *kubeView) desiredAddresses() []netip.AddrPort {
	out := slices.Clone(v.conf.Endpoints[v.traffic.primary.Cluster])
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// named adds a cluster to what a message shows; empty: no cluster is known by it.
func (v *kubeView) named(what, cluster string) string {
	if cluster == "" {
		return what + ", which no cluster is configured for"
	}
	return what + " of " + cluster
}

func (v *kubeView) clusterOfName(name string) string {
	return first(v.conf.clusters(), func(id string) bool { return name != "" && v.conf.ExternalNames[id] == name })
}

func (v *kubeView) clusterOfSelector(selector map[string]string) string {
	return first(v.conf.clusters(), func(id string) bool { return maps.Equal(selector, v.conf.Selectors[id]) })
}

func (v *kubeView) clusterOfAddress(a netip.AddrPort) string {
	return first(v.conf.clusters(), func(id string) bool { return slices.Contains(v.conf.Endpoints[id], a) })
}

func first(ids []string, is func(string) bool) string {
	if i := slices.IndexFunc(ids, is); i >= 0 {
		return ids[i]
	}
	return ""
}

// labels writes a selector as kubectl does.
func labels(selector map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		out = append(out, key+"="+selector[key])
	}
	if out == nil {
		return "(none)"
	}
	return strings.Join(out, ",")
}
