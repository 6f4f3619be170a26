package render

import (
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// refusedFleet is a status of topologies all of whose clusters refuse our token.
func refusedFleet(names ...string) Document {
	refusing := plan.View{Reach: plan.ReachUp, Credential: plan.CredentialRefused, Class: plan.ClassUnauthenticated}
	d := Document{Kind: KindStatus}
	for _, name := range names {
		a, b := refusing, refusing
		a.Cluster, b.Cluster = name+"-a", name+"-b"
		topology := plan.TopologyPlan{Name: name, Primary: a.Cluster, Clusters: []plan.ClusterPlan{
			{ID: a.Cluster, DesiredRole: plan.RolePrimary, View: a}, {ID: b.Cluster, DesiredRole: plan.RoleStandby, View: b},
		}}
		for _, c := range topology.Clusters {
			topology.Findings = append(topology.Findings, plan.NewFinding(plan.CodeClusterUnreadable, c.ID, c.ID+" is up, and it refused our token", "correct its token"))
		}
		d.Plan.Topologies = append(d.Plan.Topologies, topology)
	}
	return d
}

// TestOneWrongTokenIsOneRow: clusters of several topologies that refuse our token are one row,
// unless all are listed.
func TestOneWrongTokenIsOneRow(t *testing.T) {
	d := refusedFleet("orders", "users", "videos")
	for listing, rows := range map[Listing]int{ListTrouble: 1, ListAll: 3, ListProblems: 3} {
		page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{Listing: listing}) }))
		if got := strings.Count(page, "our token"); got != rows {
			t.Errorf("%d rows, want %d:\n%s", got, rows, page)
		}
		if listing == ListTrouble && !strings.Contains(strings.Join(strings.Fields(page), " "), "6 clusters of 3 topologies refuse our token") {
			t.Errorf("the page:\n%s", page)
		}
	}
	if got := RefusedTokens(d.Plan.Topologies); !strings.HasPrefix(got, "6 clusters of 3 topologies") || RefusedTokens(d.Plan.Topologies[:1]) != "" {
		t.Errorf("the page of the daemon says %q", got)
	}
}

// TestAWrongTokenHidesNothingElse: a topology with more than a token that is refused keeps its
// own row, which says what it has, and stands before the row of the others.
func TestAWrongTokenHidesNothingElse(t *testing.T) {
	dead := plan.View{Reach: plan.ReachUnreachable, Class: plan.ClassRefused}
	at := time.Date(2026, 11, 30, 13, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		alter func(*plan.TopologyPlan)
		says  string
	}{
		"a change is planned": {func(p *plan.TopologyPlan) { p.Transition = plan.TransitionFailover }, "FAILOVER"},
		"a change has begun":  {func(p *plan.TopologyPlan) { p.Transition, p.Resumed = plan.TransitionFailover, true }, "FAILOVER"},
		"it is under way": {func(p *plan.TopologyPlan) {
			p.UnderWay = &plan.UnderWay{Transition: plan.TransitionFailover, By: "eve", Since: at, Step: "force promote"}
		}, "UNDER WAY"},
		"an intent is open": {func(p *plan.TopologyPlan) {
			p.Findings = append(p.Findings, plan.NewFinding(plan.CodePromotionInDoubt, "", "begun and open", "continue it"))
		}, "PROMOTION_IN_DOUBT"},
		"a stale cluster": {func(p *plan.TopologyPlan) {
			p.Findings = append(p.Findings, plan.NewFinding(plan.CodeStalePrimary, "", "it is stale", "rebuild it"))
		}, "STALE_PRIMARY"},
		"the standby is dead": {func(p *plan.TopologyPlan) {
			p.Clusters[1].View = dead
			p.Findings[1] = plan.NewFinding(plan.CodeClusterUnreachable, p.Clusters[1].ID, "it is unreachable", "bring it back")
		}, "standby users-b refuses connections"},
		"the primary is dead": {func(p *plan.TopologyPlan) {
			p.Clusters[0].View = dead
			p.Findings[0] = plan.NewFinding(plan.CodeNoPrimary, p.Clusters[0].ID, "no cluster takes writes", "fail over")
		}, "NO PRIMARY"},
	} {
		t.Run(name, func(t *testing.T) {
			d := refusedFleet("orders", "users", "videos")
			c.alter(&d.Plan.Topologies[1])
			page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
			flat := strings.Join(strings.Fields(page), " ")
			row, others := strings.Index(flat, " users "), strings.Index(flat, "4 clusters of 2 topologies refuse our token")
			if row < 0 || others < row || !strings.Contains(flat[row:others], c.says) {
				t.Errorf("the row of users lacks %q, or is not before that of the others:\n%s", c.says, page)
			}
		})
	}
}
