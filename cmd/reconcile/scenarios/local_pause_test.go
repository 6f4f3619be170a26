package scenarios

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestAStoppedProcessCallsNoClusterLost stops the program in the middle of its reads, for
// longer than their deadline, as a hypervisor does that moves a machine. The clusters
// answered meanwhile, so the plan must say what they answered.
func TestAStoppedProcessCallsNoClusterLost(t *testing.T) {
	t.Parallel()
	control := freeport.Address(t)
	play := testkit.StartPair(t, control)
	for _, cluster := range []string{"cluster-a", "cluster-b"} {
		if _, err := testkit.Request("POST", "http://"+control+"/clusters/"+cluster+"/faults", `{"method":"GetReplicateConfiguration","kind":"delay","for":"1s","times":1}`); err != nil {
			t.Fatal(err)
		}
	}
	plan := exec.Command("reconcile", "plan", "--config", filepath.Join(play, "reconcile.yaml"), "-o", "json")
	var out, messages bytes.Buffer
	plan.Stdout, plan.Stderr = &out, &messages
	if err := plan.Start(); err != nil {
		t.Fatal(err)
	}
	awaitCall(t, control, "cluster-b", "GetReplicateConfiguration")
	for _, s := range []struct {
		signal syscall.Signal
		then   time.Duration
	}{{syscall.SIGSTOP, 4 * time.Second}, {syscall.SIGCONT, 0}} {
		if err := plan.Process.Signal(s.signal); err != nil {
			t.Fatal(err)
		}
		<-time.After(s.then) // longer than the deadline of a read
	}
	if err := plan.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, messages.Bytes(), out.Bytes())
	}
	var document struct {
		Topologies []struct {
			Clusters []struct{ ID, Reach string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	for _, c := range document.Topologies[0].Clusters {
		if c.Reach != "up" {
			t.Errorf("%s is %s\n%s", c.ID, c.Reach, out.Bytes())
		}
	}
}

// awaitCall waits until a cluster got a call.
func awaitCall(t *testing.T, control, cluster, method string) {
	t.Helper()
	for end := time.Now().Add(testkit.Patience); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		data, err := testkit.Request("GET", "http://"+control+"/calls", "")
		if err != nil {
			t.Fatal(err)
		}
		var calls []testkit.Call
		if err := json.Unmarshal(data, &calls); err != nil {
			t.Fatal(err)
		}
		for _, c := range calls {
			if c.Cluster == cluster && c.Method == method {
				return
			}
		}
	}
	t.Fatalf("%s got no %s", cluster, method)
}
