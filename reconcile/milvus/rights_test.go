package milvus

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// TestRights: whether a token may send a configuration is known from grants
// alone, or said not to be known; nothing is sent to find out.
func TestRights(t *testing.T) {
	for _, c := range []struct {
		name   string
		token  string
		grants []string
		groups []string
		binds  bool
		want   plan.Support
		says   string
	}{
		{name: "root", token: milvussim.RootToken, want: plan.SupportYes, says: "which no role binds"},
		{name: "root that the server binds", token: milvussim.RootToken, binds: true, want: plan.SupportNo, says: "rootShouldBindRole"},
		{name: "the privilege itself", token: "ops:pw", grants: []string{"ClusterReadOnly", "UpdateReplicateConfiguration"}, want: plan.SupportYes, says: "by UpdateReplicateConfiguration"},
		{name: "its group", token: "ops:pw", grants: []string{"ClusterAdmin"}, want: plan.SupportYes, says: "by ClusterAdmin"},
		{name: "a reader", token: "ops:pw", grants: []string{"ClusterReadOnly"}, want: plan.SupportNo, says: "no role of ops"},
		{name: "grants of its own role can always be read", token: "ops:pw", grants: []string{"GetReplicateConfiguration"}, want: plan.SupportNo, says: "no role of ops"},
		{name: "a group of their own that may not be read", token: "ops:pw", grants: []string{"OurOperators"}, want: plan.SupportUnknown, says: "ListPrivilegeGroups"},
		{name: "a group of their own", token: "ops:pw", grants: []string{"ClusterReadOnly", "OurOperators"}, groups: []string{"UpdateReplicateConfiguration"}, want: plan.SupportYes, says: "by OurOperators"},
		{name: "a group of their own that lacks it", token: "ops:pw", grants: []string{"ClusterReadOnly", "OurOperators"}, groups: []string{"Query"}, want: plan.SupportNo, says: "no role of ops"},
		{name: "who has no role", token: "ops:pw", want: plan.SupportNo, says: "no role of ops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			specs := milvussim.Converged(milvussim.Pair("a", "b"))
			var grants []milvussim.Grant
			for _, g := range c.grants {
				grants = append(grants, milvussim.Grant{Privilege: g})
			}
			specs[1].Users = []milvussim.User{{Name: "ops", Password: "pw", Grants: grants}}
			specs[1].BindsRoot = c.binds
			if c.groups != nil {
				specs[1].Groups = map[string][]string{"OurOperators": c.groups}
			}
			w := newWorld(t, milvussim.Options{}, specs...)
			w.config.Credentials[1].Token = func() (string, error) { return c.token, nil }
			topologies := []plan.Topology{w.topology}
			views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{})
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
	views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{})
	for _, r := range w.fleet().Reader().Rights(w.ctx(), topologies, views) {
		if r.Update != plan.SupportYes || !strings.Contains(r.Detail, "no token") {
			t.Errorf("%+v", r)
		}
	}
}

// TestRightsOfWhoCannotBeAsked: an API key tells no user, and a cluster that
// was not seen up is not called.
func TestRightsOfWhoCannotBeAsked(t *testing.T) {
	w := pair(t, "")
	topologies := []plan.Topology{w.topology}
	views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{})
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
	views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{})
	for _, r := range w.fleet().Reader().Rights(w.ctx(), topologies, views) {
		if off := r.Ahead - time.Hour; !r.Ticked || off.Abs() > time.Minute {
			t.Errorf("%s is %s ahead, want an hour", r.Cluster, r.Ahead)
		}
	}
}

// TestHeld names every privilege that the version asks for and the user lacks, with
// a call that grants it.
func TestHeld(t *testing.T) {
	least := map[string]bool{}
	for _, p := range release.Privileges() {
		least[p.Name] = true
		if !strings.Contains(p.Grant("ops"), `privilege="`+p.Name+`"`) || p.Cost == "" || p.For == "" {
			t.Errorf("%+v", p)
		}
		for _, g := range p.Groups {
			if p.Name != release.PrivilegeSeesNames && !slices.Contains(milvussim.Privileges(g), p.Name) {
				t.Errorf("%s does not hold %s", g, p.Name)
			}
		}
	}
	for profile, asks := range map[string]bool{"2.6.22": false, "3.0.0": false, "2.6.23": true, "3.0.2": true, "master": true} {
		specs := milvussim.Converged(milvussim.Pair("a", "b"))
		specs[0].Users = []milvussim.User{{Name: "ops", Password: "pw", Grants: []milvussim.Grant{{Privilege: "GetReplicateConfiguration"}, {Privilege: "UpdateReplicateConfiguration"}}}}
		w := newWorld(t, milvussim.Options{Profile: profile}, specs...)
		w.config.Credentials[0].Token = func() (string, error) { return "ops:pw", nil }
		topologies := []plan.Topology{w.topology}
		views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{Progress: true})
		lacks := map[string]bool{}
		for _, h := range w.fleet().Reader().Rights(w.ctx(), topologies, views)[0].Held {
			if h.Held == plan.SupportNo {
				lacks[h.Privilege.Name] = true
			}
		}
		want := map[string]bool{"CreateCollection": true, "DropCollection": true, "CollectionReadOnly": true}
		if asks {
			want["ManageOwnership"] = true
		}
		if !maps.Equal(lacks, want) {
			t.Errorf("%s: lacks %v, want %v", profile, lacks, want)
		}
	}
}

// TestHeldForLoads: the rights that 'load: auto' needs count only if they are for every
// collection of every database, and only who wants it is told of them.
func TestHeldForLoads(t *testing.T) {
	for _, p := range release.LoadPrivileges() {
		for _, g := range p.Groups {
			if !slices.Contains(milvussim.Privileges(g), p.Name) {
				t.Errorf("%s does not hold %s", g, p.Name)
			}
		}
	}
	for name, c := range map[string]struct {
		grants []milvussim.Grant
		want   plan.Support
	}{
		"none":                    {nil, plan.SupportNo},
		"both, in one database":   {[]milvussim.Grant{{Privilege: "Load", Database: "default"}, {Privilege: "CreateIndex", Database: "default"}}, plan.SupportNo},
		"both, everywhere":        {[]milvussim.Grant{{Privilege: "Load"}, {Privilege: "CreateIndex"}}, plan.SupportYes},
		"a group that holds both": {[]milvussim.Grant{{Privilege: "CollectionReadWrite"}}, plan.SupportYes},
	} {
		t.Run(name, func(t *testing.T) {
			specs := milvussim.Converged(milvussim.Pair("a", "b"))
			specs[0].Users = []milvussim.User{{Name: "ops", Password: "pw", Grants: append(c.grants, milvussim.Grant{Privilege: "GetReplicateConfiguration"})}}
			w := newWorld(t, milvussim.Options{}, specs...)
			w.config.Credentials[0].Token = func() (string, error) { return "ops:pw", nil }
			topologies := []plan.Topology{w.topology}
			views := w.fleet().Reader().Observe(w.ctx(), topologies, plan.Depth{})
			least := len(w.fleet().Reader().Rights(w.ctx(), topologies, views)[0].Held)
			held := w.fleet().Reader().Rights(w.ctx(), topologies, views, release.LoadPrivileges()...)[0].Held
			if len(held) != least+2 || held[least].Held != c.want || held[least+1].Held != c.want {
				t.Errorf("%d of %d: %+v, want %q", least, len(held), held[least:], c.want)
			}
		})
	}
}

// TestAGatewayProvesNothing: somebody before the server may deny a call that the
// server does not even know. Only Milvus' own words show that it does.
func TestAGatewayProvesNothing(t *testing.T) {
	w := pair(t, "2.6.19")
	must(t, w.AddFault("b", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError, Code: codes.PermissionDenied}))
	v := w.observe(plan.Depth{Progress: true})["b"]
	if v.ForcePromotes != plan.SupportUnknown || v.DumpDenied {
		t.Errorf("honours force_promote %q, denied %t", v.ForcePromotes, v.DumpDenied)
	}
}

// TestDeniedDumps: a server that denies a dump knows the call, so that it honours
// force_promote; what takes a dump is unknown, and said to be for want of a grant.
func TestDeniedDumps(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	for i := range specs {
		specs[i].Users = []milvussim.User{{Name: "ops", Password: "pw", Grants: []milvussim.Grant{{Privilege: "GetReplicateConfiguration"}, {Privilege: "UpdateReplicateConfiguration"}}}}
	}
	for profile, denied := range map[string]bool{"2.6.22": false, "2.6.23": true, "3.0.2": true} {
		t.Run(profile, func(t *testing.T) {
			w := newWorld(t, milvussim.Options{Profile: profile}, specs...)
			for i := range w.config.Credentials {
				w.config.Credentials[i].Token = func() (string, error) { return "ops:pw", nil }
			}
			for id, v := range w.observe(plan.Depth{Progress: true}) {
				if v.ForcePromotes != plan.SupportYes || v.DumpDenied != denied {
					t.Errorf("%s: honours force_promote %q, denied %t", id, v.ForcePromotes, v.DumpDenied)
				}
				for _, p := range v.Progress {
					if v.Belief.Kind == plan.BeliefStandby && (p.CaughtUpAt == nil) != denied {
						t.Errorf("%s: caught up at %v", p.Channel, p.CaughtUpAt)
					}
				}
			}
			must(t, w.Stop("a"))
			same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
			must(t, w.Revive("a"))
			got, err := w.fleet().Reader().Salvage(w.ctx(), w.topology, "b", "a", func(SalvagedMessage) error { return nil })
			must(t, err)
			for _, c := range got.Channels {
				if strings.Contains(c.Problem, `grant_privilege_v2(role_name="ROLE", privilege="ManageOwnership"`) != denied {
					t.Errorf("%s: %q", c.Channel, c.Problem)
				}
			}
		})
	}
}
