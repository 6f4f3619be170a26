package testkit

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// AsRoot calls the cluster at an address as its root user.
func AsRoot(address string, call func(context.Context, milvuspb.MilvusServiceClient) (*commonpb.Status, error)) error {
	return asUser(address, "root:Milvus", call)
}

func asUser(address, token string, call func(context.Context, milvuspb.MilvusServiceClient) (*commonpb.Status, error)) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", base64.StdEncoding.EncodeToString([]byte(token)))
	status, err := call(ctx, milvuspb.NewMilvusServiceClient(conn))
	if err == nil && status.GetCode() != 0 {
		err = fmt.Errorf("it was refused: %s", status.GetReason())
	}
	return err
}

// PromoteByHand promotes a cluster by force as a person does without reconcile, by the
// guide's call.
func PromoteByHand(id, address string) error {
	member := &commonpb.MilvusCluster{
		ClusterId:       id,
		ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + address, Token: "root:Milvus"},
	}
	for i := range 16 {
		member.Pchannels = append(member.Pchannels, fmt.Sprintf("%s-rootcoord-dml_%d", id, i))
	}
	return AsRoot(address, func(ctx context.Context, c milvuspb.MilvusServiceClient) (*commonpb.Status, error) {
		return c.UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{
			ReplicateConfiguration: &commonpb.ReplicateConfiguration{Clusters: []*commonpb.MilvusCluster{member}},
			ForcePromote:           true,
		})
	})
}
