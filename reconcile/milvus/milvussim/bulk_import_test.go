package milvussim_test

import (
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestImportIsRefusedWhereReplicationIs: code 3000 on both ends of an edge (milvus.md §3).
func TestImportIsRefusedWhereReplicationIs(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	for _, id := range []string{"a", "b"} {
		resp, err := dial(t, w, id).Import(root(t), &milvuspb.ImportRequest{CollectionName: "x"})
		if err != nil || resp.GetStatus().GetCode() != 3000 ||
			!strings.Contains(resp.GetStatus().GetReason(), "import in replicating cluster is not supported yet") {
			t.Errorf("%s: %v, %v", id, resp.GetStatus(), err)
		}
	}
}
