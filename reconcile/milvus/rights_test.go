package milvus

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestRights: whether a token may send a configuration is known from grants
// alone, or said not to be known; nothing is sent to find out.
func TestRights(t *testing.T) {
	for _, c := range []struct {
		name   string
		token  string
		grants []string
		want   plan.Support
		says   string
	}{
		{name: "root", token: milvussim.RootToken, want: plan.SupportYes, says: "rootShouldBindRole"},
		{name: "the privilege itself", token: "ops:pw", grants: []string{"ClusterReadOnly", "UpdateReplicateConfiguration"}, want: plan.SupportYes, says: "by UpdateReplicateConfiguration"},
		{name: "its group", token: "ops:pw", grants: []string{"ClusterAdmin"}, want: plan.SupportYes, says: "by ClusterAdmin"},
		{name: "a reader", token: "ops:pw", grants: []string{"ClusterReadOnly"}, want: plan.SupportNo, says: "no role of ops"},
		{name: "a group of their own, which this server does not tell", token: "ops:pw", grants: []string{"ClusterReadOnly", "OurOperators"}, want: plan.SupportUnknown, says: "ListPrivilegeGroups"},
		{name: "grants that may not be read", token: "ops:pw", grants: []string{"GetReplicateConfiguration"}, want: plan.SupportUnknown, says: "SelectOwnership"},
	} {
		t.Run(c.name, func(t *testing.T) {
			specs := milvussim.Converged(milvussim.Pair("a", "b"))
			var grants []milvussim.Grant
			for _, g := range c.grants {
				grants = append(grants, milvussim.Grant{Privilege: g})
			}
			specs[1].Users = []milvussim.User{{Name: "ops", Password: "pw", Grants: grants}}
			w := newWorld(t, milvussim.Options{}, specs...)
			w.config.Credentials[1].Token = func() (string, error) { return c.token, nil }
			topologies := []plan.Topology{w.topology}
			views := w.fleet().Reader().Observe(w.ctx(), topologies, Depth{})
			got := w.fleet().Reader().Rights(w.ctx(), topologies, views)
			if len(got) != 2 || got[1].Cluster != "b" || got[1].Update != c.want || !strings.Contains(got[1].Detail, c.says) {
				t.Fatalf("%+v, want %q", got, c.want)
			}
			if strings.Contains(got[1].Detail, ":pw") || w.calls("", updateMethod) > 0 {
				t.Error("a token was said, or a configuration sent")
			}
		})
	}
}

// TestRightsWithoutAuthentication: a server that reads its configuration out to
// us without a token takes one from us too.
func TestRightsWithoutAuthentication(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	w := newWorld(t, milvussim.Options{NoAuthorization: true}, specs...)
	for i := range w.config.Credentials {
		w.config.Credentials[i].Token = nil
	}
	topologies := []plan.Topology{w.topology}
	views := w.fleet().Reader().Observe(w.ctx(), topologies, Depth{})
	for _, r := range w.fleet().Reader().Rights(w.ctx(), topologies, views) {
		if r.Update != plan.SupportYes || !strings.Contains(r.Detail, "nobody") {
			t.Errorf("%+v", r)
		}
	}
}

// TestRightsOfWhoCannotBeAsked: an API key tells no user, and a cluster that
// was not seen up is not called.
func TestRightsOfWhoCannotBeAsked(t *testing.T) {
	w := pair(t, "")
	topologies := []plan.Topology{w.topology}
	views := w.fleet().Reader().Observe(w.ctx(), topologies, Depth{})
	views[1].Reach = plan.ReachUnreachable
	w.config.Credentials[0].Token = func() (string, error) { return "an-api-key", nil }
	got := w.fleet().Reader().Rights(w.ctx(), topologies, views)
	if len(got) != 1 || got[0].Update != plan.SupportUnknown || !strings.Contains(got[0].Detail, "API key") {
		t.Errorf("%+v", got)
	}
}

// TestClusterClocks compares the ticks of a cluster with ours.
func TestClusterClocks(t *testing.T) {
	w := pair(t, "")
	w.clock.now = time.Now().Add(-time.Hour)
	topologies := []plan.Topology{w.topology}
	views := w.fleet().Reader().Observe(w.ctx(), topologies, Depth{})
	for _, r := range w.fleet().Reader().Rights(w.ctx(), topologies, views) {
		if off := r.Ahead - time.Hour; !r.Ticked || off.Abs() > time.Minute {
			t.Errorf("%s is %s ahead, want an hour", r.Cluster, r.Ahead)
		}
	}
}
