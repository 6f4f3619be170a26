package serve

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
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
// served only after its roles were seen to be live and verified; the newest
// one stays when nothing can be seen. Versions never fall: what was served
// before a restart, or by another replica, comes from the ledger by Restore.
//
// Requests of SDKs carry a token. It is not read.
type Documents struct {
	endpoints map[string]string // by cluster id; of the operator's configuration
	source    Source

	mu   sync.Mutex
	last map[string]Served
}

// NewDocuments makes the documents of a source. Endpoints are what SDKs
// connect to, by cluster id; a cluster without one is left out.
func NewDocuments(source Source, endpoints map[string]string) *Documents {
	return &Documents{endpoints: endpoints, source: source, last: map[string]Served{}}
}

// Restore takes over the document that was served before, unless a newer one
// is known.
func (d *Documents) Restore(topology string, s Served) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Version > d.last[topology].Version {
		d.last[topology] = s
	}
}

// Document is what is served of a topology now; false when nothing was ever
// verified.
func (d *Documents) Document(topology string) (Served, bool) {
	status, _ := d.source.Snapshot().Topology(topology)
	d.mu.Lock()
	defer d.mu.Unlock()
	last, known := d.last[topology]
	if next, ok := verified(status, d.endpoints); ok && next.Version >= last.Version {
		last, known = next, true
		d.last[topology] = next
	}
	return withoutDoubt(last, status), known
}

// verified is the document of a generation that was seen to be live.
func verified(t reconcile.TopologyStatus, endpoints map[string]string) (Served, bool) {
	if t.Served == 0 || t.Served != t.Plan.Generation || t.Plan.Transition != plan.TransitionNone {
		return Served{}, false
	}
	s := Served{Version: t.Served, Clusters: []ServedCluster{}}
	for _, c := range t.Plan.Clusters {
		endpoint := endpoints[c.ID]
		if endpoint == "" {
			continue
		}
		switch c.DesiredRole {
		case plan.RolePrimary:
			s.Clusters = append(s.Clusters, ServedCluster{c.ID, endpoint, capabilityRead | capabilityWrite})
		case plan.RoleStandby:
			s.Clusters = append(s.Clusters, ServedCluster{c.ID, endpoint, capabilityRead})
		default: // stale and detached clusters are nobody's to use
		}
	}
	slices.SortFunc(s.Clusters, func(a, b ServedCluster) int { return strings.Compare(a.ClusterID, b.ClusterID) })
	return s, true
}

// withoutDoubt takes the writable bit from stale clusters, and from all of
// them while an intent is open: nobody can say then who the primary is.
func withoutDoubt(s Served, t reconcile.TopologyStatus) Served {
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
	if s, ok := d.Document(topology); ok {
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
