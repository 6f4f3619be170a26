package plan

import (
	"slices"
	"testing"
	"time"
)

// TestFenceInLog: nothing is attached to a primary that was stale before, unless an
// approver says that its log holds no fence any more.
func TestFenceInLog(t *testing.T) {
	stale := StaleMark{Cluster: "a", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "b", Effected: true, Fenced: true}
	other := StaleMark{Cluster: "b", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "a", Effected: true}
	joining := cluster("c", RoleStandby)
	joining.Provisioned = Provisioned{From: ProvisionedEmpty, At: now.Add(-time.Hour)}
	doc := document(9, cluster("a", RolePrimary), joining).after(document(8, cluster("a", RolePrimary)))
	fresh := View{Cluster: "c", Reach: ReachUp, Belief: Belief{Kind: BeliefUnconfigured}, IdentityProven: true, ReadsConfiguration: SupportYes, Contents: Contents{Known: true}, Credential: CredentialBound, At: now}
	for name, c := range map[string]struct {
		memory Memory
		want   bool
	}{
		"a primary that was never stale":       {Memory{}, false},
		"a primary that was stale":             {Memory{Stale: []StaleMark{stale}}, true},
		"another cluster is stale":             {Memory{Stale: []StaleMark{other}}, false},
		"a primary that was stale, not fenced": {Memory{Stale: []StaleMark{{Cluster: "a", Topology: "orders", Since: now.Add(-time.Hour), Promoted: "b"}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := world{t: doc, views: []View{believing("a", storing("a")), fresh}, memory: c.memory}.plan(t)
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == CodeFenceInLog })
			if got.Transition != TransitionAddStandby || (i >= 0) != c.want {
				t.Fatalf("%s: %v", got.Transition, got.Findings)
			}
			accepted := []Code{CodeStalePromotion, CodeFenceInLog} // the last copy stays one
			if c.want && (!got.Blocked(accepted[:1]) || got.Blocked(accepted)) {
				t.Errorf("not blocked, or blocked though it is accepted: %v", got.Findings)
			}
		})
	}
}
