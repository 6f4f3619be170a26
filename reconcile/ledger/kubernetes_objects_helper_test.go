package ledger

import (
	"net/http"
	"net/url"
	"testing"

	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// configMap is an object of a ledger, as a person edits it.
type configMap struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]any    `json:"metadata"`
	Immutable  bool              `json:"immutable,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	BinaryData map[string][]byte `json:"binaryData,omitempty"`
}

const (
	headObject   = "ledger"
	ordersObject = "ledger.topology.orders"
	restObject   = "ledger.no-topology"
)

func configMapPath(name string) string { return kubeserver.Path(ledgerNamespace, "configmaps", name) }

// edited changes an object of the ledger as `kubectl edit` does.
func edited(t *testing.T, s *kubeserver.Server, name string, edit func(*configMap)) {
	t.Helper()
	var o configMap
	s.Do(t, http.MethodGet, configMapPath(name), nil, &o)
	edit(&o)
	s.Do(t, http.MethodPut, configMapPath(name), o, nil)
}

func deleted(t *testing.T, s *kubeserver.Server, name string) {
	t.Helper()
	s.Do(t, http.MethodDelete, configMapPath(name), nil, nil)
}

// madeAgain deletes an object and makes it again with a content.
func madeAgain(t *testing.T, s *kubeserver.Server, name string, o configMap) {
	t.Helper()
	deleted(t, s, name)
	o.Metadata = map[string]any{"name": name, "labels": o.Metadata["labels"]}
	s.Do(t, http.MethodPost, configMapPath(""), o, nil)
}

// objectsOf returns all objects of the ledger by their names.
func objectsOf(t *testing.T, s *kubeserver.Server, resource string) map[string]configMap {
	t.Helper()
	var all struct{ Items []configMap }
	s.Do(t, http.MethodGet, kubeserver.Path(ledgerNamespace, resource, "")+"?labelSelector="+url.QueryEscape("reconcile/ledger=ledger"), nil, &all)
	out := map[string]configMap{}
	for _, o := range all.Items {
		name, _ := o.Metadata["name"].(string)
		out[name] = o
	}
	return out
}

// putBack makes all objects what they were, as a snapshot of etcd does.
func putBack(t *testing.T, s *kubeserver.Server, before map[string]configMap) {
	t.Helper()
	for name, o := range objectsOf(t, s, "configmaps") {
		if _, was := before[name]; !was {
			deleted(t, s, name)
		} else if !o.Immutable {
			edited(t, s, name, func(o *configMap) { o.Data, o.BinaryData = before[name].Data, before[name].BinaryData })
		}
	}
}

// removeLedger deletes all that shows that there was a ledger.
func removeLedger(t *testing.T, s *kubeserver.Server) {
	t.Helper()
	for _, resource := range []string{"configmaps", "leases"} {
		for name := range objectsOf(t, s, resource) {
			s.Do(t, http.MethodDelete, kubeserver.Path(ledgerNamespace, resource, name), nil, nil)
		}
	}
}
