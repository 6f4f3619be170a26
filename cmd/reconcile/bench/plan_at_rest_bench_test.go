package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// BenchmarkPlanAtRest is `plan` as a user runs it over 1,000 topologies at rest: a
// repository on disk, a file with the token of each cluster, a page and JSON, with TLS and
// without. The yardstick in the same run is a bare gRPC client that makes the same 9,000
// calls over as many connections and throws the answers away. With RECONCILE_BEFORE, the
// path of another build, that one runs in turn with this one.
func BenchmarkPlanAtRest(b *testing.B) {
	const topologies = 1000
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "plaintext", true: "TLS"}[secure], func(b *testing.B) {
			b.StopTimer()
			e := startEstate(b, topologies, secure, "")
			e.tokenEach(b)
			before := os.Getenv("RECONCILE_BEFORE")
			took := map[string][]float64{} // seconds of processor time, by what
			peak := map[string]int{}
			run := func(what, binary string, args ...string) {
				cmd := exec.Command(binary, append(args, "--config", e.config)...)
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				held := testkit.Greatest(func() int { return testkit.PeakMemory(cmd.Process.Pid) })
				if err := cmd.Wait(); err != nil {
					b.Fatalf("%s: %v", what, err)
				}
				peak[what] = max(peak[what], held())
				took[what] = append(took[what], (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
			}
			for range b.N {
				b.StartTimer()
				run("plan", e.binary, "plan")
				b.StopTimer()
				run("json", e.binary, "plan", "-o", "json")
				if before != "" {
					run("before", before, "plan")
					run("before-json", before, "plan", "-o", "json")
				}
				began := spent(b)
				bareRest(b, e, 3*topologies, secure)
				took["bare"] = append(took["bare"], (spent(b) - began).Seconds())
			}
			for what, seconds := range took {
				slices.Sort(seconds)
				b.ReportMetric(seconds[len(seconds)/2]*1000, what+"-cpu-ms")
				b.ReportMetric(seconds[0]*1000, what+"-least-cpu-ms")
				if peak[what] > 0 {
					b.ReportMetric(float64(peak[what])/1024, what+"-peak-MB")
				}
			}
			for _, of := range [][2]string{{"plan", "bare"}, {"json", "plan"}, {"plan", "before"}, {"json", "before-json"}} {
				if x, y := took[of[0]], took[of[1]]; len(y) > 0 {
					b.ReportMetric(x[len(x)/2]/y[len(y)/2], of[0]+"/"+of[1])
					b.ReportMetric(x[0]/y[0], of[0]+"/"+of[1]+"-least")
				}
			}
		})
	}
}

// tokenEach gives each cluster a token file of its own.
func (e *estate) tokenEach(b *testing.B) {
	b.Helper()
	text, err := os.ReadFile(e.config)
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Dir(e.config)
	shared := fmt.Sprintf("%q", filepath.Join(dir, "token"))
	parts := strings.Split(string(text), shared)
	var own strings.Builder
	own.WriteString(parts[0])
	for i, part := range parts[1:] {
		path := filepath.Join(dir, fmt.Sprintf("token-%04d", i))
		if err := os.WriteFile(path, []byte(milvussim.RootToken), 0o600); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(&own, "%q%s", path, part)
	}
	if err := os.WriteFile(e.config, []byte(own.String()), 0o600); err != nil {
		b.Fatal(err)
	}
}

// bareRest makes the calls of a plan at rest with a plain gRPC client.
func bareRest(b *testing.B, e *estate, clusters int, secure bool) {
	b.Helper()
	security := insecure.NewCredentials()
	if secure {
		pem, err := os.ReadFile(filepath.Join(filepath.Dir(e.config), "authority.pem"))
		if err != nil {
			b.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		security = credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	}
	ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", base64.StdEncoding.EncodeToString([]byte(milvussim.RootToken)))
	var next atomic.Int64
	err := atOnce(16, func(int) error {
		for {
			n := int(next.Add(1)) - 1
			if n >= clusters {
				return nil
			}
			if err := bareThree(ctx, n, security); err != nil {
				return err
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
}

// bareThree asks a cluster what a plan at rest asks it.
func bareThree(ctx context.Context, n int, security credentials.TransportCredentials) error {
	conn, err := grpc.NewClient("passthrough:///"+address(n), grpc.WithTransportCredentials(security),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithReadBufferSize(4<<10))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the calls are over
	api := milvuspb.NewMilvusServiceClient(conn)
	var all sync.WaitGroup
	var version, configuration error
	all.Go(func() {
		_, version = api.Connect(ctx, &milvuspb.ConnectRequest{ClientInfo: &commonpb.ClientInfo{}})
	})
	all.Go(func() {
		_, configuration = api.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
	})
	all.Wait()
	if version != nil {
		return version
	}
	if configuration != nil {
		return configuration
	}
	id := fmt.Sprintf("t%04d-%c", n/3, 'a'+n%3)
	_, err = api.GetReplicateInfo(ctx, &milvuspb.GetReplicateInfoRequest{SourceClusterId: id, TargetPchannel: id + "-rootcoord-dml_0"})
	return err
}
