package milvussim

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// alterAlias is the message that makes an alias or points it elsewhere.
type alterAlias struct {
	database, alias string
	collection      int64
}

func (*alterAlias) kind() kind { return kindAlterAlias }

func (d *alterAlias) apply(c *cluster, _ *broadcast) {
	if db := c.databases[d.database]; db != nil {
		if db.aliases == nil {
			db.aliases = map[string]int64{}
		}
		db.aliases[d.alias] = d.collection
	}
}

type dropAlias struct{ database, alias string }

func (*dropAlias) kind() kind { return kindDropAlias }

func (d *dropAlias) apply(c *cluster, _ *broadcast) {
	if db := c.databases[d.database]; db != nil {
		delete(db.aliases, d.alias)
	}
}

// aliasesOf are the aliases of a collection, in order.
func (db *database) aliasesOf(coll *collection) []string {
	var out []string
	for _, name := range sortedKeys(db.aliases) {
		if db.aliases[name] == coll.id {
			out = append(out, name)
		}
	}
	return out
}

// CreateAlias gives a collection a second name.
func (service) CreateAlias(ctx context.Context, req *milvuspb.CreateAliasRequest) (*commonpb.Status, error) {
	c, coll, err := beginDDLOn(ctx, req)
	if err != nil {
		return answer(err)
	}
	db := c.databases[coll.database]
	if db.collections[req.GetAlias()] != nil {
		return answer(failf(codeAliasConflict, "collection name [%s] conflicts with an existing alias, please choose a unique name: alias and collection name conflict[database=%s][alias=%s]",
			req.GetAlias(), db.name, req.GetAlias()))
	}
	if id, ok := db.aliases[req.GetAlias()]; ok {
		if id == coll.id {
			return success(), nil
		}
		return answer(failf(codeAliasExists, "%s is alias to another collection: alias already exist[database=%s][alias=%s]", req.GetAlias(), db.name, req.GetAlias()))
	}
	return answer(c.runDDL(ctx, &alterAlias{database: db.name, alias: req.GetAlias(), collection: coll.id}))
}

// AlterAlias points an alias that is there at another collection.
func (service) AlterAlias(ctx context.Context, req *milvuspb.AlterAliasRequest) (*commonpb.Status, error) {
	c, coll, err := beginDDLOn(ctx, req)
	if err != nil {
		return answer(err)
	}
	if _, ok := c.databases[coll.database].aliases[req.GetAlias()]; !ok {
		return answer(aliasNotFound(coll.database, req.GetAlias()))
	}
	return answer(c.runDDL(ctx, &alterAlias{database: coll.database, alias: req.GetAlias(), collection: coll.id}))
}

// DropAlias takes an alias away; one that is not there is a success.
func (service) DropAlias(ctx context.Context, req *milvuspb.DropAliasRequest) (*commonpb.Status, error) {
	c, err := beginDDL(ctx)
	if err != nil {
		return answer(err)
	}
	db := c.databases[databaseOf(ctx, req)]
	if db == nil {
		return answer(failf(codeDatabaseNotFound, "database not found[database=%s]", databaseOf(ctx, req)))
	}
	if _, ok := db.aliases[req.GetAlias()]; !ok {
		return success(), nil
	}
	return answer(c.runDDL(ctx, &dropAlias{database: db.name, alias: req.GetAlias()}))
}

// DescribeAlias tells the collection of an alias.
func (service) DescribeAlias(ctx context.Context, req *milvuspb.DescribeAliasRequest) (*milvuspb.DescribeAliasResponse, error) {
	c, err := begin(ctx)
	name := databaseOf(ctx, req)
	resp := &milvuspb.DescribeAliasResponse{DbName: name, Alias: req.GetAlias()}
	if err == nil {
		if coll := c.databases[name].aliased(req.GetAlias()); coll != nil {
			resp.Collection = coll.name
		} else {
			err = aliasNotFound(name, req.GetAlias())
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

// ListAliases lists the aliases of a collection, or of a database.
func (service) ListAliases(ctx context.Context, req *milvuspb.ListAliasesRequest) (*milvuspb.ListAliasesResponse, error) {
	c, err := begin(ctx)
	name := databaseOf(ctx, req)
	resp := &milvuspb.ListAliasesResponse{DbName: name, CollectionName: req.GetCollectionName()}
	var coll *collection
	if err == nil && req.GetCollectionName() != "" {
		coll, err = c.find(name, req.GetCollectionName(), 0)
	}
	if err == nil {
		if db := c.databases[name]; db == nil {
			err = failf(codeDatabaseNotFound, "database not found[database=%s]", name)
		} else if coll == nil {
			resp.Aliases = sortedKeys(db.aliases)
		} else {
			resp.Aliases = db.aliasesOf(coll)
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

func aliasNotFound(db, alias string) error {
	return failf(codeAliasNotFound, "alias not found[database=%s][alias=%s]", db, alias)
}

// aliased is the collection of an alias, or nil.
func (db *database) aliased(alias string) *collection {
	if db == nil {
		return nil
	}
	id, ok := db.aliases[alias]
	if !ok {
		return nil
	}
	return db.byID(id)
}

func (db *database) byID(id int64) *collection {
	for _, name := range sortedKeys(db.collections) {
		if coll := db.collections[name]; coll.id == id {
			return coll
		}
	}
	return nil
}
