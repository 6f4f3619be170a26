package render

import (
	"io"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestARefusedTokenIsSaid, in the first line of a page and in the line of the cluster, with
// what to do.
func TestARefusedTokenIsSaid(t *testing.T) {
	for name, refused := range map[string]string{"of the primary": "cluster-a", "of the standby": "cluster-b"} {
		t.Run(name, func(t *testing.T) {
			topology := plan.Topology{Name: "orders", Generation: 1, Clusters: []plan.Cluster{
				{ID: "cluster-a", Role: plan.RolePrimary, URI: "http://a:19530", PChannels: []string{"cluster-a-rootcoord-dml_0"}},
				{ID: "cluster-b", Role: plan.RoleStandby, URI: "http://b:19530", PChannels: []string{"cluster-b-rootcoord-dml_0"}},
			}}
			live := plan.Configuration{Edges: []plan.Edge{{From: "cluster-a", To: "cluster-b"}}}
			for _, c := range topology.Clusters {
				live.Clusters = append(live.Clusters, plan.Member{ID: c.ID, URI: c.URI, PChannels: c.PChannels})
			}
			var o plan.Observed
			for _, c := range topology.Clusters {
				v := plan.View{Cluster: c.ID, Reach: plan.ReachUp, Credential: plan.CredentialBound, Version: "2.6.19", Belief: plan.ClassifyBelief(c.ID, live.Clone())}
				if c.ID == refused {
					v.Credential, v.Class, v.Belief, v.Version = plan.CredentialRefused, plan.ClassUnauthenticated, plan.Belief{}, ""
				}
				o.Views = append(o.Views, v)
			}
			d := Document{Kind: KindStatus, Plan: plan.Compute(plan.Desired{Topologies: []plan.Topology{topology}}, o, plan.Memory{})}
			page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
			first, _, _ := strings.Cut(page, "\n")
			if !strings.Contains(first, refused+" refuses our token") {
				t.Errorf("the first line says %q", first)
			}
			for _, want := range []string{"correct its token in the operator's configuration", "token refused"} {
				if strings.Count(page, want) != 1 {
					t.Errorf("the page does not say %q once:\n%s", want, page)
				}
			}
		})
	}
}
