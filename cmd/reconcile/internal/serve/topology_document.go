package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/daemon"
)

// The bits of a cluster's capability in the document that Milvus SDKs poll
// (pymilvus client/global_topology.py): readable, writable.
const (
	capabilityRead  = 1
	capabilityWrite = 2
)

// Served is a topology document for clients: which clusters they may use.
type Served struct {
	Version  int64           `json:"version"`
	Clusters []ServedCluster `json:"clusters"`
}

// ServedCluster is one cluster of a Served document.
type ServedCluster struct {
	ClusterID  string `json:"clusterId"`
	Endpoint   string `json:"endpoint"`
	Capability int    `json:"capability"`
}

// Documents answers GET /t/{topology}/global-cluster/topology. It serves a version only
// after some process on the ledger has verified that its roles are live. The newest
// version stays while clusters, Git or the document cannot be read. Versions never fall.
//
// Requests of SDKs carry a token. It is not read.
type Documents struct {
	endpoints  map[string]string // by cluster id; of the operator's configuration
	source     Source
	fromLedger LedgerStatus
}

// LedgerStatus returns what the ledger holds of a topology that the source does not know;
// false if it holds nothing or cannot be read.
type LedgerStatus func(ctx context.Context, topology string) (daemon.TopologyStatus, bool)

// NewDocuments returns the documents of a source. endpoints are what SDKs connect to, by
// cluster id; a cluster without one is left out.
func NewDocuments(source Source, endpoints map[string]string, fromLedger LedgerStatus) *Documents {
	return &Documents{endpoints: endpoints, source: source, fromLedger: fromLedger}
}

// Document returns the document of a topology; false if none was ever verified.
func (d *Documents) Document(ctx context.Context, topology string) (Served, bool) {
	t, known := d.source.Snapshot().Topology(topology)
	if !known || t.Published.Version == 0 {
		if t, known = d.fromLedger(ctx, topology); !known {
			return Served{}, false
		}
	}
	s := Served{Version: t.Published.Version, Clusters: []ServedCluster{}}
	add := func(id string, capability int) {
		if endpoint := d.endpoints[id]; endpoint != "" {
			s.Clusters = append(s.Clusters, ServedCluster{id, endpoint, capability})
		}
	}
	add(t.Published.Primary, capabilityRead|capabilityWrite)
	for _, id := range t.Published.Standbys {
		add(id, capabilityRead)
	}
	slices.SortFunc(s.Clusters, func(a, b ServedCluster) int { return strings.Compare(a.ClusterID, b.ClusterID) })
	return withoutUncertainWrites(s, t), true
}

// withoutUncertainWrites clears the writable bit of stale clusters, and of all clusters
// while an intent is open, since the primary is not known then. It keeps the version: SDKs
// read a version once, and ignore other documents of the same version.
func withoutUncertainWrites(s Served, t daemon.TopologyStatus) Served {
	out := Served{Version: s.Version, Clusters: slices.Clone(s.Clusters)}
	for i, c := range out.Clusters {
		if t.IntentOpen || slices.Contains(t.Stale, c.ClusterID) {
			out.Clusters[i].Capability = c.Capability &^ capabilityWrite
		}
	}
	return out
}

// ServeHTTP answers for the topology of the path.
func (d *Documents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Code    int     `json:"code"`
		Message string  `json:"message"`
		Data    *Served `json:"data"`
	}{}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	topology := r.PathValue("topology")
	if s, ok := d.Document(r.Context(), topology); ok {
		answer.Data = &s
	} else if _, known := d.source.Snapshot().Topology(topology); known {
		answer.Code, answer.Message = 1, "no verified state of this topology is known"
		w.WriteHeader(http.StatusServiceUnavailable)
	} else {
		answer.Code, answer.Message = 1, "no such topology"
		w.WriteHeader(http.StatusNotFound)
	}
	_ = json.NewEncoder(w).Encode(answer) // the client is gone if this fails
}
