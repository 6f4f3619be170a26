package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// served is what a was last seen to serve.
func served() ServingMark {
	vector := CollectionIndex{Name: "vec", Field: "vector", Params: []IndexParam{{"index_type", "HNSW"}, {"params", `{"M": 16}`}}}
	return ServingMark{Topology: "orders", Primary: "a", At: now.Add(-time.Hour), Collections: []ServedCollection{
		{Name: "sales/cold", Indexes: []CollectionIndex{vector}},
		{Name: "sales/hot", Loaded: true, Replicas: 2, Indexes: []CollectionIndex{vector, {Name: "by-day", Field: "day"}}},
	}}
}

// TestServedByThePredecessor: what the old primary had loaded and indexed is missed, and what it
// had released on purpose is not. What nobody knew of it is told all the same.
func TestServedByThePredecessor(t *testing.T) {
	next := Readiness{
		Asked: true, Unloaded: []string{"sales/cold", "sales/hot", "sales/young"},
		Held: []ServedCollection{{Name: "sales/cold"}, {Name: "sales/hot", Indexes: []CollectionIndex{{Name: "day", Field: "day"}}}},
	}
	got := next.Against(served())
	if want := []string{"sales/hot", "sales/young"}; !slices.Equal(got.Unloaded, want) {
		t.Errorf("not loaded: %v, want %v", got.Unloaded, want)
	}
	if want := []string{"vec of sales/hot"}; !slices.Equal(got.Unindexed, want) {
		t.Errorf("not indexed: %v, want %v", got.Unindexed, want)
	}
	if f, ok := ContentMissing("orders", "b", Readiness{Asked: true, Unloaded: []string{"sales/cold"}}, served()); ok {
		t.Errorf("what was released on purpose is missed: %+v", f)
	}
	f, _ := ContentMissing("orders", "b", next, served())
	for _, mends := range []string{
		`create_index("hot", MilvusClient.prepare_index_params("vector", index_name="vec", index_type="HNSW", params={"M": 16}))`,
		`db_name="sales").load_collection("hot", replica_number=2)`,
	} {
		if !strings.Contains(f.Remedy, mends) {
			t.Errorf("%q is not in %q", mends, f.Remedy)
		}
	}
}

// TestLoadStep: a new primary loads what the old one had loaded only if the operator wants
// that, as the last step of a failover and of a switchover, which the digest covers.
func TestLoadStep(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), moving(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	switchover := world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), moving(standbyOf("a", "b"))}}
	for name, w := range map[string]world{"failover": failover, "switchover": switchover} {
		without := w.plan(t)
		w.loads = true
		with := w.plan(t)
		last := with.Steps[len(with.Steps)-1]
		before := with.Steps[len(with.Steps)-2]
		if last.Action != ActionLoad || last.Cluster != "b" || last.Wave != before.Wave+1 || before.Action != ActionRedirect {
			t.Errorf("%s: the last steps are %+v and %+v", name, before, last)
		}
		if with.Digest == without.Digest {
			t.Errorf("%s: the digest does not cover it", name)
		}
		if slices.ContainsFunc(without.Steps, func(s Step) bool { return s.Action == ActionLoad }) {
			t.Errorf("%s: it loads although nobody wants it", name)
		}
	}
	rest := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, loads: true}
	if p := rest.plan(t); p.Transition != TransitionNone || len(p.Steps) > 0 {
		t.Errorf("a topology at rest: %v", p.Steps)
	}
}

// TestLoadStepIsResumed: a change that took effect is still verified, redirected and loaded.
func TestLoadStepIsResumed(t *testing.T) {
	w := world{t: failingOver("b", "a"), views: []View{down("a"), moving(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}, loads: true}
	begun := w.plan(t)
	w.views[1] = primaryOf("b")
	w.views[1].Belief = ClassifyBelief("b", storing("b"))
	w.memory.Intents = []Intent{{
		Topology: "orders", Transition: TransitionFailover, Generation: w.t.Generation, Digest: begun.Digest, Steps: begun.Steps, MayHaveSent: true, Effected: true,
	}}
	w.loads = false // what was approved goes on as it was approved
	got := w.plan(t)
	if n := len(got.Steps); !got.Resumed || n != 3 || got.Steps[n-1].Action != ActionLoad {
		t.Errorf("resumed: %t, steps: %v", got.Resumed, got.Steps)
	}
}

// TestInFlightByTheLastAudit: a pass that does not ask the clusters, as a sweep, goes by what
// the newest audit read.
func TestInFlightByTheLastAudit(t *testing.T) {
	w := world{t: failingOver("b", "a"), views: []View{down("a"), moving(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}, loads: true}
	mark := AuditMark{
		Topology: "orders", Primary: "a", Standby: "b", At: now.Add(-time.Hour), Verdict: ContentEqual,
		Readiness: Readiness{Asked: true, Unloaded: []string{"sales/cold", "sales/hot"}},
	}
	w.memory.Audits, w.memory.Serving = []AuditMark{mark}, []ServingMark{served()}
	f := find(w.plan(t), CodeContentInFlight, "b")
	if f == nil || !strings.HasPrefix(f.Message, "not loaded on b: sales/hot; as the audit of ") || f.Severity != SeverityWarning {
		t.Errorf("%+v", f)
	}
	w.memory.Serving = nil
	if f := find(w.plan(t), CodeContentInFlight, "b"); f == nil || !strings.Contains(f.Message, "not known: what a had loaded, since it was never read") {
		t.Errorf("%+v", f)
	}
	w.memory.Audits[0].Primary = "c"
	if f := find(w.plan(t), CodeContentInFlight, "b"); f == nil || f.Message != "not known: what a had loaded, since it was never read: nothing will be loaded" || f.Severity != SeverityWarning {
		t.Errorf("nothing was read of either: %+v", f)
	}
	w.loads = false
	if f := find(w.plan(t), CodeContentInFlight, "b"); f != nil {
		t.Errorf("an audit with another primary: %+v", f)
	}
}
