package nodecheck

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestNodeSDK runs check.mjs against a simulated pair. In CI a missing node or
// node_modules is a failure, elsewhere a reason to skip.
func TestNodeSDK(t *testing.T) {
	missing := t.Skipf
	if os.Getenv("CI") == "true" {
		missing = t.Fatalf
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed: %v", err)
	}
	if _, err := os.Stat("node_modules"); err != nil {
		missing("the Node SDK is not installed (npm ci --ignore-scripts): %v", err)
	}
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	cfg, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(specs[0].Configuration)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, "check.mjs", w.Address("a"), w.Address("b"), string(cfg)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const steps = 11
	if n := strings.Count(string(out), "ok "); n != steps {
		t.Errorf("%d steps, want %d:\n%s", n, steps, out)
	}
}

// TestLockHoldsNoRegistry keeps the lock file free of the host that it was made
// with.
func TestLockHoldsNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if s := string(lock); strings.Contains(s, `"resolved"`) || !strings.Contains(s, `"integrity"`) {
		t.Error("the lock file holds a registry, or no hashes")
	}
}
