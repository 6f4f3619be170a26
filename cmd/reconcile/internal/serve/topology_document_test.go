package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

var endpoints = map[string]string{"cluster-a": "https://a.example:19530", "cluster-b": "https://b.example:19530"}

func capabilities(s Served) map[string]int {
	out := map[string]int{}
	for _, c := range s.Clusters {
		out[c.ClusterID] = c.Capability
	}
	return out
}

// nothing is a ledger that cannot be read.
func nothing(context.Context, string) (daemon.TopologyStatus, bool) {
	return daemon.TopologyStatus{}, false
}

// recalled is a ledger that holds two topologies which Git does not show.
func recalled(_ context.Context, topology string) (daemon.TopologyStatus, bool) {
	t := pair(5)
	t.Plan, t.IntentOpen = plan.TopologyPlan{}, topology == "doubtful"
	return t, topology == "unseen" || topology == "doubtful"
}

// TestDocumentThroughAFailover follows one topology from health over the loss
// of its primary to the return of the old one.
func TestDocumentThroughAFailover(t *testing.T) {
	inDoubt := lost()
	inDoubt.State, inDoubt.IntentOpen, inDoubt.Stale = daemon.StateApplying, true, []string{"cluster-a"}
	promoted := lost()
	promoted.Stale, promoted.Plan.Transition = []string{"cluster-a"}, plan.TransitionNone
	applied := failedOver()
	applied.State = daemon.StateApplying // the look that follows an apply is still to be made
	blind := failedOver()
	blind.Plan.Clusters = []plan.ClusterPlan{
		member("cluster-a", plan.RoleStale, plan.ReachUnreachable, plan.BeliefUnknown),
		member("cluster-b", plan.RolePrimary, plan.ReachUnreachable, plan.BeliefUnknown),
	}
	b := boardOf()
	d := NewDocuments(b, endpoints, nothing)
	for _, step := range []struct {
		name    string
		status  daemon.TopologyStatus
		version int64
		want    map[string]int
	}{
		{"healthy", pair(7), 7, map[string]int{"cluster-a": 3, "cluster-b": 1}},
		{"the primary is lost: the last good one", lost(), 7, map[string]int{"cluster-a": 3, "cluster-b": 1}},
		{"in doubt: nobody is writable", inDoubt, 7, map[string]int{"cluster-a": 1, "cluster-b": 1}},
		{"promoted and not verified", promoted, 7, map[string]int{"cluster-a": 1, "cluster-b": 1}},
		{"applied and verified: SDKs take a version only once", applied, 8, map[string]int{"cluster-b": 3}},
		{"looked at again", failedOver(), 8, map[string]int{"cluster-b": 3}},
		{"blind", blind, 8, map[string]int{"cluster-b": 3}},
	} {
		b.publish(step.status)
		got, ok := d.Document(t.Context(), "orders")
		if !ok || got.Version != step.version {
			t.Errorf("%s: version %d (%t), want %d", step.name, got.Version, ok, step.version)
		}
		if diff := cmp.Diff(step.want, capabilities(got)); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
}

func TestDocumentOverHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /t/{topology}/global-cluster/topology", NewDocuments(boardOf(daemon.TopologyStatus{Name: "new"}, pair(7)), endpoints, recalled))
	for _, c := range []struct {
		name, path string
		code       int
		body       string
	}{
		{"a pair", "/t/orders/global-cluster/topology", 200, `{"code":0,"message":"","data":{"version":7,"clusters":[{"clusterId":"cluster-a","endpoint":"https://a.example:19530","capability":3},{"clusterId":"cluster-b","endpoint":"https://b.example:19530","capability":1}]}}`},
		{"never verified", "/t/new/global-cluster/topology", 503, `{"code":1,"message":"no verified state of this topology is known","data":null}`},
		{"Git does not show it", "/t/unseen/global-cluster/topology", 200, `{"code":0,"message":"","data":{"version":5,"clusters":[{"clusterId":"cluster-a","endpoint":"https://a.example:19530","capability":3},{"clusterId":"cluster-b","endpoint":"https://b.example:19530","capability":1}]}}`},
		{"nor whether an apply ended", "/t/doubtful/global-cluster/topology", 200, `{"code":0,"message":"","data":{"version":5,"clusters":[{"clusterId":"cluster-a","endpoint":"https://a.example:19530","capability":1},{"clusterId":"cluster-b","endpoint":"https://b.example:19530","capability":1}]}}`},
		{"not there", "/t/none/global-cluster/topology", 404, `{"code":1,"message":"no such topology","data":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Header.Set("Authorization", "Bearer root:Milvus")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			var got, want any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.body), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); w.Code != c.code || diff != "" {
				t.Errorf("status %d, want %d: %s", w.Code, c.code, diff)
			}
		})
	}
}
