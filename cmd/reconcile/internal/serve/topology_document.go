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

// Served is the newest topology document that clients were given: which
// clusters they may use, for one generation.
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

// Documents answers GET /t/{topology}/global-cluster/topology. A version is
// served only after its roles were seen to be live and verified, by whatever
// process on the ledger; the newest one stays when nothing can be seen, be it
// the clusters, Git or a document in it, and versions never fall.
//
// Requests of SDKs carry a token. It is not read.
type Documents struct {
	endpoints map[string]string // by cluster id; of the operator's configuration
	source    Source
	recall    Recall
}

// Recall is what the ledger holds of a topology that the source says nothing
// of; false: nothing, or it cannot be read.
type Recall func(ctx context.Context, topology string) (daemon.TopologyStatus, bool)

// NewDocuments makes the documents of a source. Endpoints are what SDKs
// connect to, by cluster id; a cluster without one is left out.
func NewDocuments(source Source, endpoints map[string]string, recall Recall) *Documents {
	return &Documents{endpoints: endpoints, source: source, recall: recall}
}

// Document is what is served of a topology now; false when nothing was ever
// verified.
func (d *Documents) Document(ctx context.Context, topology string) (Served, bool) {
	t, known := d.source.Snapshot().Topology(topology)
	if !known || t.Published.Version == 0 {
		if t, known = d.recall(ctx, topology); !known {
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
	return withoutDoubt(s, t), true
}

// withoutDoubt takes the writable bit from stale clusters, and from all of
// them while an intent is open: nobody can say then who the primary is. A
// version is never raised in doubt: SDKs take it once and look at no other
// document of that version.
func withoutDoubt(s Served, t daemon.TopologyStatus) Served {
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
