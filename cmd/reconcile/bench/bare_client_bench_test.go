package bench

import (
	"encoding/base64"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// BenchmarkFloor is what one read costs the caller when nothing is done but the
// call: a bare client of the required library over one connection, 16 at once.
// No sweep can cost less than its calls times this.
func BenchmarkFloor(b *testing.B) {
	b.StopTimer()
	newEstate(b, 1)
	conn, err := grpc.NewClient(address(1), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the calls are over
	api := milvuspb.NewMilvusServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", base64.StdEncoding.EncodeToString([]byte(milvussim.RootToken)))
	ask := &milvuspb.GetReplicateInfoRequest{SourceClusterId: "t0000-a", TargetPchannel: "t0000-b-rootcoord-dml_0"}
	if _, err := api.GetReplicateInfo(ctx, ask); err != nil {
		b.Fatal(err)
	}
	before := spent(b)
	b.StartTimer()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := i; n < b.N; n += 16 {
				if _, err := api.GetReplicateInfo(ctx, ask); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64((spent(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/rpc")
}

// spent is the processor time of this process.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
