package bench

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// BenchmarkIdleFloor is the idle minute of BenchmarkIdleMinute without reconcile:
// a bare client of the required library makes the same calls to the same clusters
// and does nothing with the answers. With as many connections kept as the daemon
// keeps, and with all of them; spread over the minute as the daemon spreads them,
// and as fast as it can, which is as cheap as calls get and takes both cores from
// whatever a failover would need them for.
func BenchmarkIdleFloor(b *testing.B) {
	const topologies = 1000
	for _, tc := range []struct {
		kept int
		over time.Duration
	}{{128, time.Minute}, {3 * topologies, time.Minute}, {128, time.Second}, {3 * topologies, time.Second}} {
		b.Run(fmt.Sprintf("%d kept, over %s", tc.kept, tc.over), func(b *testing.B) {
			b.StopTimer()
			e := newEstate(b, topologies)
			bare := &bareFleet{kept: map[int]*grpc.ClientConn{}, keep: tc.kept}
			defer bare.close()
			bare.sweep(b, topologies, 10*time.Second) // makes what is kept
			for range b.N {
				calls, cpu := e.calls(b), spent(b)
				b.StartTimer()
				bare.sweep(b, topologies, tc.over)
				b.StopTimer()
				b.ReportMetric((spent(b)-cpu).Seconds()/60*100, "%core-at-one-a-minute")
				b.ReportMetric(float64(e.calls(b)-calls), "rpcs")
			}
		})
	}
}

// bareFleet calls clusters by their number.
type bareFleet struct {
	mu   sync.Mutex
	kept map[int]*grpc.ClientConn
	keep int
}

// sweep looks at one topology after another, spread over a time.
func (f *bareFleet) sweep(b *testing.B, topologies int, over time.Duration) {
	b.Helper()
	ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", base64.StdEncoding.EncodeToString([]byte(milvussim.RootToken)))
	tick := time.NewTicker(over / time.Duration(topologies))
	defer tick.Stop()
	var all sync.WaitGroup
	for i := range topologies {
		all.Go(func() {
			if err := f.look(ctx, i); err != nil {
				b.Error(err)
			}
		})
		<-tick.C
	}
	all.Wait()
}

// look makes the calls of one look at a topology at rest.
func (f *bareFleet) look(ctx context.Context, topology int) error {
	var apis [3]milvuspb.MilvusServiceClient
	for j := range apis {
		conn, done, err := f.conn(3*topology + j)
		if err != nil {
			return err
		}
		defer done()
		apis[j] = milvuspb.NewMilvusServiceClient(conn)
	}
	name := func(j int) string { return fmt.Sprintf("t%04d-%c", topology, 'a'+j) }
	ask := func(j, channel int) (*milvuspb.GetReplicateInfoResponse, error) {
		return apis[j].GetReplicateInfo(ctx, &milvuspb.GetReplicateInfoRequest{
			SourceClusterId: name(0), TargetPchannel: name(j) + "-rootcoord-dml_" + strconv.Itoa(channel),
		})
	}
	var moment uint64
	err := atOnce(len(apis), func(j int) error { // who is there, and what it holds
		_, err := apis[j].Connect(ctx, &milvuspb.ConnectRequest{ClientInfo: &commonpb.ClientInfo{}})
		if err == nil {
			_, err = apis[j].GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
		}
		if err == nil {
			_, err = apis[j].SelectUser(ctx, &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: "root"}, IncludeRoleInfo: true})
		}
		if err == nil {
			_, err = apis[j].ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
		}
		if err == nil {
			_, err = apis[j].ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{DbName: "default"})
		}
		if err == nil && j == 0 {
			_, err = ask(0, 0)
		}
		if err == nil && j == 0 {
			var at *milvuspb.AllocTimestampResponse
			at, err = apis[0].AllocTimestamp(ctx, &milvuspb.AllocTimestampRequest{})
			moment = at.GetTimestamp()
		}
		return err
	})
	if err != nil {
		return err
	}
	return atOnce(2*16, func(n int) error { // every channel of the standbys, and what is unsent of it
		j, channel := 1+n/16, n%16
		info, err := ask(j, channel)
		if err != nil || j != 1 {
			return err
		}
		return dumpNothing(ctx, apis[0], info.GetCheckpoint(), moment)
	})
}

func dumpNothing(ctx context.Context, api milvuspb.MilvusServiceClient, c *commonpb.ReplicateCheckpoint, until uint64) error {
	stream, err := api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{
		Pchannel: c.GetPchannel(), StartMessageId: c.GetMessageId(), StartTimetick: c.GetTimeTick() + 1, EndTimetick: until,
	})
	for err == nil {
		_, err = stream.Recv()
	}
	if err == io.EOF { //nolint:errorlint // what Recv returns as it is
		return nil
	}
	return err
}

// conn is a kept connection to a cluster, or a new one.
func (f *bareFleet) conn(cluster int) (conn *grpc.ClientConn, done func(), err error) {
	f.mu.Lock()
	conn = f.kept[cluster]
	f.mu.Unlock()
	if conn != nil {
		return conn, func() {}, nil
	}
	conn, err = grpc.NewClient("passthrough:///"+address(cluster), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithReadBufferSize(4<<10))
	if err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.kept) < f.keep {
		f.kept[cluster] = conn
		return conn, func() {}, nil
	}
	return conn, func() { _ = conn.Close() }, nil
}

func (f *bareFleet) close() {
	for _, conn := range f.kept {
		_ = conn.Close()
	}
}

// atOnce runs all parts in parallel and returns an error of one that failed.
func atOnce(n int, part func(int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- part(i) }()
	}
	var first error
	for range n {
		if err := <-errs; err != nil {
			first = err
		}
	}
	return first
}
