// Package kubernetes keeps the bytes of a ledger in objects of Kubernetes, and its locks in
// Leases. Package ledger gives them their meaning.
//
// The ConfigMap of the ledger's name holds the newest records, the latest values, the head
// and the fencing token of each lock. So one update of one object is a transaction: the API
// server refuses it if the object was changed since it was read. Records that no longer fit
// lie in immutable ConfigMaps, which the first one names with their hashes. A Lease excludes
// other holders; the token in the ConfigMap refuses what a former holder still writes.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/reconcile/kubeapi"
)

// Config says where a ledger is.
type Config struct {
	API       *kubeapi.Client
	Namespace string
	Name      string        // of the ConfigMap; a DNS label
	TTL       time.Duration // of a Lease, whole seconds
}

// Store is a ledger in Kubernetes. Goroutines may share it.
type Store struct {
	config Config

	mu       sync.Mutex
	parts    map[string][]Record // by name; they never change
	observed map[string]observation
}

// New returns a store. It sends nothing.
func New(c Config) *Store {
	return &Store{config: c, parts: map[string][]Record{}, observed: map[string]observation{}}
}

// Where names the ledger for people.
func (s *Store) Where() string {
	return fmt.Sprintf("ConfigMap %s/%s of %s", s.config.Namespace, s.config.Name, s.config.API.Where())
}

// Close closes the connections.
func (s *Store) Close() { s.config.API.Close() }

// object is a ConfigMap or a Lease.
type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	Immutable  bool              `json:"immutable,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	BinaryData map[string][]byte `json:"binaryData,omitempty"`
	Spec       *leaseSpec        `json:"spec,omitempty"`
}

// metadata is what an update keeps of an object.
type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	UID             string            `json:"uid,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	OwnerReferences []any             `json:"ownerReferences,omitempty"`
	Finalizers      []string          `json:"finalizers,omitempty"`
}

const (
	configMaps = "configmaps"
	leases     = "leases"
	// ofLedger is the label of every object of a ledger; its value is the ledger's name.
	ofLedger  = "reconcile/ledger"
	managedBy = "app.kubernetes.io/managed-by"
)

// named returns an object of the ledger that does not exist yet.
func (s *Store) named(resource, name string) object {
	o := object{APIVersion: "v1", Kind: "ConfigMap"}
	if resource == leases {
		o = object{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
	}
	o.Metadata = metadata{Name: name, Namespace: s.config.Namespace, Labels: map[string]string{ofLedger: s.config.Name, managedBy: "reconcile"}}
	return o
}

// path returns where objects are served.
func (s *Store) path(resource, name string) string {
	group := "/api/v1"
	if resource == leases {
		group = "/apis/coordination.k8s.io/v1"
	}
	path := group + "/namespaces/" + url.PathEscape(s.config.Namespace) + "/" + resource
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

// get reads the newest version of an object; false: there is none.
func (s *Store) get(ctx context.Context, resource, name string) (o object, found bool, err error) {
	err = s.config.API.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: s.path(resource, name)}, &o)
	if kubeapi.IsNotFound(err) {
		return object{}, false, nil
	}
	return o, err == nil, s.refused("get", resource, err)
}

// list reads all objects of the ledger, or as many as limit says.
func (s *Store) list(ctx context.Context, resource string, limit string) ([]object, error) {
	query := url.Values{"labelSelector": {ofLedger + "=" + s.config.Name}}
	if limit != "" {
		query.Set("limit", limit)
	}
	var out struct{ Items []object }
	err := s.config.API.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: s.path(resource, ""), Query: query}, &out)
	return out.Items, s.refused("list", resource, err)
}

// put creates an object without a version, and otherwise replaces that version. False: another
// process was faster. dryRun only asks whether it could.
func (s *Store) put(ctx context.Context, resource string, o object, dryRun bool) (written object, done bool, err error) {
	r := kubeapi.Request{Method: http.MethodPut, Path: s.path(resource, o.Metadata.Name), Body: o, Query: url.Values{"fieldManager": {"reconcile"}}}
	verb := "update"
	if o.Metadata.ResourceVersion == "" {
		r.Method, r.Path, verb = http.MethodPost, s.path(resource, ""), "create"
	}
	if dryRun {
		r.Query.Set("dryRun", "All")
	}
	err = s.config.API.Do(ctx, r, &written)
	switch {
	case err == nil:
		return written, true, nil
	case kubeapi.IsConflict(err), kubeapi.IsExists(err), verb == "update" && kubeapi.IsNotFound(err):
		return object{}, false, nil
	}
	return object{}, false, s.refused(verb, resource, err)
}

// MissingRightsError says which rights a role must still give.
type MissingRightsError struct {
	Rights    []string // as "update configmaps"
	Namespace string
}

// Error names the rights and the remedy.
func (e *MissingRightsError) Error() string {
	what := "the right"
	if len(e.Rights) > 1 {
		what = "the rights"
	}
	verb := map[bool]string{true: "is", false: "are"}[len(e.Rights) == 1]
	return fmt.Sprintf("%s to %s in namespace %s %s missing (hint: 'kubectl apply -f docs/deploy/kubernetes/ledger.yaml' gives exactly the rights that it needs)",
		what, strings.Join(e.Rights, ", "), e.Namespace, verb)
}

// refused names the right that is missing. The API server also forbids what an admission
// controller does not like; that is told as it is.
func (s *Store) refused(verb, resource string, err error) error {
	var status *kubeapi.StatusError
	if !kubeapi.IsForbidden(err) || !errors.As(err, &status) || !strings.Contains(status.Message, " cannot "+verb+" resource ") {
		return err
	}
	return &MissingRightsError{Rights: []string{verb + " " + resource}, Namespace: s.config.Namespace}
}
