package milvus

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
)

// inventory collects what a cluster holds, from several calls at once.
type inventory struct {
	*auditCluster
	mu  sync.Mutex
	out audit.Inventory
}

// Inventory reads what the cluster holds.
func (c *auditCluster) Inventory(ctx context.Context) audit.Inventory {
	v := &inventory{auditCluster: c, out: audit.Inventory{Cluster: c.cluster.ID}}
	if why := c.hides(ctx, c.token); why != "" {
		v.gap("", "", fmt.Errorf("not everything is seen: %s", c.fleet.secrets.Scrub(why)))
	}
	parallel.Run(
		func() { v.collections(ctx) },
		func() { v.users(ctx) },
		func() { v.roles(ctx) },
		func() { v.privilegeGroups(ctx) },
		func() { v.resourceGroups(ctx) },
	)
	v.imports(ctx)
	slices.SortFunc(v.out.Collections, func(a, b audit.Collection) int { return strings.Compare(a.Name, b.Name) })
	return v.out
}

func (v *inventory) item(k audit.Kind, collection, name string, facts ...audit.Fact) {
	facts = slices.DeleteFunc(facts, func(f audit.Fact) bool { return f.Value == "" })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Items = append(v.out.Items, audit.Item{Kind: k, Collection: collection, Name: name, Facts: facts})
}

func (v *inventory) gap(k audit.Kind, collection string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Unread = append(v.out.Unread, audit.Gap{Kind: k, Collection: collection, Why: tokens.Text(err)})
}

// statusAnswer is an answer of Milvus.
type statusAnswer interface{ GetStatus() *commonpb.Status }

// called makes one call within the read timeout.
func called[Req any, Resp statusAnswer](ctx context.Context, c *auditCluster, call func(context.Context, Req, ...grpc.CallOption) (Resp, error), req Req) (Resp, error) {
	ctx, cancel := c.withReadTimeout(ctx)
	defer cancel()
	resp, err := call(ctx, req)
	return resp, c.failed(classifyStatus(resp.GetStatus()), err)
}

// users lists users with their roles. No call tells a password.
func (v *inventory) users(ctx context.Context) {
	resp, err := called(ctx, v.auditCluster, v.api.SelectUser, &milvuspb.SelectUserRequest{IncludeRoleInfo: true})
	if err != nil {
		v.gap(audit.KindUser, "", fmt.Errorf("list users: %w", err))
	}
	for _, u := range resp.GetResults() {
		var roles []string
		for _, r := range u.GetRoles() {
			roles = append(roles, r.GetName())
		}
		slices.Sort(roles)
		v.item(audit.KindUser, "", u.GetUser().GetName(), audit.Fact{Name: "roles", Value: strings.Join(roles, ", ")})
	}
}

// roles lists roles with their grants.
func (v *inventory) roles(ctx context.Context) {
	resp, err := called(ctx, v.auditCluster, v.api.SelectRole, &milvuspb.SelectRoleRequest{})
	if err != nil {
		v.gap(audit.KindRole, "", fmt.Errorf("list roles: %w", err))
		v.gap(audit.KindGrant, "", fmt.Errorf("list roles: %w", err))
	}
	for _, r := range resp.GetResults() {
		name := r.GetRole().GetName()
		v.item(audit.KindRole, "", name)
		grants, err := v.grantsOf(ctx, name)
		if err != nil {
			v.gap(audit.KindGrant, "", fmt.Errorf("list the grants of role %s: %w", name, err))
		}
		for _, g := range grants {
			v.item(audit.KindGrant, "", fmt.Sprintf("%s to role %s for %s %s in %s", g.privilege, name, g.object, wordsOr(g.name, everything), wordsOr(g.database, everything)))
		}
	}
}

func (v *inventory) privilegeGroups(ctx context.Context) {
	groups, err := v.groups(ctx)
	if err != nil {
		v.gap(audit.KindPrivilegeGroup, "", fmt.Errorf("list privilege groups: %w", err))
	}
	for name, holds := range groups {
		slices.Sort(holds)
		v.item(audit.KindPrivilegeGroup, "", name, audit.Fact{Name: "privileges", Value: strings.Join(holds, ", ")})
	}
}

func (v *inventory) resourceGroups(ctx context.Context) {
	resp, err := called(ctx, v.auditCluster, v.api.ListResourceGroups, &milvuspb.ListResourceGroupsRequest{})
	if err != nil {
		v.gap(audit.KindResourceGroup, "", fmt.Errorf("list resource groups: %w", err))
	}
	for _, name := range resp.GetResourceGroups() {
		v.item(audit.KindResourceGroup, "", name)
	}
}

// imports counts the imports in flight. One call tells how many there are, which is
// returned; which collections they fill is asked only if there are any.
func (v *inventory) imports(ctx context.Context) (inFlight int) {
	running, uncommitted, err := v.importsOf(ctx, "", "")
	if err != nil {
		v.gap(audit.KindImport, "", fmt.Errorf("list imports: %w", err))
	}
	if inFlight = running + uncommitted; inFlight == 0 {
		return 0
	}
	parallel.Each(len(v.out.Collections), v.fleet.concurrency, func(i int) {
		full := v.out.Collections[i].Name
		database, name, _ := strings.Cut(full, "/")
		running, uncommitted, err := v.importsOf(ctx, database, name)
		if err != nil {
			v.gap(audit.KindImport, full, fmt.Errorf("list its imports: %w", err))
		}
		if running+uncommitted > 0 {
			v.item(audit.KindImport, full, "imports",
				audit.Fact{Name: audit.FactRunning, Value: strconv.Itoa(running)}, audit.Fact{Name: audit.FactUncommitted, Value: strconv.Itoa(uncommitted)})
		}
	})
	return inFlight
}

// waitsForCommit is the progress of an import that waits for its commit, or commits: this
// older call has no state for it and says that it failed, where one that did has a progress
// of 0 (milvus.md §3).
const waitsForCommit = "99"

func (v *inventory) importsOf(ctx context.Context, database, name string) (running, uncommitted int, err error) {
	resp, err := called(ctx, v.auditCluster, v.api.ListImportTasks, &milvuspb.ListImportTasksRequest{DbName: database, CollectionName: name})
	for _, task := range resp.GetTasks() {
		progress := ""
		for _, info := range task.GetInfos() {
			if info.GetKey() == "progress_percent" {
				progress = info.GetValue()
			}
		}
		switch state := task.GetState(); {
		case state == commonpb.ImportState_ImportFailed && progress == waitsForCommit:
			uncommitted++
		case state == commonpb.ImportState_ImportPending, state == commonpb.ImportState_ImportStarted:
			running++
		}
	}
	return running, uncommitted, err
}

// collections lists the databases and their collections, and reads each.
func (v *inventory) collections(ctx context.Context) {
	databases, err := called(ctx, v.auditCluster, v.api.ListDatabases, &milvuspb.ListDatabasesRequest{})
	if err != nil {
		v.gap("", "", fmt.Errorf("list databases: %w", err))
	}
	type named struct{ database, name string }
	var all []named
	for _, database := range databases.GetDbNames() {
		v.database(ctx, database)
		shown, err := called(ctx, v.auditCluster, v.api.ShowCollections, &milvuspb.ShowCollectionsRequest{DbName: database})
		if err != nil {
			v.gap("", "", fmt.Errorf("list the collections of %s: %w", database, err))
		}
		for _, name := range shown.GetCollectionNames() {
			if !isThrowaway(name) {
				all = append(all, named{database, name})
			}
		}
	}
	parallel.Each(len(all), v.fleet.concurrency, func(i int) { v.collection(ctx, all[i].database, all[i].name) })
}

func (v *inventory) database(ctx context.Context, name string) {
	resp, err := called(ctx, v.auditCluster, v.api.DescribeDatabase, &milvuspb.DescribeDatabaseRequest{DbName: name})
	if err != nil {
		v.gap(audit.KindDatabase, "", fmt.Errorf("describe the database %s: %w", name, err))
		return
	}
	v.item(audit.KindDatabase, "", name, propertyFacts(resp.GetProperties())...)
}

// collection reads one collection with all that belongs to it.
func (v *inventory) collection(ctx context.Context, database, name string) {
	full := database + "/" + name
	resp, err := called(ctx, v.auditCluster, v.api.DescribeCollection, &milvuspb.DescribeCollectionRequest{DbName: database, CollectionName: name})
	if err != nil {
		v.gap("", full, fmt.Errorf("describe it: %w", err))
		return
	}
	c := v.schema(full, resp)
	v.partitions(ctx, database, name, full)
	v.indexes(ctx, database, name, full)
	c.Loaded = v.load(ctx, database, name, full)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Collections = append(v.out.Collections, c)
}

// schema notes what a collection is, and returns it for the comparison of its rows.
func (v *inventory) schema(full string, d *milvuspb.DescribeCollectionResponse) audit.Collection {
	s := d.GetSchema()
	facts := append(propertyFacts(d.GetProperties()),
		audit.Fact{Name: "description", Value: s.GetDescription()},
		audit.Fact{Name: "shards", Value: strconv.Itoa(int(d.GetShardsNum()))},
		audit.Fact{Name: "consistency", Value: d.GetConsistencyLevel().String()},
		audit.Fact{Name: "dynamic field", Value: strconv.FormatBool(s.GetEnableDynamicField())},
	)
	v.item(audit.KindCollection, full, full, facts...)
	for _, alias := range d.GetAliases() {
		v.item(audit.KindAlias, full, alias)
	}
	for _, f := range s.GetFunctions() {
		v.item(audit.KindFunction, full, f.GetName(), functionFacts(f)...)
	}
	c := audit.Collection{Name: full, ID: d.GetCollectionID()}
	for _, p := range d.GetProperties() {
		seconds, err := strconv.Atoi(p.GetValue())
		c.Expires = c.Expires || p.GetKey() == logrows.TTLProperty && (err != nil || seconds > 0)
	}
	for _, f := range s.GetFields() {
		v.item(audit.KindField, full, f.GetName(), fieldFacts(f)...)
		if !f.GetIsFunctionOutput() { // a query does not give it
			c.Fields = append(c.Fields, f.GetName())
		}
		if f.GetIsPrimaryKey() && (f.GetDataType() == schemapb.DataType_Int64 || f.GetDataType() == schemapb.DataType_VarChar) {
			c.Key, c.KeyText = f.GetName(), f.GetDataType() == schemapb.DataType_VarChar
		}
	}
	for _, f := range s.GetStructArrayFields() {
		v.item(audit.KindField, full, f.GetName(), audit.Fact{Name: "type", Value: "ArrayOfStruct"})
		c.Fields = append(c.Fields, f.GetName())
		for _, sub := range f.GetFields() {
			v.item(audit.KindField, full, f.GetName()+"."+sub.GetName(), fieldFacts(sub)...)
		}
	}
	if s.GetEnableDynamicField() {
		c.Fields = append(c.Fields, logrows.DynamicField)
	}
	return c
}

func propertyFacts(properties []*commonpb.KeyValuePair) []audit.Fact {
	out := make([]audit.Fact, 0, len(properties))
	for _, p := range properties {
		out = append(out, audit.Fact{Name: p.GetKey(), Value: p.GetValue()})
	}
	return out
}

func fieldFacts(f *schemapb.FieldSchema) []audit.Fact {
	kind := f.GetDataType().String()
	if f.GetDataType() == schemapb.DataType_Array || f.GetDataType() == schemapb.DataType_ArrayOfVector {
		kind += " of " + f.GetElementType().String()
	}
	out := append(propertyFacts(f.GetTypeParams()), audit.Fact{Name: "type", Value: kind})
	for name, is := range map[string]bool{
		"primary key": f.GetIsPrimaryKey(), "auto-ID": f.GetAutoID(), "partition key": f.GetIsPartitionKey(), "clustering key": f.GetIsClusteringKey(),
		"nullable": f.GetNullable(), "function output": f.GetIsFunctionOutput(),
	} {
		if is {
			out = append(out, audit.Fact{Name: name, Value: "yes"})
		}
	}
	if f.GetDefaultValue() != nil {
		out = append(out, audit.Fact{Name: "default", Value: strconv.Quote(string(logrows.EncodeMessage(nil, f.GetDefaultValue())))})
	}
	return out
}

func functionFacts(f *schemapb.FunctionSchema) []audit.Fact {
	return append(propertyFacts(f.GetParams()),
		audit.Fact{Name: "type", Value: f.GetType().String()},
		audit.Fact{Name: "input", Value: strings.Join(f.GetInputFieldNames(), ", ")},
		audit.Fact{Name: "output", Value: strings.Join(f.GetOutputFieldNames(), ", ")},
	)
}

func (v *inventory) partitions(ctx context.Context, database, name, full string) {
	resp, err := called(ctx, v.auditCluster, v.api.ShowPartitions, &milvuspb.ShowPartitionsRequest{DbName: database, CollectionName: name})
	if err != nil {
		v.gap(audit.KindPartition, full, fmt.Errorf("list its partitions: %w", err))
	}
	for _, p := range resp.GetPartitionNames() {
		v.item(audit.KindPartition, full, p)
	}
}

// codeIndexNotFound says that a collection has no index (milvus.md §7).
const codeIndexNotFound = 700

func (v *inventory) indexes(ctx context.Context, database, name, full string) {
	resp, err := called(ctx, v.auditCluster, v.api.DescribeIndex, &milvuspb.DescribeIndexRequest{DbName: database, CollectionName: name})
	if resp.GetStatus().GetCode() == codeIndexNotFound {
		return
	}
	if err != nil {
		v.gap(audit.KindIndex, full, fmt.Errorf("describe its indexes: %w", err))
	}
	for _, i := range resp.GetIndexDescriptions() {
		v.item(audit.KindIndex, full, i.GetIndexName(), append(propertyFacts(i.GetParams()),
			audit.Fact{Name: audit.FactField, Value: i.GetFieldName()}, audit.Fact{Name: audit.FactState, Value: indexState(i.GetState())})...)
	}
}

func indexState(s commonpb.IndexState) string {
	switch s {
	case commonpb.IndexState_Finished:
		return audit.FinishedIndex
	case commonpb.IndexState_Failed:
		return audit.FailedIndex
	default:
		return audit.BuildingIndex
	}
}

// load notes whether a collection is loaded and with how many replicas, and returns the
// former.
func (v *inventory) load(ctx context.Context, database, name, full string) (loaded bool) {
	state, err := called(ctx, v.auditCluster, v.api.GetLoadState, &milvuspb.GetLoadStateRequest{DbName: database, CollectionName: name})
	if err != nil {
		v.gap(audit.KindLoad, full, fmt.Errorf("ask whether it is loaded: %w", err))
		return false
	}
	facts := []audit.Fact{{Name: audit.FactState, Value: loadState(state.GetState())}}
	if loaded = state.GetState() == commonpb.LoadState_LoadStateLoaded; loaded {
		replicas, err := called(ctx, v.auditCluster, v.api.GetReplicas, &milvuspb.GetReplicasRequest{DbName: database, CollectionName: name})
		if err != nil {
			v.gap(audit.KindLoad, full, fmt.Errorf("list its replicas: %w", err))
		} else {
			facts = append(facts, audit.Fact{Name: audit.FactReplicas, Value: strconv.Itoa(len(replicas.GetReplicas()))})
		}
	}
	v.item(audit.KindLoad, full, "load", facts...)
	return loaded
}

func loadState(s commonpb.LoadState) string {
	switch s {
	case commonpb.LoadState_LoadStateLoaded:
		return audit.StateLoaded
	case commonpb.LoadState_LoadStateLoading:
		return audit.StateLoading
	default:
		return audit.StateReleased
	}
}
