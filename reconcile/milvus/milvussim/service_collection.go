package milvussim

import (
	"context"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
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

// HasCollection tells whether a collection is there.
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
		UpdateTimestamp: coll.tick, ConsistencyLevel: coll.consistency, Properties: coll.properties,
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
		if !c.sees(rpcOf(ctx).user, db, name) {
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
