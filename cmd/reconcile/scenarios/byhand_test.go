package scenarios

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// byhand CLUSTER [drop COLLECTION]: does to a cluster what a person does
// without reconcile, with Milvus' own client: promotes it by force, by the
// guide's call, or drops a collection.
func byhand(ts *testscript.TestScript, neg bool, args []string) {
	drops := len(args) == 3 && args[1] == "drop"
	if neg || len(args) != 1 && !drops {
		ts.Fatalf("usage: byhand CLUSTER [drop COLLECTION]")
	}
	id := args[0]
	address := ts.Getenv(strings.ToUpper(strings.TrimPrefix(id, "cluster-")))
	if drops {
		ts.Check(dropByHand(address, args[2]))
		return
	}
	ts.Check(promoteByHand(id, address))
}

// asRoot calls the cluster at an address as its root user.
func asRoot(address string, call func(context.Context, milvuspb.MilvusServiceClient) (*commonpb.Status, error)) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", base64.StdEncoding.EncodeToString([]byte("root:Milvus")))
	status, err := call(ctx, milvuspb.NewMilvusServiceClient(conn))
	if err == nil && status.GetCode() != 0 {
		err = fmt.Errorf("it was refused: %s", status.GetReason())
	}
	return err
}

func dropByHand(address, collection string) error {
	return asRoot(address, func(ctx context.Context, c milvuspb.MilvusServiceClient) (*commonpb.Status, error) {
		return c.DropCollection(ctx, &milvuspb.DropCollectionRequest{CollectionName: collection})
	})
}

func promoteByHand(id, address string) error {
	member := &commonpb.MilvusCluster{
		ClusterId:       id,
		ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + address, Token: "root:Milvus"},
	}
	for i := range 16 {
		member.Pchannels = append(member.Pchannels, fmt.Sprintf("%s-rootcoord-dml_%d", id, i))
	}
	return asRoot(address, func(ctx context.Context, c milvuspb.MilvusServiceClient) (*commonpb.Status, error) {
		return c.UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{
			ReplicateConfiguration: &commonpb.ReplicateConfiguration{Clusters: []*commonpb.MilvusCluster{member}},
			ForcePromote:           true,
		})
	})
}
