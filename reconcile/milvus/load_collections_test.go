package milvus

import (
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// loadWorld is a pair whose primary a serves default/sim_rows with an index and two replicas, and
// has default/cold not loaded. It returns what a serves.
func loadWorld(t *testing.T) (*world, plan.ServingMark) {
	w := pair(t, "")
	w.write(10)
	w.index(milvussim.RowsCollection)
	api := w.client("a").GetService()
	st, err := api.LoadCollection(w.ctx(), &milvuspb.LoadCollectionRequest{CollectionName: milvussim.RowsCollection, ReplicaNumber: 2})
	must(t, err)
	same(t, st.GetCode(), int32(0))
	served, err := w.fleet().Reader().Served(w.ctx(), w.topology, "a")
	must(t, err)
	return w, plan.ServingMark{Topology: w.topology.Name, Primary: "a", Collections: served}
}

// promoteB makes b the primary by force, with a stopped.
func promoteB(t *testing.T, w *world) {
	t.Helper()
	w.await(func() bool { return w.State("b").Rows == 10 })
	must(t, w.Stop("a"))
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
}

// TestLoadWhatThePredecessorHad: indexes by the same name and parameters, loads by the same number
// of replicas, indexes first; done twice, nothing is done; what was released on purpose stays so.
func TestLoadWhatThePredecessorHad(t *testing.T) {
	w, had := loadWorld(t)
	rows := "default/" + milvussim.RowsCollection
	want := plan.ServedCollection{Name: rows, Loaded: true, Replicas: 2, Indexes: []plan.CollectionIndex{{Name: "vector", Field: "vector"}}}
	same(t, had.Collections, []plan.ServedCollection{want})
	promoteB(t, w)
	for _, kind := range []milvussim.DamageKind{milvussim.DamageRelease, milvussim.DamageDropIndexes} {
		must(t, w.DamageContent("b", milvussim.Damage{Kind: kind, Collection: milvussim.RowsCollection}))
	}
	released := had
	released.Collections = []plan.ServedCollection{{Name: rows, Indexes: want.Indexes}}
	got := w.fleet().Load(w.ctx(), w.topology, "b", released)
	if got.Status != plan.StepAlready || !slices.Equal(got.Readiness.Unloaded, []string{rows}) {
		t.Errorf("what was released on purpose: %+v", got)
	}
	got = w.fleet().Load(w.ctx(), w.topology, "b", had)
	if got.Status != plan.StepDone || got.Detail != "loaded "+rows+"; indexed vector of "+rows || len(got.Readiness.Unloaded) > 0 {
		t.Errorf("%+v", got)
	}
	served, err := w.fleet().Reader().Served(w.ctx(), w.topology, "b")
	must(t, err)
	same(t, served, had.Collections)
	calls := w.calls("b", "CreateIndex") + w.calls("b", "LoadCollection")
	got = w.fleet().Load(w.ctx(), w.topology, "b", had)
	if got.Status != plan.StepAlready || w.calls("b", "CreateIndex")+w.calls("b", "LoadCollection") != calls {
		t.Errorf("the second time: %+v", got)
	}
	same(t, w.calls("b", "ReleaseCollection")+w.calls("b", "DropIndex"), 0)
}

// TestLoadFails: what a cluster refuses, or no longer holds, is named, and the rest is done. A
// standby is asked for nothing.
func TestLoadFails(t *testing.T) {
	w, had := loadWorld(t)
	got := w.fleet().Load(w.ctx(), w.topology, "b", had)
	if got.Status != plan.StepFailed || !strings.Contains(got.Detail, "no primary") || w.calls("b", "LoadCollection") > 0 {
		t.Errorf("on a standby: %+v", got)
	}
	promoteB(t, w)
	had.Collections = append(had.Collections, plan.ServedCollection{Name: "default/gone", Loaded: true})
	must(t, w.DamageContent("b", milvussim.Damage{Kind: milvussim.DamageRelease, Collection: milvussim.RowsCollection}))
	must(t, w.AddFault("b", milvussim.Fault{Method: "LoadCollection", Kind: milvussim.FaultError, Code: codes.PermissionDenied, Times: 1}))
	got = w.fleet().Load(w.ctx(), w.topology, "b", had)
	for _, part := range []string{"not there: default/gone", "failed: default/sim_rows: load it"} {
		if got.Status != plan.StepFailed || !strings.Contains(got.Detail, part) {
			t.Errorf("%q is not in %+v", part, got)
		}
	}
	got = w.fleet().Load(w.ctx(), w.topology, "b", had)
	if !strings.Contains(got.Detail, "loaded default/sim_rows") {
		t.Errorf("the second time: %+v", got)
	}
	st, err := w.client("b").GetService().GetLoadState(w.ctx(), &milvuspb.GetLoadStateRequest{CollectionName: milvussim.RowsCollection})
	must(t, err)
	same(t, st.GetState(), commonpb.LoadState_LoadStateLoaded)
	ended, cancel := context.WithCancel(w.ctx())
	cancel()
	if got := w.fleet().Load(ended, w.topology, "b", had); got.Status != plan.StepFailed {
		t.Errorf("without time: %+v", got)
	}
}
