package milvus

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/index"
)

// data is one short-lived connection for calls on the collections of one
// database. The Milvus client's packages entity, column and index write the
// schemas, rows and indexes; the generated stubs send them. The client's own
// package milvusclient is not linked: it takes an etcd server with it, and it
// resends by itself (docs/performance.md, "What the binary links").
type data struct {
	*link
	database string // "": the default one
}

// dialData prepares a connection for one database; it is made with the first
// call. Close it.
func (f *Fleet) dialData(t ticket, database string) (*data, error) {
	l, err := f.dial(t)
	if err != nil {
		return nil, err
	}
	return &data{link: l, database: database}, nil
}

// refusal returns the error of a call: that of gRPC, or the one in the status of its
// answer. It holds no token.
func (d *data) refusal(status *commonpb.Status, err error) error {
	if err == nil {
		err = classifyStatus(status).err
	}
	return d.fleet.secrets.err(err)
}

func (d *data) createCollection(ctx context.Context, schema *entity.Schema, shards int) error {
	encoded, err := proto.Marshal(schema.ProtoMessage())
	if err != nil {
		return fmt.Errorf("encode the schema of %s: %w", schema.CollectionName, err)
	}
	status, err := d.api.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{
		DbName: d.database, CollectionName: schema.CollectionName, Schema: encoded,
		ShardsNum:        int32(shards), //nolint:gosec // at most maxShards
		ConsistencyLevel: entity.DefaultConsistencyLevel.CommonConsistencyLevel(),
	})
	return d.refusal(status, err)
}

func (d *data) dropCollection(ctx context.Context, name string) error {
	status, err := d.api.DropCollection(ctx, &milvuspb.DropCollectionRequest{DbName: d.database, CollectionName: name})
	return d.refusal(status, err)
}

// listCollections lists the database, throwaway collections included.
func (d *data) listCollections(ctx context.Context) ([]string, error) {
	shown, err := d.api.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{DbName: d.database})
	return shown.GetCollectionNames(), d.refusal(shown.GetStatus(), err)
}

func (d *data) describeCollection(ctx context.Context, name string) (*milvuspb.DescribeCollectionResponse, error) {
	described, err := d.api.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{DbName: d.database, CollectionName: name})
	return described, d.refusal(described.GetStatus(), err)
}

func (d *data) createIndex(ctx context.Context, collection, field string, definition index.Index) error {
	status, err := d.api.CreateIndex(ctx, &milvuspb.CreateIndexRequest{
		DbName: d.database, CollectionName: collection, FieldName: field, ExtraParams: entity.MapKvPairs(definition.Params()),
	})
	return d.refusal(status, err)
}

// startLoading asks for a collection to be loaded, and does not wait for that.
func (d *data) startLoading(ctx context.Context, collection string) error {
	status, err := d.api.LoadCollection(ctx, &milvuspb.LoadCollectionRequest{DbName: d.database, CollectionName: collection})
	return d.refusal(status, err)
}

func (d *data) isLoaded(ctx context.Context, collection string) (bool, error) {
	state, err := d.api.GetLoadState(ctx, &milvuspb.GetLoadStateRequest{DbName: d.database, CollectionName: collection})
	return state.GetState() == commonpb.LoadState_LoadStateLoaded, d.refusal(state.GetStatus(), err)
}

func (d *data) insert(ctx context.Context, collection string, columns ...column.Column) error {
	fields := make([]*schemapb.FieldData, len(columns))
	for i, c := range columns {
		fields[i] = c.FieldData()
	}
	result, err := d.api.Insert(ctx, &milvuspb.InsertRequest{
		DbName: d.database, CollectionName: collection, FieldsData: fields,
		NumRows: uint32(columns[0].Len()), //nolint:gosec // one row
	})
	return d.refusal(result.GetStatus(), err)
}

// query counts the rows that a filter selects.
func (d *data) query(ctx context.Context, request *milvuspb.QueryRequest) (rows int, err error) {
	request.DbName = d.database
	result, err := d.api.Query(ctx, request)
	if err := d.refusal(result.GetStatus(), err); err != nil {
		return 0, err
	}
	if len(result.GetFieldsData()) == 0 {
		return 0, nil
	}
	first, err := column.FieldDataColumn(result.GetFieldsData()[0], 0, -1)
	if err != nil {
		return 0, fmt.Errorf("read the rows of the answer: %w", err)
	}
	return first.Len(), nil
}
