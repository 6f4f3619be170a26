package milvus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/index"
	"google.golang.org/protobuf/proto"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/milvus/tokens"
)

// contents lists what a cluster holds, as database/collection. Known is set only for a
// token that sees everything: Milvus leaves out what a user has no right to, and such a
// cluster must not pass for empty.
func (l *link) contents(ctx context.Context, t ticket) plan.Contents {
	ctx, cancel := l.fleet.withSeriesTimeout(ctx)
	defer cancel()
	if hidden := l.hides(ctx, t.token); hidden != "" {
		return plan.Contents{Hidden: l.fleet.secrets.Scrub(hidden)}
	}
	databases, err := l.databases(ctx)
	if err != nil {
		return plan.Contents{Hidden: tokens.Text(err)}
	}
	c := plan.Contents{Known: true}
	for _, database := range databases {
		names, err := l.collections(ctx, database)
		if err != nil {
			return plan.Contents{}
		}
		if c.Collections = append(c.Collections, names...); len(c.Collections) > maxCollections {
			return plan.Contents{Hidden: fmt.Sprintf("it lists more than %d collections; reconcile reads no more", maxCollections)}
		}
	}
	slices.Sort(c.Collections)
	return c
}

// maxCollections is twice what a Milvus holds by default
// (quotaAndLimits.limits.maxCollectionNum).
const maxCollections = 131_072

// Names that Milvus gives at its birth.
const (
	rootUser        = "root"
	adminRole       = "admin"
	publicRole      = "public"
	defaultDatabase = "default"
)

// hides says why a cluster may not show everything to a token; empty: it does. A server
// without authentication shows all to every client. Otherwise the roles of the user
// decide, as in Milvus: the role of an administrator sees all, and so does a role with a
// grant for all collections of all databases. Root has no role. Where the server binds it
// by roles nevertheless, it is shown no database, not even the default one, which
// databases demands.
func (l *link) hides(ctx context.Context, token string) string {
	if token == "" {
		return ""
	}
	user, _, named := strings.Cut(token, ":")
	if !named {
		return "the token is an API key, and no call shows its user"
	}
	roles, err := l.rolesOf(ctx, user)
	switch {
	case err != nil:
		return fmt.Sprintf("the roles of %s cannot be read: %v", user, err)
	case slices.Contains(roles, adminRole), user == rootUser && len(roles) == 0:
		return ""
	}
	for _, role := range roles {
		if grants, err := l.grantsOf(ctx, role); err == nil && l.showsAll(ctx, grants) {
			return ""
		}
	}
	return fmt.Sprintf("its user %s (roles: %s) may not see every collection; grant one of them %s for all: %s",
		user, wordsOr(strings.Join(roles, ", "), "none"), release.PrivilegeSeesNames, release.GrantOf(release.PrivilegeSeesNames))
}

func wordsOr(words, none string) string {
	if words == "" {
		return none
	}
	return words
}

// showsAll says whether grants show all collections of all databases: a grant for
// collections, also by a built-in or custom group, or for everything.
func (l *link) showsAll(ctx context.Context, grants []grant) bool {
	return slices.ContainsFunc(grants, func(g grant) bool {
		switch {
		case !g.everywhere():
			return false
		case g.object == collectionObject, g.privilege == everything, strings.HasPrefix(g.privilege, "Collection") && builtinGroup().MatchString(g.privilege):
			return true
		}
		return ofTheServersOwn(g.privilege) && l.isGroup(ctx, g.privilege)
	})
}

func (l *link) databases(ctx context.Context) ([]string, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.Err(err)
	}
	if !slices.Contains(resp.GetDbNames(), defaultDatabase) {
		return nil, fmt.Errorf("the database %q is not listed: the user does not see everything", defaultDatabase)
	}
	return resp.GetDbNames(), nil
}

var collectionObject = commonpb.ObjectType_Collection.String()

// collections lists one database without throwaway collections: those are ours, and a
// crash may have left one.
func (l *link) collections(ctx context.Context, database string) ([]string, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{DbName: database})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.Err(err)
	}
	var out []string
	for _, name := range resp.GetCollectionNames() {
		if !isThrowaway(name) {
			out = append(out, database+"/"+name)
		}
	}
	return out, nil
}

// compareKnownIn compares the collections of one database. A database that is gone lacks
// all of them.
func (f *Fleet) compareKnownIn(ctx context.Context, pass ticket, database string, collections []string) (missing, silent []string, err error) {
	l, err := f.dial(pass)
	if err != nil {
		return nil, nil, err
	}
	defer l.close()
	there, err := l.collections(ctx, database)
	if err != nil {
		databases, goneErr := l.databases(ctx)
		if goneErr != nil || slices.Contains(databases, database) {
			return nil, nil, err
		}
	}
	d, err := f.dialData(pass, database)
	if err != nil {
		return nil, nil, err
	}
	defer d.close()
	for _, name := range collections {
		switch full := database + "/" + name; {
		case !slices.Contains(there, full):
			missing = append(missing, full)
		case !d.answers(ctx, name):
			silent = append(silent, full)
		}
	}
	return missing, silent, nil
}

// answers says whether a collection can be described and, if it is loaded, queried.
func (d *data) answers(ctx context.Context, name string) bool {
	one, cancel := d.withReadTimeout(ctx)
	defer cancel()
	loaded, err := d.isLoaded(one, name)
	if err != nil {
		return false
	}
	if !loaded {
		_, err := d.describeCollection(one, name)
		return err == nil
	}
	_, err = d.query(one, &milvuspb.QueryRequest{
		CollectionName: name, OutputFields: []string{"count(*)"}, UseDefaultConsistency: true,
	})
	return err == nil
}

func flatIndex() index.Index { return index.NewFlatIndex(entity.L2) }

func sortBoth(a, b []string) {
	slices.Sort(a)
	slices.Sort(b)
}

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
	return d.fleet.secrets.Err(err)
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

// replayCollections compares the collections of both clusters by id.
func replayCollections(ctx context.Context, promoted, stale *data, theirs, ours []string) (map[int64]*logrows.Collection, error) {
	there, err := promoted.describeAll(ctx, theirs)
	if err != nil {
		return nil, fmt.Errorf("describe the collections of the promoted cluster: %w", err)
	}
	here, err := stale.describeAll(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("describe the collections of the stale cluster: %w", err)
	}
	return logrows.Compare(there, here), nil
}

// describeAll describes every collection of every database, but not our own. The cluster
// has these channels, in this order.
func (d *data) describeAll(ctx context.Context, pchannels []string) (map[int64]*logrows.Described, error) {
	databases, err := d.databases(ctx)
	if err != nil {
		return nil, err
	}
	out := map[int64]*logrows.Described{}
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
			got.DbName, got.PChannels = database, pchannels
			out[got.GetCollectionID()] = got
		}
	}
	return out, nil
}

func (d *data) describeWhole(ctx context.Context, name string) (*logrows.Described, error) {
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
	out := &logrows.Described{DescribeCollectionResponse: got, Partitions: map[string]int64{}}
	for i, partition := range shown.GetPartitionNames() {
		if i < len(shown.GetPartitionIDs()) {
			out.Partitions[partition] = shown.GetPartitionIDs()[i]
		}
	}
	out.Loaded, err = d.isLoaded(ctx, name)
	return out, err
}
