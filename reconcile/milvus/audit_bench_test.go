//go:build unix

package milvus

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/entity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// auditedCollections is how many collections the benchmark of an audit has.
const auditedCollections = 1000

// serveAudited, set in the environment, makes this program the clusters of the benchmark, so
// that what they cost is not counted.
const serveAudited = "SERVE_AUDITED_CLUSTERS"

func init() {
	if os.Getenv(serveAudited) == "" {
		return
	}
	w := milvussim.New(milvussim.Options{})
	if err := w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...); err != nil {
		panic(err)
	}
	fmt.Println(w.Address("a"), w.Address("b"))
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
	os.Exit(0)
}

// bareClient calls a cluster with nothing around the generated stubs.
func bareClient(b *testing.B, address string) (milvuspb.MilvusServiceClient, context.Context) {
	b.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(newBearer(milvussim.RootToken)))
	must(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return milvuspb.NewMilvusServiceClient(conn), b.Context()
}

// fill makes the collections on the primary, and waits until the standby has them.
func fill(b *testing.B, primary, standby milvuspb.MilvusServiceClient) {
	b.Helper()
	schema := entity.NewSchema().WithField(entity.NewField().WithName("id").WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true)).
		WithField(entity.NewField().WithName("vector").WithDataType(entity.FieldTypeFloatVector).WithDim(4))
	raw, err := proto.Marshal(schema.ProtoMessage())
	must(b, err)
	for i := range auditedCollections {
		name := fmt.Sprintf("c%d", i)
		st, err := primary.CreateCollection(b.Context(), &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: raw, ShardsNum: 1})
		must(b, err)
		same(b, st.GetReason(), "")
		_, err = primary.CreateIndex(b.Context(), &milvuspb.CreateIndexRequest{CollectionName: name, FieldName: "vector"})
		must(b, err)
		_, err = primary.LoadCollection(b.Context(), &milvuspb.LoadCollectionRequest{CollectionName: name})
		must(b, err)
	}
	for loaded := false; !loaded && b.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
		got, err := standby.GetLoadState(b.Context(), &milvuspb.GetLoadStateRequest{CollectionName: fmt.Sprintf("c%d", auditedCollections-1)})
		loaded = err == nil && got.GetState() == commonpb.LoadState_LoadStateLoaded
	}
}

// bare makes the calls that an audit makes of each collection.
func bare(ctx context.Context, c milvuspb.MilvusServiceClient) {
	parallel.Each(auditedCollections, DefaultConcurrency, func(i int) {
		name := fmt.Sprintf("c%d", i)
		_, _ = c.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{CollectionName: name})
		_, _ = c.ShowPartitions(ctx, &milvuspb.ShowPartitionsRequest{CollectionName: name})
		_, _ = c.DescribeIndex(ctx, &milvuspb.DescribeIndexRequest{CollectionName: name})
		_, _ = c.GetLoadState(ctx, &milvuspb.GetLoadStateRequest{CollectionName: name})
		_, _ = c.GetReplicas(ctx, &milvuspb.GetReplicasRequest{CollectionName: name})
		bareCount(ctx, c, name)
	})
}

func bareCount(ctx context.Context, c milvuspb.MilvusServiceClient, name string) {
	_, _ = c.Query(ctx, &milvuspb.QueryRequest{CollectionName: name, OutputFields: []string{countRows}, ConsistencyLevel: commonpb.ConsistencyLevel_Strong})
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAudit compares the processor time of an audit of 1,000 collections without rows
// with that of the same calls made bare. The clusters are another process.
func BenchmarkAudit(b *testing.B) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), serveAudited+"=1")
	in, err := child.StdinPipe()
	must(b, err)
	out, err := child.StdoutPipe()
	must(b, err)
	must(b, child.Start())
	defer func() { _ = in.Close(); _ = child.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	must(b, err)
	addresses := strings.Fields(line)
	primary, ctx := bareClient(b, addresses[0])
	standby, _ := bareClient(b, addresses[1])
	fill(b, primary, standby)
	topology, config := plan.Topology{Name: "orders"}, Config{}
	for i, id := range []string{"a", "b"} {
		topology.Clusters = append(topology.Clusters, plan.Cluster{
			ID: id, Role: []plan.Role{plan.RolePrimary, plan.RoleStandby}[i], ClientAddress: addresses[i], URI: "http://" + addresses[i],
			PChannels: milvussim.PChannels(id+"-rootcoord-dml_", milvussim.DefaultPChannels),
		})
		config.Credentials = append(config.Credentials, Credential{ClusterID: id, Address: addresses[i], Token: rootToken})
	}
	f := NewFleet(config)
	defer f.Close()
	var bareTime, auditTime time.Duration
	for b.Loop() {
		began := processorTime()
		bare(ctx, primary)
		bare(ctx, standby)
		parallel.Each(auditedCollections, DefaultConcurrency, func(i int) { bareCount(ctx, primary, fmt.Sprintf("c%d", i)) }) // once more
		bareTime += processorTime() - began
		began = processorTime()
		pair, err := f.Reader().OpenAudit(ctx, topology, "b", time.Minute)
		must(b, err)
		got := audit.Run(ctx, pair, audit.Options{Concurrency: DefaultConcurrency, Pause: time.Second})
		pair.Close()
		auditTime += processorTime() - began
		if got.Verdict != plan.ContentEqual || got.Counted != auditedCollections {
			b.Fatalf("%s, %d counted: %+v %+v", got.Verdict, got.Counted, got.Differences, got.Gaps)
		}
	}
	b.ReportMetric(float64(auditTime.Milliseconds())/float64(b.N), "audit-ms/op")
	b.ReportMetric(float64(bareTime.Milliseconds())/float64(b.N), "bare-ms/op")
	b.ReportMetric(float64(auditTime)/float64(bareTime), "times-bare")
}
