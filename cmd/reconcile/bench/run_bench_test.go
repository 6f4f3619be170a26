package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// BenchmarkPushToWrite is the time from `git push` of an approved failover,
// told to the daemon by webhook, to the promoted cluster accepting a write,
// next to that of the bare RPC. The primary was lost before, and the daemon
// has its rounds of evidence.
func BenchmarkPushToWrite(b *testing.B) {
	var pushed, bare time.Duration
	for range b.N {
		b.StopTimer()
		d, forge, serve := newPushed(b, refuses)
		b.StartTimer()
		pushed += d.pushed(b, forge, serve)
		b.StopTimer()
		began := time.Now()
		d.forcePromote(b, "d")
		d.Await(b, "a write", func() bool { return d.writes(b, "d") })
		bare += time.Since(began)
	}
	b.ReportMetric(float64(pushed.Milliseconds())/float64(b.N), "ms/push-to-write")
	b.ReportMetric(float64(bare.Microseconds())/1000/float64(b.N), "ms/bare-rpc-to-write")
}

// BenchmarkHangingPrimary is the time from `git push` to the first write with an old
// primary that hangs, next to that with one that refuses: what the last round costs.
func BenchmarkHangingPrimary(b *testing.B) {
	var took [2]time.Duration
	for range b.N {
		for i, how := range []lossOfPrimary{refuses, hangs} {
			b.StopTimer()
			d, forge, serve := newPushed(b, how)
			b.StartTimer()
			took[i] += d.pushed(b, forge, serve)
		}
	}
	b.ReportMetric(float64(took[0].Milliseconds())/float64(b.N), "ms/refuses")
	b.ReportMetric(float64(took[1].Milliseconds())/float64(b.N), "ms/hangs")
	b.ReportMetric(float64(took[1])/float64(took[0]), "hangs/refuses")
}

// lossOfPrimary is how a primary is lost: what is done to it, what the rounds say then, and
// what its approver must accept.
type lossOfPrimary struct{ path, body, says, accepts string }

var (
	refuses = lossOfPrimary{"/stop", "", "unavailable", ""}
	hangs   = lossOfPrimary{"/faults", `{"method":"*","kind":"hang"}`, "not_serving", "Failover-Accept: PRIMARY_NOT_SERVING\n"}
)

// pushedPair is a pair with a daemon that follows a forge.
type pushedPair struct{ *testkit.Replicas }

// pushed is how long it takes from the push to a write.
func (d pushedPair) pushed(b *testing.B, forge, serve string) time.Duration {
	b.Helper()
	began := time.Now()
	d.run(b, "git", "-C", filepath.Join(d.Play, "repo"), "push", "--quiet", forge, "main")
	body := fmt.Sprintf(`{"ref":"refs/heads/main","repository":{"clone_url":%q}}`, forge)
	if code, err := testkit.Push("http://"+serve, "github", body, testkit.HookSecret); err != nil || code != 202 {
		b.Fatalf("the webhook answered %d: %v", code, err)
	}
	d.Await(b, "a write", func() bool { return d.writes(b, "b") })
	return time.Since(began)
}

// newPushed has two pairs whose primaries are lost, a daemon that has its
// evidence for the first, and the approved commit that was not pushed yet.
func newPushed(b *testing.B, how lossOfPrimary) (d pushedPair, forge, serve string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), testkit.ReplicasPatience)
	b.Cleanup(cancel)
	dir := b.TempDir()
	at := freeport.Addresses(b, 6)
	d = pushedPair{&testkit.Replicas{Ctx: ctx, Play: filepath.Join(dir, "play"), Control: "http://" + at[0]}}
	files := filepath.Join(dir, "topologies")
	testkit.WritePair(b, files, at[1:3], 1, "primary", "standby")
	other := strings.NewReplacer("orders", "parts", "id: a,", "id: c,", "id: b,", "id: d,", "a-root", "c-root", "b-root", "d-root", at[1], at[3], at[2], at[4])
	data, err := os.ReadFile(filepath.Join(files, "orders.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(files, "parts.yaml"), []byte(other.Replace(string(data))), 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
	d.Start(b, filepath.Join(dir, "sim.log"), "sim", "--dir", files, "--git", d.Play, "--control", at[0])
	d.Await(b, "the simulator", func() bool { _, err := testkit.Request("GET", d.Control+"/world", ""); return err == nil })
	d.Post(b, "/clusters/a"+how.path, how.body)
	d.Post(b, "/clusters/c/stop", "")
	forge = filepath.Join(dir, "forge.git")
	d.run(b, "git", "clone", "--quiet", "--bare", filepath.Join(d.Play, "repo"), forge)
	data, err = os.ReadFile(filepath.Join(d.Play, "reconcile.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	secret, config := filepath.Join(dir, "secret"), filepath.Join(dir, "run.yaml")
	text := strings.Replace(string(data), filepath.Join(d.Play, "repo"), forge, 1)
	text = strings.Replace(text, "mode: observe\n", "mode: apply\n", 1)
	text += fmt.Sprintf("serve: {address: %q, webhookSecretFrom: {file: %q}}\n", at[5], secret)
	for name, content := range map[string]string{secret: testkit.HookSecret, config: text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	r := &testkit.Replica{Log: filepath.Join(dir, "run.log")}
	r.Cmd = d.Start(b, r.Log, "run", "--config", config)
	d.Await(b, "the rounds of evidence", r.Says("cluster=a code="+how.says))
	d.FailOver(b, how.accepts)
	return d, forge, at[5]
}

func (d pushedPair) run(b *testing.B, name string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(d.Ctx, name, args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// writes says whether a cluster accepts a row.
func (d pushedPair) writes(b *testing.B, cluster string) bool {
	b.Helper()
	data, err := testkit.Request("POST", d.Control+"/clusters/"+cluster+"/write", `{"rows":1}`)
	if err != nil {
		b.Fatal(err)
	}
	var answer struct{ Accepted int }
	return json.Unmarshal(data, &answer) == nil && answer.Accepted == 1
}

// forcePromote is the bare RPC, as the guide has it.
func (d pushedPair) forcePromote(b *testing.B, cluster string) {
	b.Helper()
	data, err := testkit.Request("GET", d.Control+"/world", "")
	if err != nil {
		b.Fatal(err)
	}
	var world struct {
		Clusters []struct{ ID, Address string }
	}
	if err := json.Unmarshal(data, &world); err != nil {
		b.Fatal(err)
	}
	for _, c := range world.Clusters {
		if c.ID != cluster {
			continue
		}
		conn, err := grpc.NewClient(c.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // the call is over
		ctx := metadata.AppendToOutgoingContext(d.Ctx, "authorization", base64.StdEncoding.EncodeToString([]byte(milvussim.RootToken)))
		status, err := milvuspb.NewMilvusServiceClient(conn).UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{
			ForcePromote: true,
			ReplicateConfiguration: &commonpb.ReplicateConfiguration{Clusters: []*commonpb.MilvusCluster{{
				ClusterId: cluster, Pchannels: []string{cluster + "-rootcoord-dml_0", cluster + "-rootcoord-dml_1"},
				ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + c.Address, Token: milvussim.RootToken},
			}}},
		})
		if err != nil || status.GetCode() != 0 {
			b.Fatalf("force promote: %v %v", status, err)
		}
	}
}
