package milvussim

import (
	"context"
	"slices"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/proto"
)

// beginCollection is the start of a call about one collection.
func beginCollection(ctx context.Context, req interface{ GetCollectionName() string }) (*cluster, *collection, error) {
	c, err := begin(ctx)
	if err != nil {
		return c, nil, err
	}
	coll, err := c.find(databaseOf(ctx, req), req.GetCollectionName(), 0)
	return c, coll, err
}

// CreateCollection makes a collection with its shards on the least used
// channels.
func (service) CreateCollection(ctx context.Context, req *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
	c, err := begin(ctx)
	if err != nil {
		return answer(err)
	}
	db := databaseOf(ctx, req)
	if c.databases[db] == nil {
		return answer(failf(codeDatabaseNotFound, "database not found[database=%s]", db))
	}
	schema, err := parseSchema(req.GetSchema(), req.GetCollectionName())
	if err != nil {
		return answer(err)
	}
	shards := max(int(req.GetShardsNum()), 1)
	if shards > maxShards || shards > len(c.channels) {
		return answer(failf(codeInvalidParameter, "maximum shards's number should be limited to %d: invalid parameter", min(maxShards, len(c.channels))))
	}
	if known := c.databases[db].collections[req.GetCollectionName()]; known != nil && c.source() == "" {
		if proto.Equal(known.schema, schema) && len(known.shards) == shards {
			return success(), nil
		}
		return answer(failf(codeUnexpected, "create duplicate collection with different parameters, collection: %s", known.name))
	}
	d := &createCollection{
		database: db, name: req.GetCollectionName(), id: c.newID(), partitionID: c.newID(), schema: schema,
		consistency: req.GetConsistencyLevel(), properties: req.GetProperties(), shards: c.leastUsed(shards),
	}
	return answer(c.runDDL(ctx, d, d.shards...))
}

// DropCollection drops a collection; one that is not there is a success.
func (service) DropCollection(ctx context.Context, req *milvuspb.DropCollectionRequest) (*commonpb.Status, error) {
	c, err := beginDDL(ctx)
	if err != nil {
		return answer(err)
	}
	name := req.GetCollectionName()
	coll, missing := c.find(databaseOf(ctx, req), name, 0)
	if missing != nil {
		return success(), nil
	}
	db := c.databases[coll.database]
	if db.aliased(name) != nil {
		return answer(failf(codeUnexpected, "cannot drop the collection via alias = %s", name))
	}
	if aliases := db.aliasesOf(coll); len(aliases) > 0 {
		return answer(failf(codeUnexpected, "unable to drop the collection [%s] because it has associated aliases %v, please remove all aliases before dropping the collection",
			name, aliases))
	}
	return answer(c.runDDL(ctx, &dropCollection{database: coll.database, name: coll.name, collection: coll.id}, coll.shards...))
}

// HasCollection reports whether a collection is there.
func (service) HasCollection(ctx context.Context, req *milvuspb.HasCollectionRequest) (*milvuspb.BoolResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	if err != nil || st.GetCode() != 0 {
		return &milvuspb.BoolResponse{Status: st}, err
	}
	_, missing := c.find(databaseOf(ctx, req), req.GetCollectionName(), 0)
	return &milvuspb.BoolResponse{Status: st, Value: missing == nil}, nil
}

// DescribeCollection tells schema and channels; the physical channel names
// prove which cluster answers.
func (service) DescribeCollection(ctx context.Context, req *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
	c, err := begin(ctx)
	var coll *collection
	if err == nil {
		coll, err = c.find(databaseOf(ctx, req), req.GetCollectionName(), req.GetCollectionID())
	}
	st, err := split(err)
	if err != nil || st.GetCode() != 0 {
		return &milvuspb.DescribeCollectionResponse{Status: st}, err
	}
	virtual, physical := coll.vchannels(c)
	return &milvuspb.DescribeCollectionResponse{
		Status: st, Schema: coll.schema, CollectionID: coll.id, CollectionName: coll.name, DbName: coll.database,
		VirtualChannelNames: virtual, PhysicalChannelNames: physical, ShardsNum: int32(len(coll.shards)),
		CreatedTimestamp: coll.tick, CreatedUtcTimestamp: uint64(TickTime(coll.tick).UnixMilli()),
		UpdateTimestamp: coll.changed, ConsistencyLevel: coll.consistency, Properties: coll.properties,
		NumPartitions: int64(len(coll.partitions)), Aliases: c.databases[coll.database].aliasesOf(coll),
	}, nil
}

// ShowCollections lists the collections that the user may see.
func (service) ShowCollections(ctx context.Context, req *milvuspb.ShowCollectionsRequest) (*milvuspb.ShowCollectionsResponse, error) {
	c, err := begin(ctx)
	db := databaseOf(ctx, req)
	if err == nil && c.databases[db] == nil {
		err = failf(codeDatabaseNotFound, "database not found[database=%s]", db)
	}
	st, err := split(err)
	resp := &milvuspb.ShowCollectionsResponse{Status: st}
	if err != nil || st.GetCode() != 0 {
		return resp, err
	}
	for _, name := range sortedKeys(c.databases[db].collections) {
		coll := c.databases[db].collections[name]
		if !c.sees(rpcOf(ctx).user, db, name) || req.GetType() == milvuspb.ShowType_InMemory && !coll.loaded {
			continue
		}
		resp.CollectionNames = append(resp.CollectionNames, name)
		resp.CollectionIds = append(resp.CollectionIds, coll.id)
		resp.CreatedTimestamps = append(resp.CreatedTimestamps, coll.tick)
		resp.CreatedUtcTimestamps = append(resp.CreatedUtcTimestamps, uint64(TickTime(coll.tick).UnixMilli()))
		//lint:ignore SA1019 the SDKs still read it
		resp.InMemoryPercentages = append(resp.InMemoryPercentages, coll.progress())
		resp.QueryServiceAvailable = append(resp.QueryServiceAvailable, coll.loaded)
		resp.ShardsNum = append(resp.ShardsNum, int32(len(coll.shards)))
	}
	return resp, nil
}

// GetCollectionStatistics tells the number of rows.
func (service) GetCollectionStatistics(ctx context.Context, req *milvuspb.GetCollectionStatisticsRequest) (*milvuspb.GetCollectionStatisticsResponse, error) {
	c, coll, err := beginCollection(ctx, req)
	st, err := split(err)
	resp := &milvuspb.GetCollectionStatisticsResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		resp.Stats = []*commonpb.KeyValuePair{{Key: "row_count", Value: strconv.Itoa(coll.count(c))}}
	}
	return resp, err
}

// beginDDL is the start of a call that broadcasts. The role is looked at before
// anything else: on a standby even what is not there is refused as not primary
// (internal/rootcoord startBroadcastWith…, milvus.md §3).
func beginDDL(ctx context.Context) (*cluster, error) {
	c, err := begin(ctx)
	if err == nil && c.source() != "" {
		err = failf(codeUnexpected, "failed to start broadcast with collection lock: %s", textNotPrimaryDDL)
	}
	return c, err
}

// beginDDLOn is beginDDL for a call about one collection.
func beginDDLOn(ctx context.Context, req interface{ GetCollectionName() string }) (*cluster, *collection, error) {
	c, err := beginDDL(ctx)
	if err != nil {
		return c, nil, err
	}
	coll, err := c.find(databaseOf(ctx, req), req.GetCollectionName(), 0)
	return c, coll, err
}

// moveCollection is the AlterCollection message of a rename, within a database or
// into another one.
type moveCollection struct {
	collection     int64
	from, database string
	name           string
}

func (*moveCollection) kind() kind { return kindAlterCollection }

func (d *moveCollection) apply(c *cluster, _ *broadcast) {
	from, to := c.databases[d.from], c.databases[d.database]
	if from == nil || to == nil {
		return
	}
	coll := from.byID(d.collection)
	if coll == nil {
		return
	}
	delete(from.collections, coll.name)
	coll.name, coll.database = d.name, d.database
	to.collections[d.name] = coll
}

// RenameCollection renames a collection, or moves it to another database.
func (service) RenameCollection(ctx context.Context, req *milvuspb.RenameCollectionRequest) (*commonpb.Status, error) {
	c, err := beginDDL(ctx)
	if err != nil {
		return answer(err)
	}
	from := databaseOf(ctx, req)
	coll, err := c.find(from, req.GetOldName(), 0)
	if err != nil {
		return answer(err)
	}
	to := req.GetNewDBName()
	if to == "" {
		to = from
	}
	db := c.databases[to]
	switch {
	case db == nil:
		return answer(failf(codeDatabaseNotFound, "database not found[database=%s]", to))
	case db.collections[req.GetNewName()] != nil:
		return answer(failf(codeUnexpected, "duplicated new collection name %s:%s with other collection name or alias", to, req.GetNewName()))
	case db.aliased(req.GetNewName()) != nil:
		return answer(failf(codeUnexpected, "cannot rename collection to an existing alias: %s", req.GetNewName()))
	case to != from && len(c.databases[from].aliasesOf(coll)) > 0:
		return answer(failf(codeUnexpected, "fail to rename db name, must drop all aliases of this collection before rename"))
	}
	return answer(c.runDDL(ctx, &moveCollection{collection: coll.id, from: from, database: to, name: req.GetNewName()}, coll.shards...))
}

// AlterCollection sets and deletes properties of a collection.
func (service) AlterCollection(ctx context.Context, req *milvuspb.AlterCollectionRequest) (*commonpb.Status, error) {
	c, coll, err := beginDDLOn(ctx, req)
	if err != nil {
		return answer(err)
	}
	if len(req.GetProperties()) > 0 == (len(req.GetDeleteKeys()) > 0) {
		return answer(failf(codeInvalidParameter, "exactly one of properties and delete keys must be given: invalid parameter"))
	}
	return answer(c.alter(ctx, coll, kindAlterCollection, func(coll *collection) {
		coll.properties = altered(coll.properties, req.GetProperties(), req.GetDeleteKeys())
	}, coll.shards...))
}

// altered is a list of properties with some set and some deleted; it shares
// nothing with the old one, which clusters that replicate may hold too.
func altered(old, set []*commonpb.KeyValuePair, drop []string) []*commonpb.KeyValuePair {
	out := slices.DeleteFunc(slices.Clone(old), func(p *commonpb.KeyValuePair) bool {
		replaced := slices.ContainsFunc(set, func(s *commonpb.KeyValuePair) bool { return s.GetKey() == p.GetKey() })
		return replaced || slices.Contains(drop, p.GetKey())
	})
	return append(out, set...)
}

// dropPartition is the message of that name; unlike other changes of a
// collection it takes rows away in each channel.
type dropPartition struct {
	onCollection
	partition int64
}

// CreatePartition adds a partition.
func (service) CreatePartition(ctx context.Context, req *milvuspb.CreatePartitionRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err != nil {
		return answer(err)
	}
	p := partition{id: c.newID(), name: req.GetPartitionName()}
	return answer(c.alter(ctx, coll, kindCreatePartition, func(coll *collection) {
		if _, err := coll.partition(p.name); err != nil {
			coll.partitions = append(coll.partitions, p)
		}
	}, coll.shards...))
}

// DropPartition drops a partition with its rows; one that is not there is a
// success.
func (service) DropPartition(ctx context.Context, req *milvuspb.DropPartitionRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err != nil {
		return answer(err)
	}
	p, missing := coll.partition(req.GetPartitionName())
	if missing != nil {
		return success(), nil
	}
	d := &dropPartition{partition: p.id, onCollection: onCollection{
		what: kindDropPartition, collection: coll.id,
		change: func(coll *collection) {
			coll.partitions = slices.DeleteFunc(coll.partitions, func(o partition) bool { return o.id == p.id })
		},
	}}
	return answer(c.runDDL(ctx, d, coll.shards...))
}

// HasPartition reports whether a partition is there.
func (service) HasPartition(ctx context.Context, req *milvuspb.HasPartitionRequest) (*milvuspb.BoolResponse, error) {
	_, coll, err := beginCollection(ctx, req)
	st, err := split(err)
	resp := &milvuspb.BoolResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		_, missing := coll.partition(req.GetPartitionName())
		resp.Value = missing == nil
	}
	return resp, err
}

// ShowPartitions lists the partitions of a collection.
func (service) ShowPartitions(ctx context.Context, req *milvuspb.ShowPartitionsRequest) (*milvuspb.ShowPartitionsResponse, error) {
	_, coll, err := beginCollection(ctx, req)
	st, err := split(err)
	resp := &milvuspb.ShowPartitionsResponse{Status: st}
	if err != nil || st.GetCode() != 0 {
		return resp, err
	}
	for _, p := range coll.partitions {
		resp.PartitionNames = append(resp.PartitionNames, p.name)
		resp.PartitionIDs = append(resp.PartitionIDs, p.id)
		resp.CreatedTimestamps = append(resp.CreatedTimestamps, coll.tick)
		resp.CreatedUtcTimestamps = append(resp.CreatedUtcTimestamps, uint64(TickTime(coll.tick).UnixMilli()))
		//lint:ignore SA1019 the SDKs still read it
		resp.InMemoryPercentages = append(resp.InMemoryPercentages, coll.progress())
	}
	return resp, nil
}
