package milvussim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

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

// TestAnImportIsReadByEachCluster: its rows are seen on both clusters once it is committed, and
// not before. The keys that the server gives differ before 3.0.1 (#51667), and are those of the
// primary from then on (#52941). No log holds a row of it.
func TestAnImportIsReadByEachCluster(t *testing.T) {
	for profile, alike := range map[string]bool{"2.6.22": false, "3.0.0": false, "3.0.1": true} {
		t.Run(profile, func(t *testing.T) {
			w := start(t, milvussim.Options{Profile: profile}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			const rows = 20
			waiting := func(id string) bool {
				got, err := dial(t, w, id).ListImportTasks(root(t), &milvuspb.ListImportTasksRequest{CollectionName: milvussim.ImportsCollection})
				return err == nil && len(got.GetTasks()) == 1 && got.GetTasks()[0].GetInfos()[1].GetValue() == "99"
			}
			keys := func(id string) (out []int64) {
				got, err := dial(t, w, id).Query(root(t), &milvuspb.QueryRequest{CollectionName: milvussim.ImportsCollection, Expr: "id > 0", OutputFields: []string{"id"}})
				if err != nil || got.GetStatus().GetCode() != 0 {
					return nil
				}
				for _, f := range got.GetFieldsData() {
					if f.GetFieldName() == "id" {
						out = f.GetScalars().GetLongData().GetData()
					}
				}
				slices.Sort(out)
				return out
			}
			if err := w.Import("a", rows); err != nil {
				t.Fatal(err)
			}
			awaitTrue(t, func() bool { return waiting("a") && waiting("b") })
			if n := len(keys("a")) + len(keys("b")); n != 0 {
				t.Errorf("%d rows are seen before the commit", n)
			}
			if err := w.CommitImport("a"); err != nil {
				t.Fatal(err)
			}
			awaitTrue(t, func() bool { return len(keys("a")) == rows && len(keys("b")) == rows })
			if slices.Equal(keys("a"), keys("b")) != alike {
				t.Errorf("a has %d, b %d", keys("a"), keys("b"))
			}
			if w.Import("b", rows) == nil {
				t.Error("a standby takes an import of its own")
			}
		})
	}
}

func awaitTrue(t *testing.T, holds func() bool) {
	t.Helper()
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-t.Context().Done():
			t.Fatal("it never came to hold")
		case <-tick.C:
		}
	}
}
