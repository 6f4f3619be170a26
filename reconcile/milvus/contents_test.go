package milvus

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

func TestContentsAreKnownOnlyToWhoSeesEverything(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	for i := range specs {
		specs[i].Users = []milvussim.User{{Name: "reader", Password: "pw", Grants: []milvussim.Grant{{Privilege: "ClusterReadOnly"}}}}
	}
	w := newWorld(t, milvussim.Options{}, specs...)
	_, _, err := w.Write("a", 3)
	must(t, err)
	same(t, w.observe(Depth{Contents: true})["a"].Contents, plan.Contents{Known: true, Collections: []string{"default/sim_rows"}})
	w.config.Credentials[0].Token = func() (string, error) { return "reader:pw", nil }
	same(t, w.observe(Depth{Contents: true})["a"].Contents, plan.Contents{})
}

func TestSalvageAfterPromotion(t *testing.T) {
	w := pair(t, "")
	must(t, w.Stop("a"))
	r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), Permit{})
	same(t, r.Status, StatusDone)
	v := w.observe(Depth{Progress: true})["b"]
	if v.Belief.Kind != plan.BeliefStandalone || !v.IdentityProven || len(v.Progress) != 16 {
		t.Fatalf("%+v", v)
	}
	for _, p := range v.Progress {
		if !p.Known || p.SourceCluster != "" || len(p.Salvage) != 1 || p.Salvage[0].SourceCluster != "a" || p.Salvage[0].TimeTick == 0 {
			t.Fatalf("%+v", p)
		}
	}
}

func TestNobodyIsCalledAfterAMismatch(t *testing.T) {
	w := pair(t, "")
	w.config.Credentials[0].URI = "http://elsewhere:19530"
	views := w.observe(Depth{Progress: true, Contents: true})
	if v := views["a"]; v.Credential != plan.CredentialMismatch || v.Class != plan.ClassNotCalled || v.Reach != plan.ReachUnknown {
		t.Errorf("%+v", v)
	}
	if v := views["b"]; v.Credential != plan.CredentialBound || v.Class != plan.ClassNotCalled || !strings.Contains(v.Error, "a is bound") {
		t.Errorf("%+v", v)
	}
	if n := w.calls("a", "") + w.calls("b", ""); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAMissingCredentialIsNotCalled(t *testing.T) {
	w := pair(t, "")
	w.config.Credentials = w.config.Credentials[1:]
	views := w.observe(Depth{})
	if v := views["a"]; v.Credential != plan.CredentialMissing || v.Class != plan.ClassNotCalled || w.calls("a", "") != 0 {
		t.Errorf("%+v", v)
	}
	if v := views["b"]; v.Reach != plan.ReachUp {
		t.Errorf("%+v", v)
	}
}
