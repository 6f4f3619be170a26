package milvus

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/upgrade"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestStreams: whether a cluster checks streams is asked of it, and so is what the
// token of replication may do.
func TestStreams(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	specs[0].Users = []milvussim.User{
		{Name: "cdc", Password: "pw", Grants: []milvussim.Grant{{Privilege: "UpdateReplicateConfiguration"}}},
		{Name: "none", Password: "pw"},
	}
	for name, c := range map[string]struct {
		profile     string
		open        bool
		replication string
		want        upgrade.Stream
	}{
		"before the checks": {"2.6.22", false, "cdc:pw", upgrade.Stream{Open: plan.SupportNo, Checks: plan.SupportNo, TokenMay: plan.SupportYes, Dumps: plan.SupportYes}},
		"with the checks":   {"2.6.25", false, "cdc:pw", upgrade.Stream{Open: plan.SupportNo, Checks: plan.SupportYes, TokenMay: plan.SupportYes, Dumps: plan.SupportYes}},
		"without a label":   {milvussim.Unlabelled, false, "none:pw", upgrade.Stream{Open: plan.SupportNo, Checks: plan.SupportYes, TokenMay: plan.SupportNo, Dumps: plan.SupportYes}},
		"a wrong token":     {"3.0.0", false, "cdc:wrong", upgrade.Stream{Open: plan.SupportNo, Checks: plan.SupportNo, Dumps: plan.SupportYes}},
		"no token":          {"3.0.2", false, "", upgrade.Stream{Open: plan.SupportNo, Checks: plan.SupportYes, TokenBlank: true, Dumps: plan.SupportYes}},
		"no authorization":  {"3.0.2", true, "", upgrade.Stream{Open: plan.SupportYes, TokenBlank: true, Dumps: plan.SupportYes}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, milvussim.Options{Profile: c.profile, NoAuthorization: c.open}, specs...)
			w.config.Credentials[0].ReplicationToken = func() (string, error) { return c.replication, nil }
			topologies := []plan.Topology{w.topology}
			views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{})
			got := w.fleet().Reader().Streams(w.ctx(), topologies, views)
			if len(got) != 2 || got[0].Cluster != "a" {
				t.Fatalf("%+v", got)
			}
			if strings.Contains(got[0].TokenDetail, ":pw") || strings.Contains(got[0].TokenDetail, ":wrong") || w.calls("", updateMethod) > 0 {
				t.Error("a token was said, or a configuration sent")
			}
			got[0].Cluster, got[0].TokenDetail = "", ""
			same(t, got[0], c.want)
		})
	}
}
