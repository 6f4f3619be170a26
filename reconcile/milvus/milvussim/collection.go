package milvussim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"
)

const (
	defaultDatabase  = "default"
	defaultPartition = "_default"
	// firstFieldID is the id of a collection's first own field
	// (common.StartOfUserFieldID).
	firstFieldID = 100
	// maxShards is proxy.maxShardNum.
	maxShards = 16
	// dynamicField holds the values of fields that the schema does not have.
	dynamicField = "$meta"
)

// database is a database of a cluster, in the coordinator's metadata.
type database struct {
	name        string
	id          int64
	created     time.Time
	collections map[string]*collection
	aliases     map[string]int64
}

// newDatabase is a database without collections, made at that time by the cluster's own clock.
func newDatabase(name string, id int64, created time.Time) *database {
	return &database{name: name, id: id, created: created, collections: map[string]*collection{}}
}

// collection is a collection of a cluster, in the coordinator's metadata. Its
// rows are in the channels.
type collection struct {
	database    string
	name        string
	id          int64
	tick        uint64
	changed     uint64 // by what its schema or its properties changed last
	schema      *schemapb.CollectionSchema
	consistency commonpb.ConsistencyLevel
	properties  []*commonpb.KeyValuePair
	shards      []int
	partitions  []partition
	indexes     []index
	loaded      bool
	replicas    int  // that queries are answered by, while it is loaded
	unservable  bool // it is loaded, and no query of it succeeds
}

type partition struct {
	id   int64
	name string
}

type index struct {
	id     int64
	name   string
	field  string
	params []*commonpb.KeyValuePair
	// building: it is not finished.
	building bool
}

// createCollection is the message of that name. Ids are those of the cluster
// that made it, on every cluster.
type createCollection struct {
	database    string
	name        string
	id          int64
	partitionID int64
	schema      *schemapb.CollectionSchema
	consistency commonpb.ConsistencyLevel
	properties  []*commonpb.KeyValuePair
	shards      []int
}

func (*createCollection) kind() kind { return kindCreateCollection }

func (d *createCollection) apply(c *cluster, b *broadcast) {
	db := c.databases[d.database]
	if db == nil || db.collections[d.name] != nil {
		return
	}
	db.collections[d.name] = &collection{
		database: d.database, name: d.name, id: d.id, tick: b.msg.id, changed: b.msg.id, schema: d.schema, consistency: d.consistency,
		properties: d.properties, shards: d.shards,
		partitions: []partition{{id: d.partitionID, name: defaultPartition}},
	}
}

type dropCollection struct {
	database   string
	name       string
	collection int64
}

func (*dropCollection) kind() kind { return kindDropCollection }

func (d *dropCollection) apply(c *cluster, _ *broadcast) {
	if coll := c.withID(d.collection); coll != nil {
		delete(c.databases[coll.database].collections, coll.name)
	}
}

// withID is the collection of that id, wherever a rename has put it, or nil.
func (c *cluster) withID(id int64) *collection {
	for _, name := range sortedKeys(c.databases) {
		if coll := c.databases[name].byID(id); coll != nil {
			return coll
		}
	}
	return nil
}

// newID allocates an id as Milvus' root coordinator does: from its timestamps.
func (c *cluster) newID() int64 { return int64(c.tso.next(c.now())) }

// throwaway is a collection with one shard on each channel.
func (c *cluster) throwaway(name string) *createCollection {
	d := &createCollection{
		database: defaultDatabase, name: name, id: c.newID(), partitionID: c.newID(),
		schema: rowsSchema(name), shards: c.allChannels(),
	}
	return d
}

// leastUsed picks n channels for the shards of a collection: those with the
// fewest shards so far, the first of equal ones.
func (c *cluster) leastUsed(n int) []int {
	used := make([]int, len(c.channels))
	for _, db := range sortedKeys(c.databases) {
		for _, coll := range c.databases[db].collections {
			for _, i := range coll.shards {
				used[i]++
			}
		}
	}
	all := c.allChannels()
	slices.SortStableFunc(all, func(a, b int) int { return used[a] - used[b] })
	picked := all[:min(n, len(all))]
	slices.Sort(picked)
	return picked
}

// find is the collection of that name or alias, or the error that Milvus gives.
func (c *cluster) find(db, name string, id int64) (*collection, error) {
	d := c.databases[db]
	if d == nil {
		return nil, failf(codeDatabaseNotFound, "database not found[database=%s]", db)
	}
	if coll := d.collections[name]; coll != nil {
		return coll, nil
	}
	if coll := d.aliased(name); coll != nil {
		return coll, nil
	}
	if coll := d.byID(id); name == "" && coll != nil {
		return coll, nil
	}
	return nil, failf(codeCollectionNotFound, "can't find collection[database=%s][collection=%s]: collection not found", db, name)
}

func (coll *collection) vchannels(c *cluster) (virtual, physical []string) {
	for i, at := range coll.shards {
		name := c.channels[at].name
		physical = append(physical, name)
		virtual = append(virtual, fmt.Sprintf("%s_%dv%d", name, coll.id, i))
	}
	return virtual, physical
}

func (coll *collection) key() *schemapb.FieldSchema {
	for _, f := range coll.schema.GetFields() {
		if f.GetIsPrimaryKey() {
			return f
		}
	}
	return nil
}

func (coll *collection) field(name string) *schemapb.FieldSchema {
	for _, f := range coll.schema.GetFields() {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}

// partition is the partition of that name, the default one for "".
func (coll *collection) partition(name string) (partition, error) {
	if name == "" {
		name = defaultPartition
	}
	for _, p := range coll.partitions {
		if p.name == name {
			return p, nil
		}
	}
	return partition{}, failf(codePartitionNotFound, "partition not found[partition=%s]", name)
}

// ttlProperty is how many seconds an entity lives (common.CollectionTTLConfigKey). The
// age of a row counts from its tick in the log of the cluster that holds it: a standby
// gives a replicated row a tick of its own.
const ttlProperty = "collection.ttl.seconds"

// expiry is the least tick of a row that is not too old; 0: rows don't age.
func (coll *collection) expiry(now time.Time) uint64 {
	for _, p := range coll.properties {
		if seconds, err := strconv.Atoi(p.GetValue()); p.GetKey() == ttlProperty && err == nil && seconds > 0 {
			return Tick(now.Add(-time.Duration(seconds)*time.Second), 0)
		}
	}
	return 0
}

// rows are the collection's rows in channel order, those of the given partitions
// only if there are any, without those that have expired.
func (coll *collection) rows(c *cluster, partitions ...int64) []row {
	var out []row
	oldest := coll.expiry(c.now())
	for _, at := range coll.shards {
		s := c.channels[at].shards[coll.id]
		if s == nil {
			continue
		}
		for _, r := range s.rows {
			if r.tick >= oldest && (len(partitions) == 0 || slices.Contains(partitions, r.partition)) {
				out = append(out, r)
			}
		}
	}
	return out
}

// count is the number of rows of the collection.
func (coll *collection) count(c *cluster) int {
	n := 0
	for _, at := range coll.shards {
		if s := c.channels[at].shards[coll.id]; s != nil {
			n += len(s.rows)
		}
	}
	return n
}

// rowsSchema is a schema with an integer key and a small vector.
func rowsSchema(name string) *schemapb.CollectionSchema {
	return &schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{FieldID: firstFieldID, Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{
			FieldID: firstFieldID + 1, Name: "vector", DataType: schemapb.DataType_FloatVector,
			TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: strconv.Itoa(rowsDim)}},
		},
	}}
}

// dimension is a vector field's dim, 0 if it has none.
func dimension(f *schemapb.FieldSchema) int {
	for _, p := range f.GetTypeParams() {
		if p.GetKey() == "dim" {
			n, err := strconv.Atoi(p.GetValue())
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// parseSchema reads the schema of a request and gives its fields their ids.
func parseSchema(raw []byte, name string) (*schemapb.CollectionSchema, error) {
	schema := &schemapb.CollectionSchema{}
	if err := proto.Unmarshal(raw, schema); err != nil {
		return nil, failf(codeInvalidParameter, "invalid parameter: %v", err)
	}
	schema.Name = name
	keys := 0
	for i, f := range schema.GetFields() {
		f.FieldID = firstFieldID + int64(i)
		if f.GetIsPrimaryKey() {
			keys++
		}
	}
	if keys != 1 {
		return nil, failf(codeInvalidParameter, "schema has %d primary keys, expected 1: invalid parameter", keys)
	}
	return schema, nil
}

// outputsProperty lets clients bring the fields that functions other than BM25 compute.
const outputsProperty = "collection.function.allowInsertNonBM25FunctionOutputs"

// compute adds the fields that text embeddings compute, as a proxy does before the rows are in
// the log. A field that a client brings is refused, or taken as it is (typeutil/schema.go,
// GetNeedProcessFunctions). This model gives each row another vector each time.
func (c *cluster) compute(coll *collection, b *batch, n int) error {
	taken := slices.ContainsFunc(coll.properties, func(p *commonpb.KeyValuePair) bool { return p.GetKey() == outputsProperty && p.GetValue() == "true" })
	for _, f := range coll.schema.GetFunctions() {
		for _, name := range f.GetOutputFieldNames() {
			brought, embeds := b.field(name) != nil, f.GetType() == schemapb.FunctionType_TextEmbedding
			switch {
			case brought && !embeds:
				return failf(codeInvalidParameter, "attempt to insert bm25 function output field: invalid parameter")
			case brought && !taken:
				return failf(codeInvalidParameter, "Insert data has function output field, but collection's property `%s` is not enable: invalid parameter", outputsProperty)
			case embeds && !brought:
				b.fields = append(b.fields, c.embedding(coll.field(name), n))
			}
		}
	}
	return nil
}

func (c *cluster) embedding(field *schemapb.FieldSchema, n int) *schemapb.FieldData {
	dim := dimension(field)
	data := make([]float32, n*dim)
	for i := range n {
		data[i*dim] = float32(c.newID() % 1_000_003)
	}
	return &schemapb.FieldData{
		Type: field.GetDataType(), FieldName: field.GetName(), FieldId: field.GetFieldID(),
		Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
			Dim: int64(dim), Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: data}},
		}},
	}
}
