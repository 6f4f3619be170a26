package milvussim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

func TestMilvusClient(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: w.Address("a"), Username: "root", Password: "Milvus"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close(ctx) }()
	if dbs, err := a.ListDatabase(ctx, milvusclient.NewListDatabaseOption()); err != nil || len(dbs) != 1 {
		t.Fatalf("databases %v, %v", dbs, err)
	}
	if err := a.CreateCollection(ctx, milvusclient.SimpleCreateCollectionOptions("books", 4).WithShardNum(4)); err != nil {
		t.Fatal(err)
	}
	coll, err := a.DescribeCollection(ctx, milvusclient.NewDescribeCollectionOption("books"))
	if err != nil || len(coll.PhysicalChannels) != 4 {
		t.Fatalf("describe: %+v, %v", coll, err)
	}
	if _, err := a.Insert(ctx, milvusclient.NewColumnBasedInsertOption("books",
		column.NewColumnInt64("id", []int64{1, 2, 3}),
		column.NewColumnFloatVector("vector", 4, [][]float32{{1, 0, 0, 0}, {2, 0, 0, 0}, {3, 0, 0, 0}}))); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Flush(ctx, milvusclient.NewFlushOption("books")); err != nil {
		t.Fatal(err)
	}
	got, err := a.Query(ctx, milvusclient.NewQueryOption("books").WithFilter("id in [2,3]").WithOutputFields("id", "vector"))
	if err != nil || got.ResultCount != 2 {
		t.Fatalf("query: %d rows, %v", got.ResultCount, err)
	}
	if del, err := a.Delete(ctx, milvusclient.NewDeleteOption("books").WithInt64IDs("id", []int64{3})); err != nil || del.DeleteCount != 1 {
		t.Fatalf("delete: %+v, %v", del, err)
	}
	count, err := a.Query(ctx, milvusclient.NewQueryOption("books").WithFilter("").WithOutputFields("count(*)"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := count.GetColumn("count(*)").GetAsInt64(0); err != nil || n != 2 {
		t.Errorf("count %d, %v", n, err)
	}
	if has, err := a.HasCollection(ctx, milvusclient.NewHasCollectionOption("films")); err != nil || has {
		t.Errorf("has films: %v, %v", has, err)
	}
	if err := a.UpdateReplicateConfiguration(ctx, star(w, []string{"a", "b"}, "a")); err != nil {
		t.Errorf("update the replicate configuration: %v", err)
	}
	stored, err := a.GetService().GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
	if err != nil || len(stored.GetConfiguration().GetCrossClusterTopology()) != 1 {
		t.Errorf("read the replicate configuration: %v, %v", stored, err)
	}
	b, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: w.Address("b"), APIKey: milvussim.RootToken})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(ctx) }()
	waitFor(t, func() bool {
		got, err := b.Query(ctx, milvusclient.NewQueryOption("books").WithFilter("id > 0").WithOutputFields("id"))
		return err == nil && got.ResultCount == 2
	})
	_, err = b.Insert(ctx, milvusclient.NewColumnBasedInsertOption("books",
		column.NewColumnInt64("id", []int64{9}), column.NewColumnFloatVector("vector", 4, [][]float32{{9, 0, 0, 0}})))
	if err == nil || !strings.Contains(err.Error(), "STREAMING_CODE_REPLICATE_VIOLATION") {
		t.Errorf("insert on the standby: %v", err)
	}
	if err := a.DropCollection(ctx, milvusclient.NewDropCollectionOption("books")); err != nil {
		t.Fatal(err)
	}
	err = b.CreateCollection(ctx, milvusclient.SimpleCreateCollectionOptions("films", 4))
	if err == nil || !strings.Contains(err.Error(), "cluster is not primary, cannot do any DDL/DCL") {
		t.Errorf("create on the standby: %v", err)
	}
}

// TestMilvusClientReplicates: the Go client switches over and resends what was not
// available; it cannot promote by force but through the service below it.
func TestMilvusClientReplicates(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	connect := func(id string) *milvusclient.Client {
		c, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: w.Address(id), Username: "root", Password: "Milvus"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(context.WithoutCancel(ctx)) })
		return c
	}
	a, b := connect("a"), connect("b")
	build := func(edge bool, ids ...string) *commonpb.ReplicateConfiguration {
		out := milvusclient.NewReplicateConfigurationBuilder()
		for _, id := range ids {
			out.WithCluster(milvusclient.NewMilvusClusterBuilder(id).WithURI("http://" + w.Address(id)).
				WithToken(milvussim.RootToken).WithPchannels(w.PChannels(id)...).Build())
		}
		if edge {
			out.WithTopology("b", "a")
		}
		return out.Build()
	}
	updates := func(id string) int {
		n := 0
		for _, c := range w.Calls() {
			if c.Cluster == id && c.Method == "UpdateReplicateConfiguration" {
				n++
			}
		}
		return n
	}

	for _, code := range []codes.Code{codes.Unavailable, codes.ResourceExhausted} {
		if err := w.AddFault("a", milvussim.Fault{Method: "UpdateReplicateConfiguration", Kind: milvussim.FaultError, Times: 1, Code: code}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.UpdateReplicateConfiguration(ctx, build(true, "a", "b")); err != nil {
		t.Fatalf("the old primary: %v", err)
	}
	if n := updates("a"); n != 3 {
		t.Errorf("it was sent %d times, want 3", n)
	}
	if err := b.UpdateReplicateConfiguration(ctx, build(true, "a", "b")); err != nil {
		t.Fatalf("the new primary: %v", err)
	}
	if info, err := a.GetReplicateInfo(ctx, &milvuspb.GetReplicateInfoRequest{SourceClusterId: "b", TargetPchannel: w.PChannels("a")[0]}); err != nil || info.GetCheckpoint().GetClusterId() != "b" {
		t.Errorf("the checkpoint of the standby: %v, %v", info, err)
	}

	// A force promote whose first try was not available is sent again, and takes
	// effect once.
	if err := w.AddFault("a", milvussim.Fault{Method: "UpdateReplicateConfiguration", Kind: milvussim.FaultError, Times: 1}); err != nil {
		t.Fatal(err)
	}
	promote := &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: build(false, "a"), ForcePromote: true}
	if s, err := a.GetService().UpdateReplicateConfiguration(ctx, promote); err != nil || s.GetCode() != 0 {
		t.Fatalf("promote: %v, %v", s, err)
	}
	if s, err := a.GetService().UpdateReplicateConfiguration(ctx, promote); err != nil || !strings.Contains(s.GetReason(), "current cluster is primary") {
		t.Errorf("promote again: %v, %v", s, err)
	}
	if got := w.State("a").BelievedRole; got != "standalone" {
		t.Errorf("a is %s", got)
	}
}
