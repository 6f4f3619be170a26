package scenarios

import (
	"context"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/rogpeppe/go-internal/testscript"

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
	ts.Check(testkit.PromoteByHand(id, address))
}

func dropByHand(address, collection string) error {
	return testkit.AsRoot(address, func(ctx context.Context, c milvuspb.MilvusServiceClient) (*commonpb.Status, error) {
		return c.DropCollection(ctx, &milvuspb.DropCollectionRequest{CollectionName: collection})
	})
}
