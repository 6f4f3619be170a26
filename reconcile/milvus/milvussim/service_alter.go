package milvussim

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

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
