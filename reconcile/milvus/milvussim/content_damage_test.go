package milvussim_test

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestDamageIsOfOneClusterAlone: what is damaged on a standby shows there and nowhere else.
func TestDamageIsOfOneClusterAlone(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	if _, refusal, err := w.Write("a", 20); refusal != nil || err != nil {
		t.Fatal(refusal, err)
	}
	settled := func() bool { return w.State("b").Rows == 20 }
	waitFor(t, settled)
	call := func(id string, filter string) *milvuspb.QueryResults {
		got, err := dial(t, w, id).Query(root(t), &milvuspb.QueryRequest{CollectionName: milvussim.RowsCollection, Expr: filter, OutputFields: []string{"count(*)"}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	count := func(id, filter string) int64 {
		return call(id, filter).GetFieldsData()[0].GetScalars().GetLongData().GetData()[0]
	}
	damage := func(kind milvussim.DamageKind, rows int) {
		t.Helper()
		if err := w.DamageContent("b", milvussim.Damage{Kind: kind, Collection: milvussim.RowsCollection, Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := count("a", "id % 5 == 2"), count("b", "id % 5 == 2"); a != 4 || b != 4 {
		t.Errorf("every fifth row: %d and %d", a, b)
	}
	damage(milvussim.DamageRenumberKeys, 3)
	if a, b := count("a", "id > 1000"), count("b", "id > 1000"); a != 0 || b != 3 {
		t.Errorf("other keys: %d and %d", a, b)
	}
	damage(milvussim.DamageLoseRows, 2)
	if a, b := count("a", ""), count("b", ""); a != 20 || b != 18 {
		t.Errorf("rows: %d and %d", a, b)
	}
	damage(milvussim.DamageStrandImport, 0)
	tasks := func(id string) []*milvuspb.GetImportStateResponse {
		got, err := dial(t, w, id).ListImportTasks(root(t), &milvuspb.ListImportTasksRequest{CollectionName: milvussim.RowsCollection})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetTasks()
	}
	if a, b := tasks("a"), tasks("b"); len(a) != 0 || len(b) != 1 || b[0].GetState() != commonpb.ImportState_ImportFailed || b[0].GetInfos()[1].GetValue() != "99" {
		t.Errorf("imports: %v and %v", a, b)
	}
	damage(milvussim.DamageUnservable, 0)
	if a, b := call("a", ""), call("b", ""); a.GetStatus().GetCode() != 0 || b.GetStatus().GetCode() != 503 {
		t.Errorf("queries: %v and %v", a.GetStatus(), b.GetStatus())
	}
}

// TestAStandbyLoadsItsOwnNumberOfReplicas: the load is replicated, the number is not.
func TestAStandbyLoadsItsOwnNumberOfReplicas(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	if _, refusal, err := w.Write("a", 1); refusal != nil || err != nil {
		t.Fatal(refusal, err)
	}
	a := dial(t, w, "a")
	if st, err := a.LoadCollection(root(t), &milvuspb.LoadCollectionRequest{CollectionName: milvussim.RowsCollection, ReplicaNumber: 3}); err != nil || st.GetCode() != 0 {
		t.Fatal(st, err)
	}
	replicas := func(id string) int {
		got, err := dial(t, w, id).GetReplicas(root(t), &milvuspb.GetReplicasRequest{CollectionName: milvussim.RowsCollection})
		if err != nil {
			t.Fatal(err)
		}
		return len(got.GetReplicas())
	}
	waitFor(t, func() bool { return w.State("b").Rows == 1 })
	if a, b := replicas("a"), replicas("b"); a != 3 || b != 1 {
		t.Errorf("replicas: %d and %d", a, b)
	}
}
