package propose

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestCautions: what a named failover or switchover would run into is said at once.
func TestCautions(t *testing.T) {
	up := func(id string, kind plan.BeliefKind) plan.View {
		return plan.View{Cluster: id, Reach: plan.ReachUp, Credential: plan.CredentialBound, Belief: plan.Belief{Kind: kind}}
	}
	down := func(id string) plan.View {
		return plan.View{Cluster: id, Reach: plan.ReachUnreachable, Class: plan.ClassRefused}
	}
	refused := plan.View{Cluster: "a", Reach: plan.ReachUp, Credential: plan.CredentialRefused}
	for _, c := range []struct {
		name     string
		old, to  plan.View
		failover bool
		says     string
		instead  string
	}{
		{"the primary serves", up("a", plan.BeliefPrimary), up("b", plan.BeliefStandby), true, "a serves", "reconcile propose orders/b --switchover"},
		{"the primary stands alone and serves", up("a", plan.BeliefStandalone), up("b", plan.BeliefStandby), true, "a serves", "reconcile propose orders/b --switchover"},
		{"the primary is frozen", up("a", plan.BeliefStandby), up("b", plan.BeliefStandby), true, "", ""},
		{"the primary is lost", down("a"), up("b", plan.BeliefStandby), true, "", ""},
		{"nobody was asked", plan.View{Cluster: "a"}, plan.View{Cluster: "b"}, true, "", ""},
		{"the token is refused", refused, up("b", plan.BeliefStandby), true, "a refuses our token", ""},
		{"both work", up("a", plan.BeliefPrimary), up("b", plan.BeliefStandby), false, "", ""},
		{"a switchover from a lost primary", down("a"), up("b", plan.BeliefStandby), false, "a does not answer", "reconcile propose orders --failover"},
		{"the standby is lost", down("a"), down("b"), true, "b does not answer", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := cautionsOf("orders", c.old, c.to, c.failover)
			switch {
			case c.says == "" && len(got) > 0:
				t.Errorf("it says %+v", got)
			case c.says != "" && (len(got) != 1 || !strings.Contains(got[0].Words, c.says) || got[0].Instead != c.instead):
				t.Errorf("it says %+v, want %q and %q", got, c.says, c.instead)
			}
		})
	}
}
