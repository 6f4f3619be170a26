// Package kubernetes keeps the bytes of a ledger in objects of Kubernetes, and its locks in
// Leases. Package ledger gives them their meaning.
//
// Each topology has a ConfigMap with its newest records, its latest values and the fencing token
// of its lock. Its older records lie in immutable ConfigMaps, which it names with their hashes.
// The ConfigMap of the ledger's name is the head: it is small, and holds the number of the last
// transaction, what that changes, and hashes by which the rest is checked. A Lease excludes other
// holders; the token refuses what a former holder still writes.
//
// A transaction is one update of the head, which the API server refuses if the head was changed
// since it was read. Then the transaction is carried into the objects of its topologies. Before
// a writer commits the next one, it makes sure that the last one is in them:
//
//	a process dies after              the ledger then                  who comes next
//	it made an object for older       the objects are as before;       makes the same object, or
//	  records                           nothing names the new one        never names it
//	it updated the head               has the transaction; the         a reader adds what the head
//	                                    objects of its topologies        holds; a writer carries it
//	                                    lack it                          into them first
//	it updated some of the objects    the same; some have it           the same; an object that
//	                                                                     has it is left alone
//	it updated all of them            has the transaction              goes on
//
// An object has the number of the last transaction that changed it, and a transaction names the
// number that it follows there. So an object takes a transaction once, in order, and only at the
// version that was read: a late writer takes nothing back. A reader reads the head first. If an
// object has a later transaction than the head, it reads the head again.
package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
	// Recheck is after how long all objects are read again, since somebody may have edited one;
	// 0: 5 minutes.
	Recheck time.Duration
}

// Store is a ledger in Kubernetes. Goroutines may share it.
type Store struct {
	config Config

	mu       sync.Mutex
	parts    map[string][]Record // by name; they never change
	observed map[string]observation
	known    known
}

// New returns a store. It sends nothing.
func New(c Config) *Store {
	if c.Recheck <= 0 {
		c.Recheck = 5 * time.Minute
	}
	return &Store{config: c, parts: map[string][]Record{}, observed: map[string]observation{}}
}

// Where names the ledger for people.
func (s *Store) Where() string {
	return fmt.Sprintf("ConfigMap %s/%s of %s", s.config.Namespace, s.config.Name, s.config.API.Where())
}

// Kubectl returns the commands with which people list the objects of the ledger, and delete its
// head, so that a new ledger may begin.
func (s *Store) Kubectl() (list, removeHead string) {
	in := "kubectl -n " + s.config.Namespace
	return in + " get configmaps -l " + s.ofThis(), in + " delete configmap " + s.config.Name
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

// ofThis selects the objects of this ledger.
func (s *Store) ofThis() string { return ofLedger + "=" + s.config.Name }

// pageSize is how many objects are asked for at once.
const pageSize = 256

// list reads all objects that have these labels, or as many as limit says.
func (s *Store) list(ctx context.Context, resource, labels string, limit int) ([]object, error) {
	query := url.Values{"labelSelector": {labels}}
	var all []object
	for size := min(cmp.Or(limit, pageSize), pageSize); ; {
		query.Set("limit", strconv.Itoa(size))
		var page struct {
			Metadata struct{ Continue string }
			Items    []object
		}
		err := s.config.API.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: s.path(resource, ""), Query: query}, &page)
		if errors.Is(err, kubeapi.ErrTooLarge) && size > 1 {
			size /= 2
			continue
		}
		if all = append(all, page.Items...); err != nil || page.Metadata.Continue == "" || limit > 0 {
			return all, s.refused("list", resource, err)
		}
		query.Set("continue", page.Metadata.Continue)
	}
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

// atOnce is how many requests are under way at the same time.
const atOnce = 8

// each calls do for each index below n, several at once, and returns the first error.
func each(n int, do func(i int) error) error {
	faults := make([]error, n)
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range n {
		free <- struct{}{}
		all.Go(func() {
			faults[i] = do(i)
			<-free
		})
	}
	all.Wait()
	return cmp.Or(faults...)
}
