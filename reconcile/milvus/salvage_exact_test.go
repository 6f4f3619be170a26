package milvus

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// TestSalvageIsExact: on a real pair 282 rows were acknowledged, the link was cut
// on the way, and salvage exported the ids 63 to 281, each once (2.6 and master,
// 2026-11-29).
func TestSalvageIsExact(t *testing.T) {
	const first, acknowledged = 63, 282
	for _, profile := range []string{"2.6.19", "2.6.22"} {
		t.Run(profile, func(t *testing.T) {
			w := attached(t, profile, commonpb.WALName_WoodPecker, milvussim.Options{})
			w.create("a", "orders", 1)
			a := w.client("a")
			insert := func(id int64) {
				t.Helper()
				_, err := a.Insert(w.ctx(), milvusclient.NewColumnBasedInsertOption("orders",
					column.NewColumnInt64("id", []int64{id}), column.NewColumnFloatVector("vector", 4, [][]float32{{1, 2, 3, 4}})))
				must(t, err)
			}
			for id := range int64(first) {
				insert(id)
			}
			w.await(func() bool { return w.State("b").Rows == first })
			must(t, w.SetLink("a", "b", false))
			for id := int64(first); id < acknowledged; id++ {
				insert(id)
			}
			same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
			got, found, err := w.salvage()
			must(t, err)
			if !allRead(got) {
				t.Errorf("%+v", got.Channels)
			}
			same(t, found.kinds, map[string]int64{"default/orders insert": acknowledged - first})
			same(t, len(found.keys), acknowledged-first)
			for id := int64(first); id < acknowledged; id++ {
				if !found.keys[id] {
					t.Errorf("row %d is lost for good", id)
				}
			}
			same(t, w.State("b").Rows, first)
		})
	}
}
