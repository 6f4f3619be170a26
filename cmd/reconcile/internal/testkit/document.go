package testkit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TopologyDocument is the document of contract.md §9, as an SDK decodes it.
type TopologyDocument struct {
	Code int
	Data struct {
		Version  int64
		Clusters []struct {
			ClusterID  string
			Endpoint   string
			Capability int
		}
	}
}

// DocumentOf asks one daemon for its document; false: it has none.
func DocumentOf(serves string) (d TopologyDocument, ok bool) {
	data, err := Request("GET", "http://"+serves+"/t/orders/global-cluster/topology", "")
	return d, err == nil && json.Unmarshal(data, &d) == nil && d.Code == 0
}

// Writable is the cluster with capability bit 2; more than one is a fault.
func (d TopologyDocument) Writable(t *testing.T) (id, endpoint string) {
	t.Helper()
	for _, c := range d.Data.Clusters {
		if c.Capability&2 == 0 {
			continue
		}
		if id != "" {
			t.Errorf("%s and %s are writable in version %d", id, c.ClusterID, d.Data.Version)
		}
		id, endpoint = c.ClusterID, c.Endpoint
	}
	return id, endpoint
}

// SameDocument demands that every daemon which answers tells SDKs the same.
func (d *Replicas) SameDocument(t *testing.T, version int64, primary string) {
	t.Helper()
	for _, r := range d.All {
		d.Await(t, fmt.Sprintf("version %d at %s", version, r.Serves), func() bool {
			got, ok := DocumentOf(r.Serves)
			if d.gone(r) {
				return true
			}
			if !ok || got.Data.Version != version {
				return false
			}
			id, _ := got.Writable(t)
			return id == primary && len(got.Data.Clusters) == 1
		})
	}
}

// gone reports whether a daemon does not serve any more.
func (d *Replicas) gone(r *Replica) bool {
	_, err := Request("GET", "http://"+r.Serves+"/healthz", "")
	return err != nil && strings.Contains(err.Error(), "connection refused")
}
