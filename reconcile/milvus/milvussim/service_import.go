package milvussim

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

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
