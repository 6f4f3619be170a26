package milvussim

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

type createDatabase struct {
	name string
	id   int64
}

func (*createDatabase) kind() kind { return kindCreateDatabase }

func (d *createDatabase) apply(c *cluster, _ *broadcast) {
	if c.databases[d.name] == nil {
		c.databases[d.name] = &database{name: d.name, id: d.id, collections: map[string]*collection{}}
	}
}

type dropDatabase struct{ name string }

func (*dropDatabase) kind() kind { return kindDropDatabase }

func (d *dropDatabase) apply(c *cluster, _ *broadcast) { delete(c.databases, d.name) }

// CreateDatabase makes a database.
func (service) CreateDatabase(ctx context.Context, req *milvuspb.CreateDatabaseRequest) (*commonpb.Status, error) {
	c, err := begin(ctx)
	if err != nil {
		return answer(err)
	}
	if c.databases[req.GetDbName()] != nil && c.source() == "" {
		return answer(failf(codeUnexpected, "database already exist: %s", req.GetDbName()))
	}
	return answer(c.runDDL(ctx, &createDatabase{name: req.GetDbName(), id: c.newID()}))
}

// DropDatabase drops a database that has no collections.
func (service) DropDatabase(ctx context.Context, req *milvuspb.DropDatabaseRequest) (*commonpb.Status, error) {
	c, err := beginDDL(ctx)
	if err != nil {
		return answer(err)
	}
	db := c.databases[req.GetDbName()]
	switch {
	case req.GetDbName() == defaultDatabase:
		return answer(failf(codeInvalidParameter, "can not drop default database: invalid parameter"))
	case db == nil:
		return answer(failf(codeDatabaseNotFound, "database not found[database=%s]", req.GetDbName()))
	case len(db.collections) > 0:
		return answer(failf(codeUnexpected, "database:%s not empty, must drop all collections before drop database", db.name))
	}
	return answer(c.runDDL(ctx, &dropDatabase{name: db.name}))
}

// ListDatabases lists the databases that the user may see.
func (service) ListDatabases(ctx context.Context, _ *milvuspb.ListDatabasesRequest) (*milvuspb.ListDatabasesResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	if err != nil || st.GetCode() != 0 {
		return &milvuspb.ListDatabasesResponse{Status: st}, err
	}
	resp := &milvuspb.ListDatabasesResponse{Status: st}
	for _, name := range sortedKeys(c.databases) {
		if c.seesDatabase(rpcOf(ctx).user, name) {
			resp.DbNames = append(resp.DbNames, name)
			resp.CreatedTimestamp = append(resp.CreatedTimestamp, uint64(c.databases[name].id))
			resp.DbIds = append(resp.DbIds, c.databases[name].id)
		}
	}
	return resp, nil
}

// DescribeDatabase tells the id of a database.
func (service) DescribeDatabase(ctx context.Context, req *milvuspb.DescribeDatabaseRequest) (*milvuspb.DescribeDatabaseResponse, error) {
	c, err := begin(ctx)
	resp := &milvuspb.DescribeDatabaseResponse{DbName: req.GetDbName()}
	if err == nil {
		if db := c.databases[req.GetDbName()]; db != nil {
			resp.DbID = db.id
		} else {
			err = failf(codeDatabaseNotFound, "database not found[database=%s]", req.GetDbName())
		}
	}
	resp.Status, err = split(err)
	return resp, err
}
