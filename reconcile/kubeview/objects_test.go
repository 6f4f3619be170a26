package kubeview

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

var update = flag.Bool("update", false, "write the golden file")

// TestGoldenObjects holds testdata/objects.json to the object of a topology in each state. The
// test TestKstatusJudgesAsDocumented of .ci/tools/deploy has kstatus itself judge them.
func TestGoldenObjects(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var objects []object
	for _, state := range []daemon.State{
		daemon.StateInSync, daemon.StatePending, daemon.StateApplying, daemon.StateBlocked, daemon.StateDrifted, daemon.StateSuspended, daemon.StateUnknown,
	} {
		s := statusOf(daemon.TopologyStatus{Name: "orders", State: state, Commit: "c0ffee", Plan: plan.TopologyPlan{
			Name: "orders", Generation: 8, Primary: "cluster-b",
			Clusters: []plan.ClusterPlan{{ID: "cluster-b", DesiredRole: plan.RolePrimary, View: plan.View{Reach: plan.ReachUp}}},
		}})
		s.Process, s.ObservedAt, s.ObservedGeneration = "host-1", now.Format(time.RFC3339), 1
		s.Conditions = timed(s.Conditions, nil, now, 1)
		objects = append(objects, object{APIVersion: apiVersion, Kind: kind, Metadata: metadata{Name: "orders", Namespace: "reconcile", Generation: 1}, Status: &s})
	}
	got, err := json.MarshalIndent(objects, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "objects.json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != string(got)+"\n" {
		t.Errorf("%s is not what is written (%v): run the test with -update, and look at the difference", file, err)
	}
}
