package restart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/restart"
)

// TestRestart: the program is told what it is for and gets nothing else of ours.
func TestRestart(t *testing.T) {
	t.Setenv("CLUSTER_B_TOKEN", "CANARY")
	t.Setenv("RECONCILE_CONFIG", "/etc/CANARY")
	out := filepath.Join(t.TempDir(), "environment")
	r := restart.New([]restart.Cluster{
		{ID: "cluster-a"}, // without a program
		{ID: "cluster-b", Address: "b.example:19530", Command: []string{"sh", "-c", `env > "$0"`, out}},
	}, time.Now)
	if r.Knows("cluster-a") || r.Knows("cluster-c") || !r.Knows("cluster-b") {
		t.Error("it knows others than those with a program")
	}
	if made, err := r.Restart(t.Context(), "orders", "cluster-b"); !made || err != nil {
		t.Fatal(made, err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"RECONCILE_ACTION=restart", "RECONCILE_TOPOLOGY=orders", "RECONCILE_CLUSTER=cluster-b", "RECONCILE_CLUSTER_ADDRESS=b.example:19530"} {
		if !strings.Contains(string(data), line+"\n") {
			t.Errorf("it is not told %s", line)
		}
	}
	if strings.Contains(string(data), "CANARY") {
		t.Error("something of our environment was passed on")
	}
	if made, err := r.Restart(t.Context(), "orders", "cluster-a"); made || err == nil || !strings.Contains(err.Error(), "'clusters'") {
		t.Error(made, err)
	}
}

// TestRestartIsBounded: a restart has two minutes to show what comes of it, and
// there are two in an hour.
func TestRestartIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := restart.New([]restart.Cluster{{ID: "cluster-b", Command: []string{"true"}}}, func() time.Time { return now })
	for i, c := range []struct {
		after  time.Duration
		made   bool
		failed bool
	}{
		{0, true, false},
		{time.Minute, false, false},
		{time.Minute, true, false},
		{time.Second, false, false},
		{3 * time.Minute, false, true},
		{56 * time.Minute, true, false},
	} {
		now = now.Add(c.after)
		if made, err := r.Restart(t.Context(), "orders", "cluster-b"); made != c.made || (err != nil) != c.failed {
			t.Errorf("%d: made %t, %v", i, made, err)
		}
	}
}

// TestRestartEnds: a program that hangs is killed, and one that fails is quoted.
func TestRestartEnds(t *testing.T) {
	r := restart.New([]restart.Cluster{
		{ID: "a", Command: []string{"sh", "-c", "echo about to hang; sleep 60"}, Timeout: 300 * time.Millisecond},
		{ID: "b", Command: []string{"sh", "-c", "echo no such deployment; exit 3"}},
		{ID: "c", Command: []string{"/does/not/exist"}},
	}, time.Now)
	for cluster, words := range map[string]string{"a": "did not end within", "b": "exit status 3: no such deployment", "c": "start /does/not/exist"} {
		if made, err := r.Restart(t.Context(), "orders", cluster); !made || err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %t, %v", cluster, made, err)
		}
	}
}
