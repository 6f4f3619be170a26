package milvussim_test

import (
	"context"
	"encoding/base64"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// A World in three lines: a primary and a standby that has replicated
// everything.
func Example() {
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	err := w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...)

	fmt.Println(w.State("a").BelievedRole, w.State("b").BelievedRole, err)
	// Output: primary standby <nil>
}

// A dead primary, and the standby's channels as they were left.
func ExampleWorld_Stop() {
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	_ = w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...)
	_ = w.Stop("a")

	fmt.Println(w.State("a").Running, w.State("b").Writable, len(w.State("b").Checkpoints))
	// Output: false false 16
}

// A failover through Milvus' own gRPC: the force promote names the standby alone.
func Example_failover() {
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	_ = w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...)
	_ = w.Stop("a")

	conn, err := grpc.NewClient(w.Address("b"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	defer conn.Close() //nolint:errcheck // the program ends
	root := base64.StdEncoding.EncodeToString([]byte("root:Milvus"))
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", root)
	answer, err := milvuspb.NewMilvusServiceClient(conn).UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{
		ForcePromote:           true,
		ReplicateConfiguration: &commonpb.ReplicateConfiguration{Clusters: w.Stored("b").GetClusters()[1:]},
	})

	fmt.Println(answer.GetCode(), err)
	fmt.Println(w.State("b").BelievedRole, w.State("b").Writable, len(w.State("b").Salvage))
	// Output:
	// 0 <nil>
	// standalone true 16
}
