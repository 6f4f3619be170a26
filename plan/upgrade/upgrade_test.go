package upgrade_test

import (
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/plan/upgrade"
)

// TestAdvise: the order keeps replication going where one does, and what
// stops it is said with what to do before.
func TestAdvise(t *testing.T) {
	fine := upgrade.Stream{TokenMay: plan.SupportYes, Dumps: plan.SupportYes}
	open := upgrade.Stream{Open: plan.SupportYes, TokenBlank: true}
	with := func(s upgrade.Stream, change func(*upgrade.Stream)) upgrade.Stream {
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		from    []string // of the primary a and the standbys b, c
		to      string
		streams upgrade.Stream
		order   string
		stops   string // the cluster after whose upgrade nothing is replicated
		beware  []string
		mends   string
	}{
		"a pair comes to check streams":       {[]string{"v2.6.22", "v2.6.22"}, "2.6.25", fine, "a b", "", []string{"do no switchover between the steps"}, "#52387"},
		"a star comes to check streams":       {[]string{"v2.6.22", "v2.6.22", "v2.6.22"}, "3.0.2", fine, "a b c", "", []string{"do no switchover"}, "#53118"},
		"a pair within a line":                {[]string{"v2.6.19", "v2.6.19"}, "2.6.22", fine, "b a", "", nil, ""},
		"a pair that checks streams already":  {[]string{"v3.0.1", "v3.0.1"}, "3.0.2", fine, "b a", "", nil, "#53118"},
		"a standby that was upgraded already": {[]string{"v2.6.22", "v2.6.25"}, "2.6.25", fine, "a", "", nil, "#52387"},
		"a primary that was upgraded already": {[]string{"v2.6.25", "v2.6.22"}, "2.6.25", fine, "b", "", nil, "#52387"},
		"nothing to do":                       {[]string{"v2.6.25", "2.6.25"}, "v2.6.25", fine, "", "", nil, ""},
		"labels that name no release":         {[]string{"master-20260807-954c4e7ba5", "2.6-20260717-526e04504a"}, "3.0.2", fine, "a b", "", []string{"do no switchover"}, "#52387"},
		"to one that checks no streams": {
			[]string{"v2.6.25", "v2.6.25"}, "3.0.0", fine, "b a", "", []string{"3.0.0 lacks what v2.6.25 has: streams need a token"}, "",
		},
		"a version that nobody knows": {[]string{"v3.0.2", "v3.0.2"}, "3.0.9", fine, "b a", "", []string{"newer than tested"}, ""},
		"no authorization": {
			[]string{"v2.6.22", "v2.6.22"}, "2.6.25", open, "b a", "", []string{"if authorization is turned on there, replication to it stops for good"}, "#52387",
		},
		"linked without a token": {
			[]string{"v2.6.22", "v2.6.22"},
			"2.6.25", with(fine, func(s *upgrade.Stream) { s.TokenBlank = true }), "a b", "",
			[]string{"refused for good", "detach it and add it again"},
			"",
		},
		"a replication user without the right": {
			[]string{"v2.6.22", "v2.6.22"},
			"2.6.25", with(fine, func(s *upgrade.Stream) { s.TokenMay = plan.SupportNo }), "a b", "",
			[]string{"lacks UpdateReplicateConfiguration", `privilege="UpdateReplicateConfiguration"`},
			"",
		},
		"a replication user about which nothing is known": {
			[]string{"v2.6.22", "v2.6.22"}, "2.6.25", with(fine, func(s *upgrade.Stream) { s.TokenMay = plan.SupportUnknown }), "a b", "", []string{"it is not known whether the user of its replication token holds UpdateReplicateConfiguration: it was not asked"}, "",
		},
		"our user may not dump": {
			[]string{"v2.6.22", "v2.6.22"}, "2.6.25", with(fine, func(s *upgrade.Stream) { s.Dumps = plan.SupportNo }), "a b", "", []string{"our user lacks ManageOwnership", `privilege="ManageOwnership"`}, "",
		},
		"streams that were asked are believed before labels": {
			[]string{"", ""}, "3.0.2", with(fine, func(s *upgrade.Stream) { s.Checks = plan.SupportYes }), "b a", "", nil, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			topology := plan.Topology{Name: "orders"}
			var o plan.Observed
			var streams []upgrade.Stream
			for i, version := range c.from {
				id, role := string(rune('a'+i)), plan.RoleStandby
				if i == 0 {
					role = plan.RolePrimary
				}
				topology.Clusters = append(topology.Clusters, plan.Cluster{ID: id, Role: role})
				o.Views = append(o.Views, plan.View{Cluster: id, Version: version})
				s := c.streams
				s.Cluster = id
				streams = append(streams, s)
			}
			got := upgrade.Advise(topology, o, streams, release.Parse(c.to))
			var order, stops []string
			for _, s := range got.Order {
				order = append(order, s.Cluster)
				if len(s.Stops) > 0 {
					stops = append(stops, s.Cluster)
				}
			}
			if strings.Join(order, " ") != c.order || strings.Join(stops, " ") != c.stops {
				t.Errorf("order %v, stops after %v; want %q, %q", order, stops, c.order, c.stops)
			}
			var said strings.Builder
			for _, n := range got.Beware {
				said.WriteString(n.Message + " → " + n.Remedy + "\n")
			}
			for _, want := range c.beware {
				if !strings.Contains(said.String(), want) {
					t.Errorf("does not say %q:\n%s", want, said.String())
				}
			}
			if c.beware == nil && said.Len() > 0 && c.stops == "" && !strings.Contains(name, "already") {
				t.Errorf("says too much:\n%s", said.String())
			}
			if c.mends != "" && !slices.ContainsFunc(got.Mends, func(m string) bool { return strings.Contains(m, c.mends) }) {
				t.Errorf("mends %v, want %q", got.Mends, c.mends)
			}
		})
	}
}

// TestStandbyFirstStopsReplication: what KNOWN_ISSUE once advised is what the
// order avoids; and a pair that was left half upgraded is brought together.
func TestStandbyFirstStopsReplication(t *testing.T) {
	topology := plan.Topology{Name: "orders", Clusters: []plan.Cluster{{ID: "a", Role: plan.RolePrimary}, {ID: "b", Role: plan.RoleStandby}, {ID: "c", Role: plan.RoleStandby}}}
	o := plan.Observed{Views: []plan.View{{Cluster: "a", Version: "2.6.22"}, {Cluster: "b", Version: "2.6.25"}, {Cluster: "c", Version: "2.6.22"}}}
	got := upgrade.Advise(topology, o, nil, release.Parse("2.6.25"))
	if len(got.Order) != 2 || got.Order[0].Cluster != "a" || len(got.Order[0].Stops) > 0 {
		t.Errorf("%+v", got.Order)
	}
}
