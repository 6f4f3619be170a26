// Package discovery finds Milvus clusters in Kubernetes: those of the Milvus operator and those of
// the Milvus chart. It only reads.
//
// What it relies on was read in zilliztech/milvus-operator a6dcc638 (2026-08-22; config/assets/templates,
// pkg/controllers/{utils,components}.go, apis/milvus.io/v1beta1) and zilliztech/milvus-helm 98324768
// (chart 5.0.19; charts/milvus/templates/{service,cdc-deployment,configmap}.yaml).
package discovery

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/kubeapi"
)

// CDC says whether the component runs that sends a cluster's writes to its standbys. A cluster
// needs it as soon as it is a primary.
type CDC int

// What is known of CDC. The zero value is nothing.
const (
	CDCUnknown  CDC = iota
	CDCReady        // a replica is ready
	CDCNotReady     // it is deployed, and no replica is ready
	CDCAbsent       // it is not deployed
)

// Maker is what made a cluster.
type Maker string

// The makers that are known.
const (
	Operator Maker = "operator" // the custom resource milvus.io/v1beta1 Milvus
	Chart    Maker = "chart"    // the Helm chart milvus
)

// Place is where a cluster is.
type Place struct {
	Namespace string
	Instance  string // the name of the custom resource, or of the chart's release
}

// String returns NAMESPACE/INSTANCE.
func (p Place) String() string { return p.Namespace + "/" + p.Instance }

// Cluster is a Milvus cluster that was found.
type Cluster struct {
	Place
	Maker   Maker
	ID      string // msgChannel.chanNamePrefix.cluster; empty if it could not be read
	NoID    string // why there is no ID
	Address string // host:port of its Service, or of its load balancer
	Inside  bool   // the address leads to the cluster only within this Kubernetes
	TLS     bool   // common.security.tlsMode is not 0
	CDC     CDC
}

// Kubernetes is one Kubernetes. Goroutines may share it.
type Kubernetes struct{ api *kubeapi.Client }

// Open returns the Kubernetes of a kubeconfig's context, or without both the one that this process
// runs in. It sends nothing. A program of the kubeconfig gets no value of the hidden variables.
func Open(kubeconfig, context string, hidden ...string) *Kubernetes {
	return &Kubernetes{kubeapi.New(kubeapi.Config{Kubeconfig: kubeconfig, Context: context, Hidden: hidden})}
}

// Where names it for people.
func (k *Kubernetes) Where() string { return k.api.Where() }

// Close closes the connections.
func (k *Kubernetes) Close() { k.api.Close() }

// Find returns the clusters of a namespace, or of all namespaces if it is empty, in the order of
// namespace and instance. It fails if the API server does not answer, or does not allow to list.
func (k *Kubernetes) Find(ctx context.Context, namespace string) ([]Cluster, error) {
	services, err := list[service](ctx, k.api, path("/api/v1", namespace, "services"), milvusLabel)
	if err != nil {
		return nil, fmt.Errorf("list the Services of Milvus: %w", err)
	}
	resources, err := list[milvusResource](ctx, k.api, path("/apis/milvus.io/v1beta1", namespace, "milvuses"), "")
	custom := customResources{resources, err}
	deployments, err := list[deployment](ctx, k.api, path("/apis/apps/v1", namespace, "deployments"), milvusLabel)
	if err != nil {
		return nil, fmt.Errorf("list the Deployments of Milvus: %w", err)
	}
	var out []Cluster
	for _, s := range services {
		if !s.isMilvus() {
			continue
		}
		c := Cluster{Place: s.place(), Maker: s.Metadata.maker(), CDC: cdcOf(s.place(), deployments)}
		c.Address, c.Inside = s.address()
		settings, err := settingsOf(ctx, k.api, s, custom)
		if err != nil {
			c.NoID = err.Error()
		}
		c.ID, c.TLS = settings.id, settings.tls
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Cluster) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// ReadCDC says whether CDC runs for the cluster at a place, and what made the cluster.
func (k *Kubernetes) ReadCDC(ctx context.Context, p Place) (Maker, CDC, error) {
	deployments, err := list[deployment](ctx, k.api, path("/apis/apps/v1", p.Namespace, "deployments"), milvusLabel+","+instanceLabel+"="+p.Instance)
	if err != nil {
		return "", CDCUnknown, fmt.Errorf("list the Deployments of %s: %w", p, err)
	}
	if len(deployments) == 0 {
		return "", CDCUnknown, fmt.Errorf("there is no Deployment of Milvus with the label %s=%s in the namespace %s", instanceLabel, p.Instance, p.Namespace)
	}
	return deployments[0].Metadata.maker(), cdcOf(p, deployments), nil
}

// cdcOf looks for the Deployments of CDC among those of all clusters. One is enough that is ready.
func cdcOf(p Place, deployments []deployment) CDC {
	out := CDCAbsent
	for _, d := range deployments {
		if d.place() != p || d.component() != "cdc" {
			continue
		}
		if d.Status.ReadyReplicas > 0 {
			return CDCReady
		}
		out = CDCNotReady
	}
	return out
}

func path(api, namespace, resource string) string {
	if namespace == "" {
		return api + "/" + resource
	}
	return api + "/namespaces/" + url.PathEscape(namespace) + "/" + resource
}

// pageSize keeps an answer far below what a client reads.
const pageSize = "100"

// list returns all objects, page by page.
func list[T any](ctx context.Context, api *kubeapi.Client, at, labels string) ([]T, error) {
	var out []T
	query := url.Values{"limit": {pageSize}}
	if labels != "" {
		query.Set("labelSelector", labels)
	}
	for {
		var page struct {
			Items    []T
			Metadata struct{ Continue string }
		}
		if err := api.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: at, Query: query}, &page); err != nil {
			return nil, fmt.Errorf("GET %s: %w", at, err)
		}
		out = append(out, page.Items...)
		if page.Metadata.Continue == "" {
			return out, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}
