package conformance

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// stored is what a cluster says it has stored, in short: "a→b,a→c" or "{a}".
func (e *env) stored(c *Cluster) string {
	e.t.Helper()
	return short(e.read(c))
}

func (e *env) read(c *Cluster) *commonpb.ReplicateConfiguration {
	e.t.Helper()
	resp, err := c.rpc.GetReplicateConfiguration(e.long(c), &milvuspb.GetReplicateConfigurationRequest{})
	if err != nil || resp.GetStatus().GetCode() != 0 {
		e.t.Fatalf("read of %s: %v, %v", c.ID, resp.GetStatus(), err)
	}
	return resp.GetConfiguration()
}

func short(cfg *commonpb.ReplicateConfiguration) string {
	var parts []string
	for _, edge := range cfg.GetCrossClusterTopology() {
		parts = append(parts, edge.GetSourceClusterId()+"→"+edge.GetTargetClusterId())
	}
	if len(parts) > 0 {
		return strings.Join(parts, ",")
	}
	for _, c := range cfg.GetClusters() {
		parts = append(parts, c.GetClusterId())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// stores demands that a cluster has stored that.
func (e *env) stores(c *Cluster, want string) {
	e.t.Helper()
	if got := e.stored(c); got != want {
		e.t.Fatalf("%s stores %s, want %s", c.ID, got, want)
	}
}

// names turns "A→B" into the ids of the clusters under test.
func (e *env) names(form string) string {
	r := strings.NewReplacer("A", e.a.ID, "B", e.b.ID)
	if e.c != nil {
		r = strings.NewReplacer("A", e.a.ID, "B", e.b.ID, "C", e.c.ID)
	}
	return r.Replace(form)
}

// create makes a collection with a shard on every channel that it may have.
func (e *env) create(c *Cluster, name string) *commonpb.Status {
	e.t.Helper()
	raw, err := proto.Marshal(&schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{Name: "vector", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "2"}}},
	}})
	if err != nil {
		e.t.Fatal(err)
	}
	s, err := c.rpc.CreateCollection(e.long(c), &milvuspb.CreateCollectionRequest{
		CollectionName: name, Schema: raw, ShardsNum: int32(min(c.PChannels, 16)),
	})
	if err != nil {
		e.t.Fatalf("create on %s: %v", c.ID, err)
	}
	return s
}

func (e *env) drop(c *Cluster, name string) {
	e.t.Helper()
	s, err := c.rpc.DropCollection(e.long(c), &milvuspb.DropCollectionRequest{CollectionName: name})
	e.done(reply{s, err})
}

// insert writes rows with the keys from..from+n-1.
func (e *env) insert(c *Cluster, name string, from, n int) *milvuspb.MutationResult {
	e.t.Helper()
	keys, vectors := make([]int64, n), make([]float32, 2*n)
	for i := range keys {
		keys[i], vectors[2*i] = int64(from+i), 1
	}
	res, err := c.rpc.Insert(e.long(c), &milvuspb.InsertRequest{CollectionName: name, NumRows: uint32(n), FieldsData: []*schemapb.FieldData{
		{Type: schemapb.DataType_Int64, FieldName: "id", Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}},
		}}},
		{Type: schemapb.DataType_FloatVector, FieldName: "vector", Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
			Dim: 2, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: vectors}},
		}}},
	}})
	if err != nil {
		e.t.Fatalf("insert on %s: %v", c.ID, err)
	}
	return res
}

// writable probes with a throwaway collection.
func (e *env) writable(c *Cluster) bool {
	e.t.Helper()
	name := e.name("probe")
	s := e.create(c, name)
	if s.GetCode() == 0 {
		e.drop(c, name)
		return true
	}
	if !strings.Contains(s.GetReason(), "not primary") {
		e.t.Fatalf("create on %s: %v", c.ID, s)
	}
	return false
}

// has reports whether a cluster has a collection.
func (e *env) has(c *Cluster, name string) bool {
	e.t.Helper()
	resp, err := c.rpc.ShowCollections(e.long(c), &milvuspb.ShowCollectionsRequest{})
	if err != nil || resp.GetStatus().GetCode() != 0 {
		e.t.Fatalf("list on %s: %v, %v", c.ID, resp.GetStatus(), err)
	}
	for _, n := range resp.GetCollectionNames() {
		if n == name {
			return true
		}
	}
	return false
}

// info returns the live and the salvage checkpoint of a channel of c.
func (e *env) info(c *Cluster, source, pchannel string) *milvuspb.GetReplicateInfoResponse {
	e.t.Helper()
	resp, err := c.rpc.GetReplicateInfo(e.long(c), &milvuspb.GetReplicateInfoRequest{SourceClusterId: source, TargetPchannel: pchannel})
	if err != nil {
		e.t.Fatalf("replicate info of %s: %v", c.ID, err)
	}
	return resp
}

// retell tells a standby its edge again where an older removal, which its source
// still had in the log, has undone the attach (#52727). It returns false: what is
// waited for has yet to come.
func (e *env) retell(from, to *Cluster) bool {
	e.t.Helper()
	if e.world != nil || len(e.read(to).GetCrossClusterTopology()) > 0 {
		return false
	}
	var targets []*Cluster
	for _, c := range e.clusters() {
		if source(e.read(from), c.ID) == from.ID {
			targets = append(targets, c)
		}
	}
	if !slices.Contains(targets, to) {
		return false
	}
	r := e.send(e.long(to), to, star(from, targets...), false)
	e.t.Logf("an older removal undid the attach of %s (#52727); it was told again: %v, %v", to.ID, r.status, r.err)
	return false
}

// flowing waits until a DDL on from has reached to.
func (e *env) flowing(from, to *Cluster) {
	e.t.Helper()
	name := e.name("flow")
	if s := e.create(from, name); s.GetCode() != 0 {
		e.t.Fatalf("create on %s: %v", from.ID, s)
	}
	if !e.within(e.limits.call, func() bool { return e.has(to, name) || e.retell(from, to) }) {
		e.t.Fatalf("a collection of %s does not show on %s; %[1]s stores %[3]s, %[2]s stores %[4]s", from.ID, to.ID, e.stored(from), e.stored(to))
	}
	e.drop(from, name)
	e.eventually("it goes again", func() bool { return !e.has(to, name) })
}
