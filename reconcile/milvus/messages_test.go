package milvus

import (
	"context"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/wal"
)

func TestWhichMessagesAreLost(t *testing.T) {
	cases := map[string]struct {
		properties     map[string]string
		local, losable bool
	}{
		"an insert":                 {map[string]string{"_t": "2"}, false, true},
		"a time tick":               {map[string]string{"_t": "1"}, true, false},
		"a new segment":             {map[string]string{"_t": "10"}, true, false},
		"a sealed segment":          {map[string]string{"_t": "4"}, true, false},
		"a transaction rolled back": {map[string]string{"_t": "902"}, true, false},
		"a changed resource group":  {map[string]string{"_t": "32"}, true, false},
		"a dropped resource group":  {map[string]string{"_t": "33"}, true, false},
		"a local snapshot":          {map[string]string{"_t": "40", "_ur": ""}, true, false},
		"a replicated snapshot":     {map[string]string{"_t": "40"}, false, true},
		"a new topology":            {map[string]string{"_t": "800"}, false, false},
		"another message queue":     {map[string]string{"_t": "700"}, false, false},
		"the begin of transaction":  {map[string]string{"_t": "900"}, false, false},
		"the end of a transaction":  {map[string]string{"_t": "901"}, false, false},
		"a closed transaction":      {map[string]string{"_t": "999"}, false, true},
		"of a type not known here":  {map[string]string{"_t": "12345"}, false, true},
		"without a type":            {nil, false, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := &commonpb.ImmutableMessage{Properties: c.properties}
			if wal.Local(m) != c.local || wal.Losable(m) != c.losable {
				t.Errorf("local %t, losable %t", wal.Local(m), wal.Losable(m))
			}
		})
	}
}

func TestWhichMessagesHideRows(t *testing.T) {
	for name, c := range map[string]struct {
		number  string
		payload string
		hidden  bool
	}{
		"an empty insert":          {"2", "", false},
		"an insert that is broken": {"2", "\xff", true},
		"a delete that is broken":  {"3", "\xff", true},
		"a dropped collection":     {"6", "", false},
		"an import":                {"11", "", true},
		"its end":                  {"45", "", true},
		"a closed transaction":     {"999", "", true},
		"a type not known here":    {"12345", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, hidden := rowsOf(&commonpb.ImmutableMessage{Payload: []byte(c.payload), Properties: map[string]string{"_t": c.number}})
			same(t, hidden, c.hidden)
		})
	}
}

// client connects to a cluster as its applications do.
func (w *world) client(id string) *milvusclient.Client {
	w.t.Helper()
	c, err := milvusclient.New(w.ctx(), &milvusclient.ClientConfig{Address: w.Address(id), APIKey: milvussim.RootToken})
	must(w.t, err)
	w.t.Cleanup(func() { _ = c.Close(context.WithoutCancel(w.t.Context())) })
	return c
}

// alterGroups makes, changes and drops resource groups.
func (w *world) alterGroups(id, name string) {
	w.t.Helper()
	api := w.client(id).GetService()
	for _, group := range []string{name, name + "2"} {
		st, err := api.CreateResourceGroup(w.ctx(), &milvuspb.CreateResourceGroupRequest{ResourceGroup: group})
		must(w.t, err)
		same(w.t, st.GetCode(), int32(0))
	}
	st, err := api.DropResourceGroup(w.ctx(), &milvuspb.DropResourceGroupRequest{ResourceGroup: name + "2"})
	must(w.t, err)
	same(w.t, st.GetCode(), int32(0))
}

// TestLocalMessagesAreNoLoss: standbys drop changes of resource groups, so that
// their checkpoints stay behind them for ever.
func TestLocalMessagesAreNoLoss(t *testing.T) {
	w := pair(t, "")
	w.alterGroups("a", "rg_of_a")
	w.alterGroups("b", "rg_of_b")
	if unsent, none, unknown := w.backlog(); unsent != 0 || none != 16 || unknown != 0 {
		t.Errorf("%d channels have something unsent, %d nothing, of %d it is not known", unsent, none, unknown)
	}
	failedOver(t, w, 32, 0)
	w.alterGroups("a", "rg_later")
	same(t, w.fleet().Reader().StaleLog(w.ctx(), w.topology, "b", "a"), plan.StaleLog{Cluster: "a", Known: true})
	got, found, err := w.salvage()
	must(t, err)
	if !allRead(got) || len(found.kinds) != 0 {
		t.Errorf("%v, %+v", found.kinds, got)
	}
}

// TestSalvageOfTransactions: an upsert is a transaction, and before 2.6.20 its
// rows do not come out of a dump.
func TestSalvageOfTransactions(t *testing.T) {
	for profile, whole := range map[string]bool{"2.6.19": false, "2.6.20": true} {
		t.Run(profile, func(t *testing.T) {
			w := pair(t, profile)
			failedOver(t, w, 16, 0)
			_, err := w.client("a").Upsert(w.ctx(), milvusclient.NewColumnBasedInsertOption("sim_rows",
				column.NewColumnInt64("id", []int64{3}), column.NewColumnFloatVector("vector", 4, [][]float32{{1, 2, 3, 4}})))
			must(t, err)
			got, found, err := w.salvage()
			must(t, err)
			if whole {
				same(t, found.kinds, map[string]int64{"default/sim_rows delete": 1, "default/sim_rows insert": 1})
			} else {
				same(t, found.kinds, map[string]int64{"/ transaction": 0})
			}
			told := 0
			for _, c := range got.Channels {
				if strings.Contains(c.Problem, "2.6.20") {
					told++
				}
			}
			if allRead(got) != whole || (told == 1) == whole {
				t.Errorf("%d channels tell of it: %+v", told, got)
			}
		})
	}
}
