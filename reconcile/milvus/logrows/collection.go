package logrows

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/replay"
)

// Collection is a collection of the promoted cluster, for a replay.
type Collection struct {
	ID             int64
	Database, Name string
	Loaded         bool
	// Why says why no row of it can be written again; empty: rows can.
	Why string
	// AutoID: the server gives the keys, so only deletes can be written again.
	AutoID bool
	// Shape stands for the names and types of its fields, in their order.
	Shape replay.Mark

	key            string
	keyType        schemapb.DataType
	scattered      bool // by a partition key: rows name no partition
	manyPartitions bool
	fields         []field
	partitions     map[string]int64
	live           time.Duration // of a row; 0: for ever
	changed        uint64        // tick of the newest change of its schema; 0: not told
}

// Expired says whether the time to live of rows is over, at a time of the promoted cluster:
// written again they would live once more. A delete has none.
func (r *Rows) Expired(now time.Time) bool {
	live := r.Collection.live
	return !r.Delete && live > 0 && plan.TickTime(r.Tick).Add(live).Before(now)
}

// Partition says whether the cluster still has the partition that a row was in.
func (c *Collection) Partition(r *Rows) bool {
	if r.partitionID == 0 || r.partitionID == replay.EveryPartition {
		return true
	}
	id, ok := c.partitions[r.Partition]
	return ok && id == r.partitionID
}

// WhyNotThere is why rows of a collection are not written that the promoted cluster lacks.
const WhyNotThere = "the promoted cluster does not have the collection: it was dropped there, or made here and never replicated"

// What a collection can lack so that its rows are not written again.
const (
	whyGone      = "the stale cluster does not have the collection any more: its own drop was not replicated"
	whyChanged   = "the two clusters give the collection another schema, other partitions or other channels"
	whyModel     = "a function computes a field of it when rows are inserted, perhaps by a model, and it takes no such field from a client"
	whyNamespace = "its rows belong to namespaces, which a replay does not write into"
	whyNoKey     = "its primary key is neither a number nor a text"
)

// Compare compares the collections of the promoted cluster with those of the stale one, by id.
func Compare(promoted, stale map[int64]*Described) map[int64]*Collection {
	out := map[int64]*Collection{}
	for id, d := range promoted {
		c := newCollection(d)
		switch other := stale[id]; {
		case other == nil:
			c.Why = whyGone
		case c.Why == "" && !same(d, other):
			c.Why = whyChanged
		}
		out[id] = c
	}
	for id, d := range stale {
		if out[id] == nil {
			out[id] = &Collection{ID: id, Database: d.GetDbName(), Name: d.GetCollectionName(), Why: WhyNotThere}
		}
	}
	return out
}

// Described is a collection with its partitions.
type Described struct {
	*milvuspb.DescribeCollectionResponse
	Partitions map[string]int64
	PChannels  []string // of the cluster, in their order
	Loaded     bool
}

// same says whether rows of one can be written into the other: the same schema,
// and each partition of the stale cluster under the same name and id.
func same(a, b *Described) bool {
	x, y := proto.CloneOf(a.GetSchema()), proto.CloneOf(b.GetSchema())
	for _, s := range []*schemapb.CollectionSchema{x, y} {
		s.Name, s.Description, s.Properties, s.DbName, s.Version = "", "", nil, "", 0
	}
	if !proto.Equal(x, y) || len(a.GetVirtualChannelNames()) != len(b.GetVirtualChannelNames()) {
		return false
	}
	for name, id := range b.Partitions {
		if a.Partitions[name] != id {
			return false
		}
	}
	return slices.Equal(a.places(), b.places())
}

// places are the numbers of the channels on which a collection lies, in the order of its
// shards: a standby gets the channel at the same place of its own list.
func (d *Described) places() []int {
	out := make([]int, 0, len(d.GetPhysicalChannelNames()))
	for _, name := range d.GetPhysicalChannelNames() {
		out = append(out, slices.Index(d.PChannels, name))
	}
	return out
}

func newCollection(d *Described) *Collection {
	s := d.GetSchema()
	c := &Collection{
		ID: d.GetCollectionID(), Database: d.GetDbName(), Name: d.GetCollectionName(), Loaded: d.Loaded,
		partitions: d.Partitions, manyPartitions: len(d.Partitions) > 1, live: timeToLive(d.GetProperties()), changed: d.GetUpdateTimestamp(),
	}
	computed := c.functions(s, takesOutputs(d.GetProperties()))
	for _, f := range s.GetFields() {
		if !slices.Contains(computed, f.GetName()) {
			c.add(f)
		}
	}
	for _, f := range s.GetStructArrayFields() {
		c.fields = append(c.fields, field{name: f.GetName(), parts: partsOf(f), nullable: nullableStruct(f)})
	}
	if s.GetEnableDynamicField() && !slices.ContainsFunc(c.fields, func(f field) bool { return f.dynamic }) {
		c.fields = append(c.fields, field{name: DynamicField, dynamic: true})
	}
	if c.keyType != schemapb.DataType_Int64 && c.keyType != schemapb.DataType_VarChar {
		c.Why = whyNoKey
	}
	c.Shape = c.shape()
	return c
}

func (c *Collection) shape() replay.Mark {
	var all []string
	for _, f := range c.fields {
		all = append(all, fmt.Sprintf("%q %s %q", f.name, f.kind, f.parts))
	}
	return markOf([]byte(strings.Join(all, "\n")))
}

// TTLProperty is how many seconds an entity lives.
const TTLProperty = "collection.ttl.seconds"

func timeToLive(properties []*commonpb.KeyValuePair) time.Duration {
	for _, p := range properties {
		if seconds, err := strconv.Atoi(p.GetValue()); p.GetKey() == TTLProperty && err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// DynamicField holds the values of fields that a schema does not have, and namespaceField
// the namespace of a row.
const (
	DynamicField   = "$meta"
	namespaceField = "$namespace_id"
)

func (c *Collection) add(f *schemapb.FieldSchema) {
	if f.GetName() == namespaceField {
		c.Why = whyNamespace
	}
	if f.GetIsPrimaryKey() {
		c.key, c.keyType, c.AutoID = f.GetName(), f.GetDataType(), f.GetAutoID()
	}
	c.scattered = c.scattered || f.GetIsPartitionKey()
	c.fields = append(c.fields, field{
		name: f.GetName(), kind: f.GetDataType().String(), key: f.GetIsPrimaryKey(), dynamic: f.GetIsDynamic(),
		nullable: f.GetNullable() || f.GetDefaultValue() != nil,
	})
}

// functions returns the fields that BM25 functions compute: a streaming node does that, so
// they are not in the log, and come again by themselves. The fields of a text embedding are in
// the log, since a proxy asks the model; where clients may bring them (taken), they are
// written as they were, and no model is asked again (task_upsert.go, genFunctionFields).
func (c *Collection) functions(s *schemapb.CollectionSchema, taken bool) []string {
	var out []string
	for _, f := range s.GetFunctions() {
		switch f.GetType() {
		case schemapb.FunctionType_BM25:
			out = append(out, f.GetOutputFieldNames()...)
		case schemapb.FunctionType_TextEmbedding:
			if !taken {
				c.Why = whyModel
			}
		default:
			c.Why = whyModel
		}
	}
	return out
}

// OutputsProperty says whether clients may bring the fields that a function other than BM25
// computes.
const OutputsProperty = "collection.function.allowInsertNonBM25FunctionOutputs"

func takesOutputs(properties []*commonpb.KeyValuePair) bool {
	i := slices.IndexFunc(properties, func(p *commonpb.KeyValuePair) bool { return p.GetKey() == OutputsProperty })
	if i < 0 {
		return false
	}
	taken, _ := strconv.ParseBool(properties[i].GetValue()) // as Milvus reads it
	return taken
}

func partsOf(f *schemapb.StructArrayFieldSchema) []string {
	var out []string
	for _, part := range f.GetFields() {
		out = append(out, part.GetName())
	}
	return out
}

func nullableStruct(f *schemapb.StructArrayFieldSchema) bool {
	return slices.ContainsFunc(f.GetFields(), (*schemapb.FieldSchema).GetNullable)
}
