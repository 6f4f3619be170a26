package milvus

import (
	"os"
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/milvussim/leastrights"
	"milvus-reconcile/reconcile/permit"
)

// leastRights makes the user of docs/setup.md on a cluster.
func leastRights(t *testing.T, w *world, cluster string) (token string) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/setup.md")
	must(t, err)
	token, err = leastrights.Grant(w.ctx(), w.Address(cluster), milvussim.RootToken, string(doc))
	must(t, err)
	return token
}

// TestLeastRights: the user that docs/setup.md makes may do everything that
// commands do, with every version that tells what it stores.
func TestLeastRights(t *testing.T) {
	for _, profile := range milvussim.Profiles() {
		p, err := milvussim.ParseProfile(profile)
		must(t, err)
		if !p.Does()["read_configuration"] {
			continue
		}
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w := pair(t, profile)
			token := leastRights(t, w, "a") // the standby gets it by replication
			for i := range w.config.Credentials {
				w.config.Credentials[i].Token = func() (string, error) { return token, nil }
				w.config.Credentials[i].ReplicationToken = rootToken
			}
			must(t, w.fleet().ProveReplication(w.ctx(), w.topology, "a", "b", 20*time.Second))
			views := w.observe(plan.Depth{Progress: true, Contents: true})
			for id, v := range views {
				if v.Class != plan.ClassNone || !v.IdentityProven || v.ForcePromotes != plan.SupportYes || v.DumpDenied || !v.Contents.Known {
					t.Errorf("%s: %+v", id, v)
				}
			}
			for ctx := w.ctx(); !caughtUp(w.observe(plan.Depth{Progress: true})["b"]); {
				if ctx.Err() != nil {
					t.Fatal("whether the standby has caught up cannot be told")
				}
			}
			topologies := []plan.Topology{w.topology}
			for _, r := range w.fleet().Reader().Rights(w.ctx(), topologies, w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{Progress: true})) {
				for _, h := range r.Held {
					if h.Held != plan.SupportYes {
						t.Errorf("%s: %s: %q, %s", r.Cluster, h.Privilege.Name, h.Held, h.Detail)
					}
				}
			}
			must(t, w.Stop("a"))
			if r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}); r.Status != plan.StepDone {
				t.Fatalf("%+v", r)
			}
			if v := w.fleet().Verify(w.ctx(), w.topology, "b", plan.VerifyDML, nil); v.Err != nil || v.Proven != plan.VerifyDML {
				t.Errorf("%+v", v)
			}
			must(t, w.Revive("a"))
			if v := w.observe(plan.Depth{})["a"]; p.Does()["info_on_primary"] && v.IdentityProven {
				_, err := w.fleet().Reader().Salvage(w.ctx(), w.topology, "b", "a", func(SalvagedMessage) error { return nil })
				must(t, err)
			}
		})
	}
}

// caughtUp says whether a dump of the source showed that nothing is unsent.
func caughtUp(v plan.View) bool {
	return len(v.Progress) > 0 && !slices.ContainsFunc(v.Progress, func(p plan.ChannelProgress) bool { return p.CaughtUpAt == nil })
}
