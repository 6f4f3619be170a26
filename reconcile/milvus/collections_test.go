package milvus

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// TestContentsAreKnownOnlyToWhoSeesEverything: emptiness is never taken from an
// answer that is filtered to what the user may see. What the calls answer decides,
// not what roles are called.
func TestContentsAreKnownOnlyToWhoSeesEverything(t *testing.T) {
	all := plan.Contents{Known: true, Collections: []string{"default/sim_rows"}}
	for name, c := range map[string]struct {
		token  string
		grants []milvussim.Grant
		binds  bool
		hidden string // empty: all is seen
	}{
		"root, who has no role":                      {token: milvussim.RootToken},
		"root on a server that binds it":             {token: milvussim.RootToken, binds: true, hidden: "does not see everything"},
		"a reader of the cluster":                    {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "ClusterReadOnly"}}, hidden: "ops (roles: ops) may not see every collection"},
		"an administrator of the cluster":            {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "ClusterAdmin"}}, hidden: "CollectionReadOnly"},
		"a reader of all collections":                {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "CollectionReadOnly", Database: "*", Collection: "*"}}},
		"a reader of the default database":           {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "CollectionReadOnly", Database: "default", Collection: "*"}}, hidden: "may not see"},
		"a reader of one collection":                 {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "CollectionReadOnly", Database: "*", Collection: "sim_rows"}}, hidden: "may not see"},
		"one privilege on all collections":           {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "Query", Database: "*", Collection: "*"}}},
		"nobody":                                     {token: "ops:pw", hidden: "may not see"},
		"everything but no list of own groups is no": {token: "ops:pw", grants: []milvussim.Grant{{Privilege: "OurReaders", Database: "*", Collection: "*"}}, hidden: "may not see"},
	} {
		t.Run(name, func(t *testing.T) {
			specs := milvussim.Converged(milvussim.Pair("a", "b"))
			specs[0].Users = []milvussim.User{{Name: "ops", Password: "pw", Grants: c.grants}}
			specs[0].BindsRoot = c.binds
			w := newWorld(t, milvussim.Options{}, specs...)
			_, _, err := w.Write("a", 3)
			must(t, err)
			w.config.Credentials[0].Token = func() (string, error) { return c.token, nil }
			got := w.observe(plan.Depth{Contents: true})["a"].Contents
			if c.hidden == "" {
				same(t, got, all)
			} else if got.Known || len(got.Collections) > 0 || !strings.Contains(got.Hidden, c.hidden) || strings.Contains(got.Hidden, ":pw") {
				t.Errorf("%+v, want hidden by %q", got, c.hidden)
			}
		})
	}
}

func TestSalvageAfterPromotion(t *testing.T) {
	w := pair(t, "")
	must(t, w.Stop("a"))
	r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{})
	same(t, r.Status, plan.StepDone)
	v := w.observe(plan.Depth{Progress: true})["b"]
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
	views := w.observe(plan.Depth{Progress: true, Contents: true})
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
	views := w.observe(plan.Depth{})
	if v := views["a"]; v.Credential != plan.CredentialMissing || v.Class != plan.ClassNotCalled || w.calls("a", "") != 0 {
		t.Errorf("%+v", v)
	}
	if v := views["b"]; v.Reach != plan.ReachUp {
		t.Errorf("%+v", v)
	}
}
