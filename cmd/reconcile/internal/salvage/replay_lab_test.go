package salvage

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/replay"
)

// lab is a simulated pair: a is the primary, b its standby.
type lab struct {
	*milvussim.World
	t        testing.TB
	ctx      context.Context
	topology plan.Topology
	fleet    *milvus.Fleet
	a, b     milvuspb.MilvusServiceClient
}

func newLab(t testing.TB) *lab {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	x := &lab{World: milvussim.New(milvussim.Options{Profile: "2.6.22"}), t: t, ctx: asRoot(ctx)}
	t.Cleanup(x.Close)
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	x.must(x.Start(specs...))
	x.topology, x.fleet = pairAt(x.Address("a"), x.Address("b"))
	t.Cleanup(x.fleet.Close)
	x.a, x.b = x.client("a"), x.client("b")
	return x
}

func asRoot(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", base64.StdEncoding.EncodeToString([]byte(milvussim.RootToken)))
}

// pairAt is the pair at these addresses, and a fleet that may call it.
func pairAt(a, b string) (plan.Topology, *milvus.Fleet) {
	t := plan.Topology{Name: "orders", Generation: 2}
	var config milvus.Config
	for id, address := range map[string]string{"a": a, "b": b} {
		t.Clusters = append(t.Clusters, plan.Cluster{
			ID: id, ClientAddress: address, URI: "http://" + address,
			PChannels: milvussim.PChannels(id+"-rootcoord-dml_", milvussim.DefaultPChannels),
		})
		config.Credentials = append(config.Credentials, milvus.Credential{ClusterID: id, Address: address, Token: func() (string, error) { return milvussim.RootToken, nil }})
	}
	slices.SortFunc(t.Clusters, func(a, b plan.Cluster) int { return strings.Compare(a.ID, b.ID) })
	return t, milvus.NewFleet(config)
}

func (x *lab) client(id string) milvuspb.MilvusServiceClient {
	conn, err := grpc.NewClient(x.Address(id), grpc.WithTransportCredentials(insecure.NewCredentials()))
	x.must(err)
	x.t.Cleanup(func() { _ = conn.Close() })
	return milvuspb.NewMilvusServiceClient(conn)
}

func (x *lab) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// took demands that a cluster did what it was asked.
func (x *lab) took(st *commonpb.Status, err error) {
	x.t.Helper()
	x.must(err)
	if st.GetCode() != 0 {
		x.t.Fatal(st.GetReason())
	}
}

func (x *lab) await(holds func() bool) {
	x.t.Helper()
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-x.ctx.Done():
			x.t.Fatal("it never came to hold")
		case <-tick.C:
		}
	}
}

// configuration is the stored one of a star, or of one cluster without a source.
func (x *lab) configuration(source string, ids ...string) *commonpb.ReplicateConfiguration {
	out := &commonpb.ReplicateConfiguration{}
	for _, id := range ids {
		c, _ := x.topology.Cluster(id)
		out.Clusters = append(out.Clusters, &commonpb.MilvusCluster{
			ClusterId: id, ConnectionParam: &commonpb.ConnectionParam{Uri: c.URI, Token: milvussim.RootToken}, Pchannels: c.PChannels,
		})
		if source != "" && id != source {
			out.CrossClusterTopology = append(out.CrossClusterTopology, &commonpb.CrossClusterTopology{SourceClusterId: source, TargetClusterId: id})
		}
	}
	return out
}

// lose cuts the link, lets a write alone, and promotes b.
func (x *lab) lose(alone func()) {
	x.t.Helper()
	x.must(x.SetLink("a", "b", false))
	alone()
	x.took(x.b.UpdateReplicateConfiguration(x.ctx, &milvuspb.UpdateReplicateConfigurationRequest{
		ReplicateConfiguration: x.configuration("", "b"), ForcePromote: true,
	}))
}

func (x *lab) fence() {
	x.t.Helper()
	x.took(x.a.UpdateReplicateConfiguration(x.ctx, &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: x.configuration("b", "a", "b")}))
}

// table is a collection with a field of every type, which the primary a makes.
func (x *lab) table(name string, autoID bool) {
	x.t.Helper()
	x.tableIn(x.a, name, autoID)
}

func (x *lab) tableIn(in milvuspb.MilvusServiceClient, name string, autoID bool) {
	x.t.Helper()
	schema := &schemapb.CollectionSchema{Name: name, EnableDynamicField: true}
	add := func(field string, kind schemapb.DataType, dim string) *schemapb.FieldSchema {
		f := &schemapb.FieldSchema{Name: field, DataType: kind}
		if dim != "" {
			f.TypeParams = []*commonpb.KeyValuePair{{Key: "dim", Value: dim}}
		}
		schema.Fields = append(schema.Fields, f)
		return f
	}
	key := add("id", schemapb.DataType_Int64, "")
	key.IsPrimaryKey, key.AutoID = true, autoID
	for _, f := range everyColumn(nil, 0) {
		switch {
		case f.GetIsDynamic(), f.GetFieldName() == "id":
		case f.GetStructArrays() != nil:
			s := &schemapb.StructArrayFieldSchema{Name: f.GetFieldName()}
			for _, part := range f.GetStructArrays().GetFields() {
				s.Fields = append(s.Fields, &schemapb.FieldSchema{Name: part.GetFieldName(), DataType: part.GetType(), Nullable: part.GetValidData() != nil || f.GetFieldName() == "maybeItems"})
			}
			schema.StructArrayFields = append(schema.StructArrayFields, s)
		case f.GetVectors() != nil:
			add(f.GetFieldName(), f.GetType(), fmt.Sprint(f.GetVectors().GetDim())).Nullable = len(f.GetFieldName()) > 6
		default:
			add(f.GetFieldName(), f.GetType(), "").Nullable = f.GetFieldName() == "maybe"
		}
	}
	raw, err := proto.Marshal(schema)
	x.must(err)
	x.took(in.CreateCollection(x.ctx, &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: raw, ShardsNum: 4}))
	x.took(in.LoadCollection(x.ctx, &milvuspb.LoadCollectionRequest{CollectionName: name}))
}

func (x *lab) insert(to milvuspb.MilvusServiceClient, name string, fields []*schemapb.FieldData, n int) {
	x.t.Helper()
	got, err := to.Insert(x.ctx, &milvuspb.InsertRequest{CollectionName: name, FieldsData: fields, NumRows: uint32(n)})
	x.took(got.GetStatus(), err)
}

func (x *lab) upsert(to milvuspb.MilvusServiceClient, name string, fields []*schemapb.FieldData, n int) {
	x.t.Helper()
	got, err := to.Upsert(x.ctx, &milvuspb.UpsertRequest{CollectionName: name, FieldsData: fields, NumRows: uint32(n)})
	x.took(got.GetStatus(), err)
}

func (x *lab) remove(to milvuspb.MilvusServiceClient, name, filter string) {
	x.t.Helper()
	got, err := to.Delete(x.ctx, &milvuspb.DeleteRequest{CollectionName: name, Expr: filter})
	x.took(got.GetStatus(), err)
}

// times is how often each key of a collection is there; nil while it cannot be asked.
func (x *lab) times(in milvuspb.MilvusServiceClient, name string) map[int64]int {
	x.t.Helper()
	got, err := in.Query(x.ctx, &milvuspb.QueryRequest{CollectionName: name, Expr: "id >= 0", OutputFields: []string{"id"}})
	if err != nil || got.GetStatus().GetCode() != 0 {
		return nil
	}
	out := map[int64]int{}
	for _, f := range got.GetFieldsData() {
		for _, k := range f.GetScalars().GetLongData().GetData() {
			out[k]++
		}
	}
	return out
}

func (x *lab) plan() replay.Report {
	x.t.Helper()
	report, err := PlanReplay(x.ctx, x.fleet.Reader(), x.topology, ReplayOf{Promoted: "b", Stale: "a"}, "")
	x.must(err)
	return report
}

func (x *lab) has(id, name string) bool {
	got, err := map[string]milvuspb.MilvusServiceClient{"a": x.a, "b": x.b}[id].HasCollection(x.ctx, &milvuspb.HasCollectionRequest{CollectionName: name})
	return err == nil && got.GetValue()
}

func dropRequest(name string) *milvuspb.DropCollectionRequest {
	return &milvuspb.DropCollectionRequest{CollectionName: name}
}

// span is the keys from first on.
func span(first, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(first + i)
	}
	return out
}
