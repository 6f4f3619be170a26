package milvus

import (
	"testing"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// TestReadiness: what is not in place is named on the clusters whose roles change, by few
// calls, and is read of no other. What does not answer is not known.
func TestReadiness(t *testing.T) {
	const rows = "default/sim_rows"
	for _, c := range []struct {
		name   string
		damage []milvussim.DamageKind // of b, which is to be promoted
		fault  string                 // a call that b refuses
		rest   bool                   // no change of roles
		want   plan.Readiness
	}{
		{name: "all is in place", want: plan.Readiness{Asked: true}},
		{name: "no change", rest: true, damage: []milvussim.DamageKind{milvussim.DamageRunImport}},
		{
			name: "imports", damage: []milvussim.DamageKind{milvussim.DamageRunImport, milvussim.DamageStrandImport},
			want: plan.Readiness{Asked: true, Imports: []string{rows + " (1 running, 1 not committed)"}},
		},
		{name: "it is not loaded", damage: []milvussim.DamageKind{milvussim.DamageRelease}, want: plan.Readiness{Asked: true, Unloaded: []string{rows}}},
		{
			name: "an index is not finished", damage: []milvussim.DamageKind{milvussim.DamageUnfinishIndexes},
			want: plan.Readiness{Asked: true, Indexes: []string{"vector of " + rows + " (being built)"}},
		},
		{name: "a call fails", fault: "ListImportTasks", want: plan.Readiness{Asked: true, Unknown: []string{"list imports: rpc error: code = PermissionDenied desc = sim: injected"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := pair(t, "2.6.22")
			w.write(40)
			w.index(milvussim.RowsCollection)
			for _, d := range c.damage {
				must(t, w.DamageContent("b", milvussim.Damage{Kind: d, Collection: milvussim.RowsCollection}))
			}
			if c.fault != "" {
				must(t, w.AddFault("b", milvussim.Fault{Method: c.fault, Kind: milvussim.FaultError, Code: codes.PermissionDenied}))
			}
			if !c.rest {
				w.topology.Clusters[0].Role, w.topology.Clusters[1].Role = plan.RoleStandby, plan.RolePrimary
			}
			r := w.fleet().Reader()
			views := r.Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{})
			got := plan.Observed{Views: r.Deepen(w.ctx(), []plan.Topology{w.topology}, views, plan.Depth{Readiness: true})}
			b := got.View("b").Readiness
			if len(c.want.Unknown) > 0 && len(b.Unknown) > 0 {
				b.Unknown = c.want.Unknown // its words are those of the simulator
			}
			b.Held = nil // TestLoadWhatThePredecessorHad holds it
			same(t, b, c.want)
			same(t, got.View("a").Readiness, plan.Readiness{Asked: !c.rest})
			if n := w.calls("a", "DescribeIndex") + w.calls("a", "ShowCollections"); !c.rest && n != 2 {
				t.Errorf("%d calls of the old primary", n)
			}
			if n := w.calls("b", "ListImportTasks"); n > 2 || c.rest && n > 0 {
				t.Errorf("%d calls for imports", n)
			}
		})
	}
}

// TestVerifyNamesWhatIsNotInPlace: on a cluster that was promoted by force.
func TestVerifyNamesWhatIsNotInPlace(t *testing.T) {
	w := pair(t, "")
	w.write(10)
	w.await(func() bool { return w.State("b").Rows == 10 })
	must(t, w.DamageContent("b", milvussim.Damage{Kind: milvussim.DamageRelease, Collection: milvussim.RowsCollection}))
	must(t, w.Stop("a"))
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
	got := w.verify("b", plan.VerifyRole, "default/"+milvussim.RowsCollection)
	got.Readiness.Held = nil
	same(t, got.Readiness, plan.Readiness{Asked: true, Unloaded: []string{"default/" + milvussim.RowsCollection}})
	if got.Err != nil || len(got.Missing)+len(got.Silent) > 0 {
		t.Errorf("%+v", got)
	}
}
