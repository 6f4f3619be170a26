package redirect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/kubeapi"
)

// FieldManager owns the fields that a kubernetes target sets.
const FieldManager = "reconcile"

// slicePollEvery is the pause between two reads of a Service's endpoints.
const slicePollEvery = 200 * time.Millisecond

// kubeService is a kubernetes target.
type kubeService struct {
	conf   Kubernetes
	client *kubeapi.Client
	now    func() time.Time
}

func newKubeService(c Kubernetes, now func() time.Time) (kubeService, error) {
	return kubeService{conf: c, client: kubeapi.New(c.API), now: now}, c.fault()
}

// fault returns what is wrong with the configuration, so that traffic for one cluster could
// reach another.
func (k Kubernetes) fault() error {
	kinds := 0
	for _, set := range []bool{len(k.Selectors) > 0, len(k.Endpoints) > 0, len(k.ExternalNames) > 0} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return errors.New("it does not say where the Service points (hint: write exactly one of selectors, endpoints, externalNames)")
	}
	ids := k.clusters()
	for i, a := range ids {
		for _, b := range ids[i+1:] {
			if what := k.overlap(a, b); what != "" {
				return fmt.Errorf("%s and %s have %s (hint: each cluster needs its own)", a, b, what)
			}
		}
	}
	for _, id := range ids {
		if err := samePort(k.Endpoints[id]); err != nil {
			return fmt.Errorf("endpoints of %s: %w", id, err)
		}
	}
	return nil
}

// overlap names what two clusters have in common.
func (k Kubernetes) overlap(a, b string) string {
	if contains(k.Selectors[a], k.Selectors[b]) || contains(k.Selectors[b], k.Selectors[a]) {
		if len(k.Selectors) > 0 {
			return "selectors that match the same pods"
		}
	}
	for _, address := range k.Endpoints[a] {
		if slices.Contains(k.Endpoints[b], address) {
			return "the same endpoint " + address.String()
		}
	}
	if name := k.ExternalNames[a]; name != "" && name == k.ExternalNames[b] {
		return "the same external name " + name
	}
	return ""
}

// contains says whether all labels of the second selector are part of the first.
func contains(labels, part map[string]string) bool {
	for key, value := range part {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// samePort returns an error unless all addresses have one port, as an EndpointSlice needs.
func samePort(addresses []netip.AddrPort) error {
	for _, a := range addresses {
		if a.Port() != addresses[0].Port() {
			return fmt.Errorf("they have the ports %d and %d (hint: the endpoints of a cluster need one port)", addresses[0].Port(), a.Port())
		}
	}
	return nil
}

// clusters are the clusters that the target can point at, sorted.
func (k Kubernetes) clusters() []string {
	ids := slices.Collect(maps.Keys(k.Selectors))
	ids = slices.AppendSeq(ids, maps.Keys(k.Endpoints))
	ids = slices.AppendSeq(ids, maps.Keys(k.ExternalNames))
	slices.Sort(ids)
	return ids
}

// concerns reports whether the target is configured for the topology, or for one of its
// clusters.
func (k kubeService) concerns(w desiredTraffic) bool {
	known := k.conf.clusters()
	stale := func(e endpoint) bool { return slices.Contains(known, e.Cluster) }
	return w.named || slices.Contains(known, w.primary.Cluster) || slices.ContainsFunc(w.stale, stale)
}

// open connects, and reads the Service with its endpoints.
func (k kubeService) open(ctx context.Context, w desiredTraffic) (kubeView, error) {
	if !slices.Contains(k.conf.clusters(), w.primary.Cluster) {
		return kubeView{}, fmt.Errorf("the Service %s: the target does not say what %s is (hint: add it to its selectors, endpoints or externalNames)", k.conf.service(), w.primary.Cluster)
	}
	v := kubeView{kubeService: k, traffic: w}
	if err := v.read(ctx); err != nil {
		return kubeView{}, err
	}
	return v, v.unfit()
}

func (k kubeService) set(ctx context.Context, w desiredTraffic) error {
	_, err := k.replace(ctx, w)
	return err
}

// replace points the Service at the primary. The endpoints of another cluster are gone before
// those of the primary come. It changes nothing that is as desired.
func (k kubeService) replace(ctx context.Context, w desiredTraffic) (replaced, error) {
	v, err := k.open(ctx, w)
	if err != nil {
		return replaced{}, err
	}
	v.begun = k.now()
	switch {
	case len(k.conf.Selectors) > 0:
		err = v.setSelector(ctx)
	case len(k.conf.Endpoints) > 0:
		err = v.setEndpoints(ctx)
	default:
		err = v.setExternalName(ctx)
	}
	return v.was, err
}

func (k kubeService) check(ctx context.Context, w desiredTraffic) (plan.Stay, error) {
	stay := k.conf.stay()
	v, err := k.open(ctx, w)
	if err != nil {
		return stay, err
	}
	if wrong := v.problems(); len(wrong) > 0 {
		return stay, fmt.Errorf("the Service %s: %s", k.conf.service(), strings.Join(wrong, ", "))
	}
	return stay, nil
}

// stay: Kubernetes closes no connection, and its own DNS keeps an external name.
func (k Kubernetes) stay() plan.Stay {
	if len(k.ExternalNames) > 0 {
		return plan.Stay{Known: true, New: longestClusterTTL, Why: "the TTL of the cluster's DNS, if it is CoreDNS as installed"}
	}
	return plan.Stay{Known: true, Why: "when kube-proxy of their node has seen it; one that is cut off has not"}
}

// longestClusterTTL is the TTL of CoreDNS as kubeadm and most distributions install it.
const longestClusterTTL = 30 * time.Second

// rehearse sends what set would send last as a dry run: the server checks rights, values
// and owners of the fields, and stores nothing.
func (k kubeService) rehearse(ctx context.Context, w desiredTraffic) error {
	v, err := k.open(ctx, w)
	if err != nil {
		return err
	}
	v.dryRun = true
	if len(k.conf.Endpoints) > 0 {
		return v.applySlices(ctx, v.desiredAddresses())
	}
	return v.applyService(ctx, v.desiredSpec())
}

// service is namespace/name.
func (k Kubernetes) service() string { return k.Namespace + "/" + k.Service }
