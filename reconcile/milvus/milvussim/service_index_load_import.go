package milvussim

import (
	"context"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// onCollection is a DDL that changes the metadata of one collection.
type onCollection struct {
	what       kind
	collection int64
	change     func(*collection)
}

func (d *onCollection) kind() kind { return d.what }

func (d *onCollection) apply(c *cluster, b *broadcast) {
	if coll := c.withID(d.collection); coll != nil {
		d.change(coll)
		if d.what == kindAlterCollection {
			coll.changed = b.msg.id
		}
	}
}

// alter broadcasts a change of a collection's metadata on the control channel.
func (c *cluster) alter(ctx context.Context, coll *collection, what kind, change func(*collection), channels ...int) error {
	return c.runDDL(ctx, &onCollection{what: what, collection: coll.id, change: change}, channels...)
}

func (coll *collection) progress() int64 {
	if coll.loaded {
		return 100
	}
	return 0
}

// localReplicas is how many replicas a standby loads whatever its primary asks for: its
// own cluster-level number, 1 unless it is set (streaming.replication.useLocalReplicaConfig,
// on by default; job_load.go, milvus.md §3).
const localReplicas = 1

// loadConfig is the message that loads a collection.
type loadConfig struct {
	collection int64
	replicas   int
}

func (*loadConfig) kind() kind { return kindAlterLoadConfig }

func (d *loadConfig) apply(c *cluster, b *broadcast) {
	coll := c.withID(d.collection)
	if coll == nil {
		return
	}
	coll.loaded, coll.replicas = true, max(d.replicas, 1)
	if b.replicated {
		coll.replicas = localReplicas
	}
}

// LoadCollection makes a collection ready for queries, at once.
func (service) LoadCollection(ctx context.Context, req *milvuspb.LoadCollectionRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err == nil {
		err = c.runDDL(ctx, &loadConfig{collection: coll.id, replicas: int(req.GetReplicaNumber())})
	}
	return answer(err)
}

// GetReplicas lists the replicas of a loaded collection; one that is not loaded has none.
func (service) GetReplicas(ctx context.Context, req *milvuspb.GetReplicasRequest) (*milvuspb.GetReplicasResponse, error) {
	c, err := begin(ctx)
	var coll *collection
	if err == nil {
		coll, err = c.find(databaseOf(ctx, req), req.GetCollectionName(), req.GetCollectionID())
	}
	st, err := split(err)
	resp := &milvuspb.GetReplicasResponse{Status: st}
	if err != nil || coll == nil || !coll.loaded {
		return resp, err
	}
	for i := range coll.replicas {
		resp.Replicas = append(resp.Replicas, &milvuspb.ReplicaInfo{
			ReplicaID: coll.id + int64(i) + 1, CollectionID: coll.id, ResourceGroupName: defaultResourceGroup,
		})
	}
	return resp, nil
}

// ReleaseCollection is the opposite of LoadCollection.
func (service) ReleaseCollection(ctx context.Context, req *milvuspb.ReleaseCollectionRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err == nil {
		err = c.alter(ctx, coll, kindDropLoadConfig, func(coll *collection) { coll.loaded, coll.replicas = false, 0 })
	}
	return answer(err)
}

// GetLoadingProgress is 100 for a loaded collection.
func (service) GetLoadingProgress(ctx context.Context, req *milvuspb.GetLoadingProgressRequest) (*milvuspb.GetLoadingProgressResponse, error) {
	_, coll, err := beginCollection(ctx, req)
	st, err := split(err)
	resp := &milvuspb.GetLoadingProgressResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		resp.Progress, resp.RefreshProgress = coll.progress(), coll.progress()
	}
	return resp, err
}

// GetLoadState reports whether a collection is loaded; a missing one is a state.
func (service) GetLoadState(ctx context.Context, req *milvuspb.GetLoadStateRequest) (*milvuspb.GetLoadStateResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	resp := &milvuspb.GetLoadStateResponse{Status: st, State: commonpb.LoadState_LoadStateNotExist}
	if err != nil || st.GetCode() != 0 {
		return resp, err
	}
	if coll, missing := c.find(databaseOf(ctx, req), req.GetCollectionName(), 0); missing == nil {
		resp.State = commonpb.LoadState_LoadStateNotLoad
		if coll.loaded {
			resp.State = commonpb.LoadState_LoadStateLoaded
		}
	}
	return resp, nil
}

// CreateIndex describes an index; it is finished at once. One index of the same
// field replaces nothing: the first stays.
func (service) CreateIndex(ctx context.Context, req *milvuspb.CreateIndexRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err != nil {
		return answer(err)
	}
	if coll.field(req.GetFieldName()) == nil {
		return answer(failf(codeInvalidParameter, "cannot create index on non-existed field: %s: invalid parameter", req.GetFieldName()))
	}
	idx := index{id: c.newID(), name: req.GetIndexName(), field: req.GetFieldName(), params: req.GetExtraParams()}
	if idx.name == "" {
		idx.name = idx.field
	}
	return answer(c.alter(ctx, coll, kindCreateIndex, func(coll *collection) {
		if !slices.ContainsFunc(coll.indexes, func(i index) bool { return i.name == idx.name }) {
			coll.indexes = append(coll.indexes, idx)
		}
	}))
}

// DescribeIndex lists the indexes of a collection.
func (service) DescribeIndex(ctx context.Context, req *milvuspb.DescribeIndexRequest) (*milvuspb.DescribeIndexResponse, error) {
	c, coll, err := beginCollection(ctx, req)
	resp := &milvuspb.DescribeIndexResponse{}
	if err == nil {
		for _, i := range coll.indexes {
			if req.GetFieldName() != "" && req.GetFieldName() != i.field || req.GetIndexName() != "" && req.GetIndexName() != i.name {
				continue
			}
			resp.IndexDescriptions = append(resp.IndexDescriptions, i.describe(int64(coll.count(c))))
		}
		if len(resp.IndexDescriptions) == 0 {
			err = failf(codeIndexNotFound, "index not found[collection=%s]", coll.name)
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

// describe is an index over so many rows.
func (i index) describe(rows int64) *milvuspb.IndexDescription {
	out := &milvuspb.IndexDescription{
		IndexName: i.name, IndexID: i.id, FieldName: i.field, Params: i.params,
		IndexedRows: rows, TotalRows: rows, State: commonpb.IndexState_Finished,
	}
	if i.building {
		out.State, out.IndexedRows, out.PendingIndexRows = commonpb.IndexState_InProgress, rows/2, rows-rows/2
	}
	return out
}

// DropIndex forgets an index; one that is not there is a success.
func (service) DropIndex(ctx context.Context, req *milvuspb.DropIndexRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err != nil {
		return answer(err)
	}
	return answer(c.alter(ctx, coll, kindDropIndex, func(coll *collection) {
		coll.indexes = slices.DeleteFunc(coll.indexes, func(i index) bool {
			return i.name == req.GetIndexName() || req.GetIndexName() == "" && i.field == req.GetFieldName()
		})
	}))
}

// Import is refused on a cluster that replicates (ddl_callbacks_import.go,
// milvus.md §3). A cluster that does not has no files to import from.
func (s service) Import(ctx context.Context, req *milvuspb.ImportRequest) (*milvuspb.ImportResponse, error) {
	c, err := begin(ctx)
	if err == nil && len(c.stored.GetClusters()) > 1 {
		err = failf(codeNotSupported, "import in replicating cluster is not supported yet: unsupported operation")
	}
	st, err := split(err)
	if err != nil || st.GetCode() != 0 {
		return &milvuspb.ImportResponse{Status: st}, err
	}
	return s.UnimplementedMilvusServiceServer.Import(ctx, req)
}

// ListImportTasks lists the imports of a collection, or of the cluster. The answer names
// neither job nor collection (milvus.md §3).
func (service) ListImportTasks(ctx context.Context, req *milvuspb.ListImportTasksRequest) (*milvuspb.ListImportTasksResponse, error) {
	c, err := begin(ctx)
	var coll *collection
	if err == nil && req.GetCollectionName() != "" {
		coll, err = c.find(databaseOf(ctx, req), req.GetCollectionName(), 0)
	}
	st, err := split(err)
	resp := &milvuspb.ListImportTasksResponse{Status: st}
	if err != nil || st.GetCode() != 0 {
		return resp, err
	}
	for _, j := range c.imports {
		if coll != nil && j.collection != coll.id {
			continue
		}
		state, percent := j.v1()
		resp.Tasks = append(resp.Tasks, &milvuspb.GetImportStateResponse{
			Status: success(), State: state,
			Infos: []*commonpb.KeyValuePair{{Key: "failed_reason"}, {Key: "progress_percent", Value: percent}},
		})
	}
	return resp, nil
}

// importJob is an import of a cluster, as DataCoord keeps it.
type importJob struct {
	collection int64
	state      importState
	rows       *batch // that it read, with their keys; nil: none
	count      int
}

type importState int

const (
	importRunning importState = iota
	importUncommitted
	importDone
)

// v1 is the job as the older gRPC call tells it, which has no state for a job that waits
// for its commit: it comes as failed with a progress of 99, where one that failed has 0
// (proxy impl.go convertToV1GetImportResponse, import_util.go GetJobProgress).
func (j importJob) v1() (commonpb.ImportState, string) {
	switch j.state {
	case importUncommitted:
		return commonpb.ImportState_ImportFailed, "99"
	case importDone:
		return commonpb.ImportState_ImportCompleted, "100"
	default:
		return commonpb.ImportState_ImportStarted, "70"
	}
}

// ImportsCollection is the collection that Import fills, in the default database. The server
// gives its keys.
const ImportsCollection = "sim_imports"

// importFiles is the message that begins an import of two phases. Each cluster that gets it
// reads the files from its own storage, and no log holds their rows (ddl_callbacks_import.go,
// milvus.md §3).
type importFiles struct {
	collection int64
	rows       []*schemapb.FieldData // of the files, which have no keys
	count      int
	keys       *schemapb.FieldData // of the cluster that began it; nil: each cluster makes its own
}

func (*importFiles) kind() kind { return kindImport }

func (d *importFiles) apply(c *cluster, _ *broadcast) {
	coll := c.withID(d.collection)
	if coll == nil {
		return
	}
	keys := d.keys
	if keys == nil {
		keys = c.importKeys(coll.key(), d.count)
	}
	c.imports = append(c.imports, importJob{
		collection: coll.id, state: importUncommitted, rows: &batch{fields: append(slices.Clone(d.rows), keys)}, count: d.count,
	})
}

// commitImport is the message that lets the rows of the waiting imports of a collection be seen.
type commitImport struct{ collection int64 }

func (*commitImport) kind() kind { return kindCommitImport }

func (d *commitImport) apply(c *cluster, _ *broadcast) {
	coll := c.withID(d.collection)
	for i, j := range c.imports {
		if coll == nil || j.collection != coll.id || j.state != importUncommitted || j.rows == nil {
			continue
		}
		keys := make([]any, j.count)
		for at := range keys {
			keys[at] = scalarAt(j.rows.field(coll.key().GetName()), at)
		}
		for s, in := range coll.split(j.rows, keys, coll.partitions[0].id) {
			if in != nil {
				c.channels[coll.shards[s]].shard(coll.id).insert(in, c.tso.next(c.now()))
			}
		}
		c.imports[i].state, c.imports[i].rows = importDone, nil
	}
}

// importKeys are keys that no other cluster makes, as those of two root coordinators are at
// two moments.
func (c *cluster) importKeys(field *schemapb.FieldSchema, n int) *schemapb.FieldData {
	out := c.autoKeys(field, n)
	data, own := out.GetScalars().GetLongData().GetData(), int64(slices.Index(c.world.clusters, c))
	for i := range data {
		for data[i]%int64(len(c.world.clusters)) != own {
			data[i] = c.newID()
		}
	}
	return out
}

// Import begins a bulk import of two phases into ImportsCollection, as a user does where
// dataCoord.import.enableInReplicatingCluster is set on both clusters and both have the files.
// From 3.0.1 on all clusters have the keys of the one that began it; before, each makes its own
// (#51667, #52941).
func (w *World) Import(id string, rows int) error {
	if rows < 1 || rows > maxWrite {
		return fmt.Errorf("%w: rows must be 1 to %d", ErrBadRequest, maxWrite)
	}
	return w.change(id, func(c *cluster) error {
		coll, err := c.ownCollection(ImportsCollection)
		if err != nil {
			return err
		}
		vectors := make([]float32, rows*rowsDim)
		for i := range rows {
			vectors[i*rowsDim] = float32(i)
		}
		d := &importFiles{collection: coll.id, rows: rowsData(nil, vectors)[1:], count: rows}
		if c.profile.importKeys {
			d.keys = c.importKeys(coll.key(), rows)
		}
		return c.runDDL(context.Background(), d, coll.shards...)
	})
}

// CommitImport lets the rows of the imports be seen that wait for it, on all clusters.
func (w *World) CommitImport(id string) error {
	return w.change(id, func(c *cluster) error {
		coll, err := c.find(defaultDatabase, ImportsCollection, 0)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadRequest, err)
		}
		return c.runDDL(context.Background(), &commitImport{collection: coll.id}, coll.shards...)
	})
}
