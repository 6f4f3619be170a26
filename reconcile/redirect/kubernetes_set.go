package redirect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reason"
)

// setSelector lets the Service select no pod, waits until its endpoints are gone, and then
// selects the pods of the primary.
func (v *kubeView) setSelector(ctx context.Context) error {
	want := v.conf.Selectors[v.traffic.primary.Cluster]
	if maps.Equal(v.service.Spec.Selector, want) {
		return nil
	}
	if v.service.Spec.Selector[pausedKey] != pausedValue {
		if err := v.applyService(ctx, serviceSpec{Selector: map[string]string{pausedKey: pausedValue}}); err != nil {
			return err
		}
	}
	if err := v.awaitNoEndpoints(ctx); err != nil {
		return err
	}
	v.oldAreGone()
	if err := v.applyService(ctx, v.desiredSpec()); err != nil {
		return err
	}
	v.awaitReady(ctx)
	return nil
}

// oldAreGone notes when the API server was seen to hold no endpoint of the old primary any
// more. kube-proxy of each node follows it by itself.
func (v *kubeView) oldAreGone() {
	v.was.gone = "its old endpoints were gone within " + plan.UpperBoundText(v.now().Sub(v.begun))
}

// awaitNoEndpoints waits until Kubernetes has removed the endpoints of the Service.
func (v *kubeView) awaitNoEndpoints(ctx context.Context) error {
	left := 0
	err := v.poll(ctx, func() bool {
		left = 0
		for _, s := range v.slices {
			if s.Metadata.Labels[labelManagedBy] == sliceController {
				left += len(s.Endpoints)
			}
		}
		return left == 0
	})
	if err != nil && left > 0 {
		return fmt.Errorf("the Service %s still has %d endpoints of before: %w (hint: the endpointslice-controller removes them; see whether kube-controller-manager runs)", v.conf.service(), left, err)
	}
	return err
}

// readyWithin is how long a set waits for endpoints of the pods that it selected. The check
// says whether there are any.
const readyWithin = 3 * time.Second

// awaitReady waits until Kubernetes has added an endpoint that is ready, for a while.
func (v *kubeView) awaitReady(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	_ = v.poll(ctx, func() bool { return v.ready() > 0 })
}

// poll reads the endpoints until they are as wanted, or until ctx ends.
func (v *kubeView) poll(ctx context.Context, wanted func() bool) error {
	for {
		if err := v.readSlices(ctx); err != nil {
			return err
		}
		if wanted() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(slicePollEvery):
		}
	}
}

// setEndpoints removes what leads elsewhere, and then adds the primary's endpoints.
func (v *kubeView) setEndpoints(ctx context.Context) error {
	want, got := v.desiredAddresses(), v.ownAddresses()
	if slices.Equal(want, got) {
		return nil
	}
	keep := slices.DeleteFunc(slices.Clone(got), func(a netip.AddrPort) bool { return !slices.Contains(want, a) })
	if len(keep) < len(got) {
		if err := v.applySlices(ctx, keep); err != nil {
			return err
		}
		v.oldAreGone()
	}
	return v.applySlices(ctx, want)
}

func (v *kubeView) setExternalName(ctx context.Context) error {
	want := v.desiredSpec()
	if v.service.Spec.ExternalName == want.ExternalName {
		return nil
	}
	if err := v.applyService(ctx, want); err != nil {
		return err
	}
	v.was.stay = v.conf.stay()
	return nil
}

// apply is a server-side apply. The server refuses to take a field over from another
// manager.
func (v *kubeView) apply(ctx context.Context, path string, object any) error {
	query := url.Values{"fieldManager": {FieldManager}, "force": {"false"}, "fieldValidation": {"Strict"}}
	if v.dryRun {
		query.Set("dryRun", "All")
	}
	return v.client.Do(ctx, kubeapi.Request{Method: http.MethodPatch, Path: path, Query: query, Type: "application/apply-patch+yaml", Body: object}, nil)
}

// applyService sets where the Service that was read points; it creates none.
func (v *kubeView) applyService(ctx context.Context, spec serviceSpec) error {
	object := service{
		APIVersion: "v1", Kind: "Service", Spec: spec,
		Metadata: objectMeta{Name: v.conf.Service, Namespace: v.conf.Namespace, UID: v.service.Metadata.UID, Annotations: v.annotations(ctx)},
	}
	if err := v.apply(ctx, v.servicePath(), object); err != nil {
		return v.failed("set Service "+v.conf.service(), err, v.byHand())
	}
	return nil
}

// desiredSpec is what the Service holds in the end.
func (v *kubeView) desiredSpec() serviceSpec {
	if len(v.conf.Selectors) > 0 {
		return serviceSpec{Selector: v.conf.Selectors[v.traffic.primary.Cluster]}
	}
	return serviceSpec{Type: "ExternalName", ExternalName: v.conf.ExternalNames[v.traffic.primary.Cluster]}
}

// byHand is the command by which a person points the Service at the primary, and gives the
// field to reconcile.
func (v *kubeView) byHand() string {
	spec, err := json.Marshal(v.desiredSpec())
	if err != nil {
		return ""
	}
	return fmt.Sprintf(`echo '{"apiVersion":"v1","kind":"Service","metadata":{"name":%q},"spec":%s}' | kubectl -n %s apply --server-side --force-conflicts --field-manager=%s -f -`,
		v.conf.Service, spec, v.conf.Namespace, FieldManager)
}

// applySlices writes the slice of each address family that is there or has addresses.
func (v *kubeView) applySlices(ctx context.Context, addresses []netip.AddrPort) error {
	for _, f := range families() {
		name := v.conf.Service + "-" + FieldManager + "-" + strings.ToLower(f)
		there := slices.ContainsFunc(v.slices, func(s endpointSlice) bool { return s.Metadata.Name == name })
		object := v.slice(ctx, name, f, addresses)
		if !there && len(object.Endpoints) == 0 {
			continue
		}
		if err := v.apply(ctx, v.slicesPath()+"/"+name, object); err != nil {
			return v.failed("set EndpointSlice "+v.conf.Namespace+"/"+name, err, "")
		}
	}
	return nil
}

// slice is the slice of one address family. The Service owns it, so it goes with it.
func (v *kubeView) slice(ctx context.Context, name, f string, addresses []netip.AddrPort) endpointSlice {
	port := v.port()
	out := endpointSlice{
		APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice", AddressType: f, Endpoints: []sliceEndpoint{},
		Metadata: objectMeta{
			Name: name, Namespace: v.conf.Namespace, Annotations: v.annotations(ctx),
			Labels:          map[string]string{labelServiceName: v.conf.Service, labelManagedBy: ownDomain},
			OwnerReferences: []ownerReference{{"v1", "Service", v.conf.Service, v.service.Metadata.UID}},
		},
	}
	number := v.conf.Endpoints[v.traffic.primary.Cluster][0].Port()
	ready := true
	for _, a := range addresses {
		if family(a.Addr()) == f {
			out.Endpoints = append(out.Endpoints, sliceEndpoint{[]string{a.Addr().String()}, sliceConditions{&ready}})
		}
	}
	out.Ports = []slicePort{{port.Name, int32(number), cmp.Or(port.Protocol, "TCP")}}
	return out
}

// annotations say who set the object and why.
func (v *kubeView) annotations(ctx context.Context) map[string]string {
	why := reason.Of(ctx)
	host, err := os.Hostname()
	if err != nil {
		host = "a host without a name"
	}
	return map[string]string{
		ownDomain + "/set-by":     FieldManager + " on " + host,
		ownDomain + "/set-at":     v.now().UTC().Format(time.RFC3339),
		ownDomain + "/topology":   v.traffic.topology,
		ownDomain + "/primary":    v.traffic.primary.Cluster,
		ownDomain + "/commit":     cmp.Or(why.Commit, "unknown"),
		ownDomain + "/transition": why.Transition.String(),
	}
}
