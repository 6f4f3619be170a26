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
		c.databases[d.name] = newDatabase(d.name, d.id, c.now())
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
			resp.CreatedTimestamp = append(resp.CreatedTimestamp, uint64(c.databases[name].created.UnixNano()))
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
			resp.DbID, resp.CreatedTimestamp = db.id, uint64(db.created.UnixNano())
		} else {
			err = failf(codeDatabaseNotFound, "database not found[database=%s]", req.GetDbName())
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

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

// defaultResourceGroup is there from the start.
const defaultResourceGroup = "__default_resource_group"

// CreateResourceGroup makes a resource group on this cluster alone.
func (service) CreateResourceGroup(ctx context.Context, req *milvuspb.CreateResourceGroupRequest) (*commonpb.Status, error) {
	return localResourceGroup(ctx, kindAlterResourceGroup, func(c *cluster) { c.resourceGroups[req.GetResourceGroup()] = true })
}

// UpdateResourceGroups alters resource groups on this cluster alone.
func (service) UpdateResourceGroups(ctx context.Context, req *milvuspb.UpdateResourceGroupsRequest) (*commonpb.Status, error) {
	return localResourceGroup(ctx, kindAlterResourceGroup, func(c *cluster) {
		for name := range req.GetResourceGroups() {
			c.resourceGroups[name] = true
		}
	})
}

// DropResourceGroup drops a resource group on this cluster alone.
func (service) DropResourceGroup(ctx context.Context, req *milvuspb.DropResourceGroupRequest) (*commonpb.Status, error) {
	return localResourceGroup(ctx, kindDropResourceGroup, func(c *cluster) { delete(c.resourceGroups, req.GetResourceGroup()) })
}

// localResourceGroup changes resource groups, which are not replicated. A primary
// broadcasts the change, and its standbys drop the message; a standby changes its
// own without writing it to any log (querycoordv2/ddl_callbacks.go, milvus.md §3).
func localResourceGroup(ctx context.Context, what kind, change func(*cluster)) (*commonpb.Status, error) {
	c, err := begin(ctx)
	switch {
	case err != nil:
	case c.source() != "":
		change(c)
	default:
		err = c.runDDL(ctx, &onAccess{what: what, change: change})
	}
	return answer(err)
}

// ListResourceGroups lists the resource groups of this cluster.
func (service) ListResourceGroups(ctx context.Context, _ *milvuspb.ListResourceGroupsRequest) (*milvuspb.ListResourceGroupsResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	resp := &milvuspb.ListResourceGroupsResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		resp.ResourceGroups = sortedKeys(c.resourceGroups)
	}
	return resp, err
}
