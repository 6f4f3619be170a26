package nodecheck

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// sdk finds node, with the SDK installed. In CI a missing one is a failure,
// elsewhere a reason to skip.
func sdk(t *testing.T) string {
	t.Helper()
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
	return node
}

// pair is a simulated pair of one version, and the configuration of a cluster.
func pair(t *testing.T, profile, of string) (*milvussim.World, string) {
	t.Helper()
	w := milvussim.New(milvussim.Options{Profile: profile})
	t.Cleanup(w.Close)
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	cfg := specs[0].Configuration
	if of != "" {
		cfg = proto.Clone(cfg).(*commonpb.ReplicateConfiguration)
		cfg.CrossClusterTopology = nil
		cfg.Clusters = slices.DeleteFunc(cfg.Clusters, func(c *commonpb.MilvusCluster) bool { return c.GetClusterId() != of })
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w, string(raw)
}

// TestNodeSDK runs check.mjs against a simulated pair.
func TestNodeSDK(t *testing.T) {
	node := sdk(t)
	w, cfg := pair(t, "", "")
	out, err := exec.CommandContext(t.Context(), node, "check.mjs", w.Address("a"), w.Address("b"), cfg).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const steps = 11
	if n := strings.Count(string(out), "ok "); n != steps {
		t.Errorf("%d steps, want %d:\n%s", n, steps, out)
	}
}

// TestNodeSDKPromotes: the SDK sends a promotion that failed up to four times, but
// not after a deadline.
// It takes effect once, whatever is repeated, and what an old server does not
// know is no success.
func TestNodeSDKPromotes(t *testing.T) {
	node := sdk(t)
	cases := []struct {
		name, profile, cluster string
		fault                  milvussim.Fault
		promote, read          string
		calls                  int
	}{
		{"a standby", "", "b", milvussim.Fault{}, "success", "{b}", 1},
		{"a primary", "", "a", milvussim.Fault{}, "refused: ", "{a,b}", 1},
		{"its answer is lost", "", "b", milvussim.Fault{Kind: milvussim.FaultDropReply, Times: 1}, "error 4: ", "{b}", 1},
		{"it is not available twice", "", "b", milvussim.Fault{Kind: milvussim.FaultError, Times: 2}, "success", "{b}", 3},
		{"every try fails", "", "b", milvussim.Fault{Kind: milvussim.FaultError, Code: codes.FailedPrecondition}, "error 9: ", "{a,b}", 4},
		{"no right", "", "b", milvussim.Fault{Kind: milvussim.FaultError, Code: codes.PermissionDenied}, "error 7: ", "{a,b}", 1},
		{"a server that cannot be read", "2.6.16", "b", milvussim.Fault{}, "success", "no answer", 1},
		{"a server without replication", "2.6.0", "b", milvussim.Fault{}, "no answer", "no answer", 1},
	}
	worlds := make([]*milvussim.World, len(cases))
	var args [][3]string
	for i, tc := range cases {
		w, cfg := pair(t, tc.profile, tc.cluster)
		if tc.fault.Kind != "" {
			tc.fault.Method = update
			if err := w.AddFault(tc.cluster, tc.fault); err != nil {
				t.Fatal(err)
			}
		}
		worlds[i], args = w, append(args, [3]string{tc.name, w.Address(tc.cluster), cfg})
	}
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, "promote.mjs", string(raw)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			want := regexp.MustCompile("(?m)^" + tc.name + ": promote: " + tc.promote + ".*; read: " + regexp.QuoteMeta(tc.read) + "$")
			if !want.Match(out) {
				t.Errorf("said\n%swant %s", out, want)
			}
			calls, effects := 0, 0
			for _, c := range worlds[i].Calls() {
				if c.Method != update {
					continue
				}
				calls++
				if c.Code == int32(0) {
					effects++
				}
			}
			if calls != tc.calls || effects > 1 {
				t.Errorf("%d calls, and %d took effect, want %d and at most one", calls, effects, tc.calls)
			}
		})
	}
}

const update = "UpdateReplicateConfiguration"

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
