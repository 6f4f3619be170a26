package importer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"milvus-reconcile/cmd/reconcile/internal/discovery"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/schema"
)

// Kubernetes says where to look for clusters.
type Kubernetes struct {
	Kubeconfig string   // empty: $KUBECONFIG or ~/.kube/config if there are contexts, else the service account of this pod
	Contexts   []string // of the kubeconfig
	Namespace  string   // empty: all
	Hidden     []string // variables of our environment that no program of the kubeconfig gets
}

// Found is a cluster in one of the contexts.
type Found struct {
	discovery.Cluster
	Kubeconfig string // empty: the service account of this pod
	Context    string
}

// String names a cluster for people.
func (f Found) String() string {
	if f.Context == "" {
		return f.Place.String()
	}
	return f.Context + ":" + f.Place.String()
}

// Find returns the clusters of all contexts.
func (k Kubernetes) Find(ctx context.Context) ([]Found, error) {
	if len(k.Contexts) == 0 && k.Kubeconfig != "" {
		return nil, fmt.Errorf("a kubeconfig has several contexts, and its current one may change (hint: --context NAME; 'kubectl --kubeconfig %s config get-contexts' lists them)", k.Kubeconfig)
	}
	contexts, file := k.Contexts, k.file()
	if len(contexts) == 0 {
		contexts, file = []string{""}, ""
	}
	var out []Found
	var bad []error
	for _, name := range contexts {
		if err := wire.CheckKubeconfig(schema.KubernetesAccess{Kubeconfig: file, Context: name}); err != nil {
			bad = append(bad, err)
			continue
		}
		at := discovery.Open(file, name, k.Hidden...)
		clusters, err := at.Find(ctx, k.Namespace)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", at.Where(), err))
		}
		for _, c := range clusters {
			out = append(out, Found{c, file, name})
		}
		at.Close()
	}
	return out, errors.Join(bad...)
}

// file is the path of the kubeconfig, as kubectl chooses it.
func (k Kubernetes) file() string {
	if path := cmp.Or(k.Kubeconfig, os.Getenv("KUBECONFIG")); path != "" {
		return homePath(path)
	}
	return homePath("~/" + filepath.Join(".kube", "config"))
}

// Choose completes a request with clusters that were found: a cluster that is named only by its
// id gets its address. Without a named cluster, all that were found are imported; with a token,
// only if a namespace is named.
func (r Request) Choose(found []Found, k Kubernetes) (Request, error) {
	specs := r.Clusters
	if slices.Contains(specs, "") {
		return r, errors.New("--cluster names no cluster (hint: --cluster ID, or --cluster ID=HOST:PORT)")
	}
	if len(specs) == 0 {
		for _, f := range found {
			specs = append(specs, f.ID)
		}
	}
	if len(specs) == 0 {
		return r, errors.New("no Milvus cluster was found (hint: --cluster ID=HOST:PORT names one; the label app.kubernetes.io/name=milvus is looked for)")
	}
	if len(r.Clusters) == 0 {
		if err := r.mayTakeAll(found, k); err != nil {
			return r, err
		}
	}
	r.Clusters, r.Places = nil, map[string]schema.KubernetesPlace{}
	var bad []error
	for _, spec := range specs {
		if strings.Contains(spec, "=") {
			r.Clusters = append(r.Clusters, spec)
			continue
		}
		f, err := r.one(found, spec)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		r.Clusters = append(r.Clusters, f.ID+"="+f.Address)
		r.Places[f.ID] = schema.KubernetesPlace{Namespace: f.Namespace, Instance: f.Instance, Kubeconfig: f.Kubeconfig, Context: f.Context}
	}
	return r, errors.Join(bad...)
}

// one returns the only cluster with an id.
func (r Request) one(found []Found, id string) (Found, error) {
	of := withID(found, id)
	switch {
	case id == "":
		i := slices.IndexFunc(found, func(f Found) bool { return f.ID == "" })
		return Found{}, fmt.Errorf("the id of %s could not be read: %s (hint: name it, --cluster ID=%s)", found[i], found[i].NoID, found[i].Address)
	case len(of) == 0:
		return Found{}, fmt.Errorf("no cluster %q was found (hint: 'reconcile import --kubernetes' without --name lists those that are there; --cluster %s=HOST:PORT names one elsewhere)", id, id)
	case len(of) > 1:
		return Found{}, fmt.Errorf("%s and %s both call themselves %s, and the clusters of a topology need different ids (hint: msgChannel.chanNamePrefix.cluster, set before the first start; if one is not yours, --namespace NAMESPACE or --cluster %s=HOST:PORT names the other)", of[0], of[1], id, id)
	case of[0].TLS && r.CAFile == "":
		return Found{}, fmt.Errorf("%s uses TLS (hint: --ca-file FILE names whom to trust)", id)
	}
	return of[0], nil
}

// List returns a table of what was found.
func List(found []Found) []byte {
	if len(found) == 0 {
		return []byte("no Milvus cluster was found: no Service has the label app.kubernetes.io/name=milvus\n")
	}
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tWHERE\tMADE BY\tADDRESS\tCDC")
	for _, f := range found {
		address := f.Address
		if f.Inside {
			address += " (inside)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", cmp.Or(f.ID, "not known"), f, f.Maker, address, cdcText(f.CDC))
	}
	_ = t.Flush() // a buffer takes everything
	for _, f := range found {
		if f.NoID != "" {
			fmt.Fprintf(&b, "\nThe id of %s is not known: %s.\n", f, f.NoID)
		}
	}
	if slices.ContainsFunc(found, func(f Found) bool { return f.CDC == discovery.CDCAbsent || f.CDC == discovery.CDCNotReady }) {
		b.WriteString("\nA primary without CDC sends nothing to its standbys: 'reconcile doctor' names the command for each.\n")
	}
	return b.Bytes()
}

func cdcText(c discovery.CDC) string {
	switch c {
	case discovery.CDCReady:
		return "✓ ready"
	case discovery.CDCNotReady:
		return "✗ not ready"
	case discovery.CDCAbsent:
		return "✗ not deployed"
	case discovery.CDCUnknown:
	}
	return "not known"
}

// placeLines are the part of a configuration that says where the clusters are in Kubernetes.
func (im *imported) placeLines() string {
	var b strings.Builder
	for _, c := range im.credentials {
		place, known := im.request.Places[c.ClusterID]
		if !known {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("clusters: # where they are in Kubernetes: 'reconcile doctor' asks there whether CDC runs\n")
		}
		fmt.Fprintf(&b, "  - id: %s\n    kubernetes: {namespace: %s, instance: %s", plainOrQuoted(c.ClusterID), plainOrQuoted(place.Namespace), plainOrQuoted(place.Instance))
		if place.Context != "" {
			fmt.Fprintf(&b, ", kubeconfig: %s, context: %s", quote(place.Kubeconfig), quote(place.Context))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// samePlaces reports whether a configuration says where the clusters are as they were found.
func (im *imported) samePlaces(read []schema.ClusterCare) bool {
	for _, c := range read {
		if place, known := im.request.Places[c.ID]; !known || c.Kubernetes == nil || *c.Kubernetes != place {
			return false
		}
	}
	return len(read) == len(im.request.Places)
}
