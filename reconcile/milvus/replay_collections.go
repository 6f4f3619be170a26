package milvus

import (
	"context"
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
)

// ReplayCollection is a collection of the promoted cluster, for a replay.
type ReplayCollection struct {
	ID             int64
	Database, Name string
	Loaded         bool
	// Why says why no row of it can be written again; empty: rows can.
	Why string
	// AutoID: the server gives the keys, so only deletes can be written again.
	AutoID bool
	// Shape stands for the names and types of its fields, in their order.
	Shape Mark

	key            string
	keyType        schemapb.DataType
	scattered      bool // by a partition key: rows name no partition
	manyPartitions bool
	fields         []replayField
	partitions     map[string]int64
	live           time.Duration // of a row; 0: for ever
	changed        uint64        // tick of the newest change of its schema; 0: not told
}

// Expired says whether the time to live of rows is over, at a time of the promoted cluster:
// written again they would live once more. A delete has none.
func (r *LoggedRows) Expired(now time.Time) bool {
	live := r.Collection.live
	return !r.Delete && live > 0 && plan.TickTime(r.Tick).Add(live).Before(now)
}

// Partition says whether the cluster still has the partition that a row was in.
func (c *ReplayCollection) Partition(r *LoggedRows) bool {
	if r.partitionID == 0 || r.partitionID == EveryPartition {
		return true
	}
	id, ok := c.partitions[r.Partition]
	return ok && id == r.partitionID
}

// What a collection can lack so that its rows are not written again.
const (
	whyNotThere  = "the promoted cluster does not have the collection: it was dropped there, or made here and never replicated"
	whyGone      = "the stale cluster does not have the collection any more: its own drop was not replicated"
	whyChanged   = "the two clusters give the collection another schema, other partitions or other channels"
	whyModel     = "a function computes a field of it when rows are inserted, perhaps by a model"
	whyGeometry  = "its log holds geometries in a form that no request takes"
	whyNullable  = "it has a struct that may be null"
	whyNamespace = "its rows belong to namespaces, which the log does not name"
	whyNoKey     = "its primary key is neither a number nor a text"
)

// replayCollections compares the collections of both clusters by id.
func replayCollections(ctx context.Context, promoted, stale *data, theirs, ours []string) (map[int64]*ReplayCollection, error) {
	there, err := promoted.describeAll(ctx, theirs)
	if err != nil {
		return nil, fmt.Errorf("describe the collections of the promoted cluster: %w", err)
	}
	here, err := stale.describeAll(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("describe the collections of the stale cluster: %w", err)
	}
	out := map[int64]*ReplayCollection{}
	for id, d := range there {
		c := newReplayCollection(d)
		switch other := here[id]; {
		case other == nil:
			c.Why = whyGone
		case c.Why == "" && !sameCollection(d, other):
			c.Why = whyChanged
		}
		out[id] = c
	}
	for id, d := range here {
		if out[id] == nil {
			out[id] = &ReplayCollection{ID: id, Database: d.GetDbName(), Name: d.GetCollectionName(), Why: whyNotThere}
		}
	}
	return out, nil
}

// described is a collection with its partitions.
type described struct {
	*milvuspb.DescribeCollectionResponse
	partitions map[string]int64
	pchannels  []string // of the cluster, in their order
	loaded     bool
}

// describeAll describes every collection of every database, but not our own. The cluster
// has these channels, in this order.
func (d *data) describeAll(ctx context.Context, pchannels []string) (map[int64]*described, error) {
	databases, err := d.databases(ctx)
	if err != nil {
		return nil, err
	}
	out := map[int64]*described{}
	for _, database := range databases {
		in := &data{link: d.link, database: database}
		one, cancel := d.withReadTimeout(ctx)
		names, err := in.listCollections(one)
		cancel()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if isThrowaway(name) {
				continue
			}
			got, err := in.describeWhole(ctx, name)
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", database, name, err)
			}
			got.DbName, got.pchannels = database, pchannels
			out[got.GetCollectionID()] = got
		}
	}
	return out, nil
}

func (d *data) describeWhole(ctx context.Context, name string) (*described, error) {
	ctx, cancel := d.withReadTimeout(ctx)
	defer cancel()
	got, err := d.describeCollection(ctx, name)
	if err != nil {
		return nil, err
	}
	shown, err := d.api.ShowPartitions(ctx, &milvuspb.ShowPartitionsRequest{DbName: d.database, CollectionName: name})
	if err = d.refusal(shown.GetStatus(), err); err != nil {
		return nil, err
	}
	out := &described{DescribeCollectionResponse: got, partitions: map[string]int64{}}
	for i, partition := range shown.GetPartitionNames() {
		if i < len(shown.GetPartitionIDs()) {
			out.partitions[partition] = shown.GetPartitionIDs()[i]
		}
	}
	out.loaded, err = d.isLoaded(ctx, name)
	return out, err
}

// sameCollection says whether rows of one can be written into the other: the same schema,
// and each partition of the stale cluster under the same name and id.
func sameCollection(a, b *described) bool {
	x, y := proto.CloneOf(a.GetSchema()), proto.CloneOf(b.GetSchema())
	for _, s := range []*schemapb.CollectionSchema{x, y} {
		s.Name, s.Description, s.Properties, s.DbName, s.Version = "", "", nil, "", 0
	}
	if !proto.Equal(x, y) || len(a.GetVirtualChannelNames()) != len(b.GetVirtualChannelNames()) {
		return false
	}
	for name, id := range b.partitions {
		if a.partitions[name] != id {
			return false
		}
	}
	return slices.Equal(a.places(), b.places())
}

// places are the numbers of the channels on which a collection lies, in the order of its
// shards: a standby gets the channel at the same place of its own list.
func (d *described) places() []int {
	out := make([]int, 0, len(d.GetPhysicalChannelNames()))
	for _, name := range d.GetPhysicalChannelNames() {
		out = append(out, slices.Index(d.pchannels, name))
	}
	return out
}

func newReplayCollection(d *described) *ReplayCollection {
	s := d.GetSchema()
	c := &ReplayCollection{
		ID: d.GetCollectionID(), Database: d.GetDbName(), Name: d.GetCollectionName(), Loaded: d.loaded,
		partitions: d.partitions, manyPartitions: len(d.partitions) > 1, live: timeToLive(d.GetProperties()), changed: d.GetUpdateTimestamp(),
	}
	computed := c.functions(s)
	for _, f := range s.GetFields() {
		if !slices.Contains(computed, f.GetName()) {
			c.add(f)
		}
	}
	for _, f := range s.GetStructArrayFields() {
		c.fields = append(c.fields, replayField{name: f.GetName(), parts: partsOf(f)})
		if nullableStruct(f) {
			c.Why = whyNullable
		}
	}
	if s.GetEnableDynamicField() && !slices.ContainsFunc(c.fields, func(f replayField) bool { return f.dynamic }) {
		c.fields = append(c.fields, replayField{name: dynamicField, dynamic: true})
	}
	if c.keyType != schemapb.DataType_Int64 && c.keyType != schemapb.DataType_VarChar {
		c.Why = whyNoKey
	}
	c.Shape = c.shape()
	return c
}

func (c *ReplayCollection) shape() Mark {
	var all []string
	for _, f := range c.fields {
		all = append(all, fmt.Sprintf("%q %s %q", f.name, f.kind, f.parts))
	}
	return markOf([]byte(strings.Join(all, "\n")))
}

func timeToLive(properties []*commonpb.KeyValuePair) time.Duration {
	for _, p := range properties {
		if seconds, err := strconv.Atoi(p.GetValue()); p.GetKey() == ttlProperty && err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// dynamicField holds the values of fields that a schema does not have, and namespaceField
// the namespace of a row.
const (
	dynamicField   = "$meta"
	namespaceField = "$namespace_id"
)

func (c *ReplayCollection) add(f *schemapb.FieldSchema) {
	switch {
	case f.GetName() == namespaceField:
		c.Why = whyNamespace
	case f.GetDataType() == schemapb.DataType_Geometry:
		c.Why = whyGeometry
	}
	if f.GetIsPrimaryKey() {
		c.key, c.keyType, c.AutoID = f.GetName(), f.GetDataType(), f.GetAutoID()
	}
	c.scattered = c.scattered || f.GetIsPartitionKey()
	c.fields = append(c.fields, replayField{
		name: f.GetName(), kind: f.GetDataType().String(), key: f.GetIsPrimaryKey(), dynamic: f.GetIsDynamic(),
		nullable: f.GetNullable() || f.GetDefaultValue() != nil,
	})
}

// functions returns the fields that BM25 functions compute: a streaming node does that, so
// they are not in the log, and come again by themselves.
func (c *ReplayCollection) functions(s *schemapb.CollectionSchema) []string {
	var out []string
	for _, f := range s.GetFunctions() {
		if f.GetType() != schemapb.FunctionType_BM25 {
			c.Why = whyModel
			continue
		}
		out = append(out, f.GetOutputFieldNames()...)
	}
	return out
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

// walKinds are the message queues that a log may be in.
func walKinds(first commonpb.WALName) []commonpb.WALName {
	out := []commonpb.WALName{first}
	for _, w := range []commonpb.WALName{commonpb.WALName_WoodPecker, commonpb.WALName_RocksMQ, commonpb.WALName_Pulsar, commonpb.WALName_Kafka} {
		if w != first && beginning(w) != nil {
			out = append(out, w)
		}
	}
	return out
}
