package rebuild_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/rebuild"
)

// TestRebuild: the program is told what it is for and gets nothing else of ours. One that
// fails or hangs is told, and a cluster without a program is refused.
func TestRebuild(t *testing.T) {
	t.Setenv("CLUSTER_B_TOKEN", "CANARY")
	out := filepath.Join(t.TempDir(), "environment")
	r := rebuild.New([]rebuild.Cluster{
		{ID: "cluster-a", Address: "a.example:19530", Command: []string{"sh", "-c", `env > "$0"`, out}, Timeout: time.Minute},
		{ID: "cluster-c", Command: []string{"sh", "-c", "echo no such volume; exit 3"}, Timeout: time.Minute},
		{ID: "cluster-d", Command: []string{"sh", "-c", "echo about to hang; sleep 60"}, Timeout: 300 * time.Millisecond},
	}, map[string]string{"cluster-b": "b.example:19530"})
	if err := r.Rebuild(t.Context(), "orders", "cluster-a", "cluster-b", plan.RebuildWipe); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"RECONCILE_ACTION=wipe", "RECONCILE_TOPOLOGY=orders", "RECONCILE_CLUSTER=cluster-a", "RECONCILE_CLUSTER_ADDRESS=a.example:19530",
		"RECONCILE_SOURCE=cluster-b", "RECONCILE_SOURCE_ADDRESS=b.example:19530",
	} {
		if !strings.Contains(string(data), line+"\n") {
			t.Errorf("it is not told %s", line)
		}
	}
	if strings.Contains(string(data), "CANARY") {
		t.Error("something of our environment was passed on")
	}
	for cluster, words := range map[string]string{"cluster-b": "'clusters'", "cluster-c": "exit status 3: no such volume", "cluster-d": "did not end within"} {
		if err := r.Rebuild(t.Context(), "orders", cluster, "cluster-b", plan.RebuildRestore); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", cluster, err)
		}
	}
}
