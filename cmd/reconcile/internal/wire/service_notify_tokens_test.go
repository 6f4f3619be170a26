package wire

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// fleetOf is topology number i with two clusters. What is wrong with the token of the first is
// the code; empty: nothing.
func fleetOf(i int, fault plan.Code) daemon.TopologyStatus {
	name := fmt.Sprintf("orders-%02d", i)
	a := clusterSeen(name+"-a", plan.RolePrimary, plan.ReachUp, plan.BeliefPrimary)
	s := status(plan.TransitionNone, nil)
	if fault == plan.CodeCredentialMissing {
		a.View = plan.View{Cluster: a.ID, Credential: plan.CredentialMissing, Class: plan.ClassNotCalled, Error: "read a secret: no such file"}
		s.Plan.Findings = []plan.Finding{plan.NewFinding(fault, a.ID, a.View.Error, "put it back")}
	}
	if fault == plan.CodeClusterUnreadable {
		a.View.Belief, a.View.Credential, a.View.Class = plan.Belief{Kind: plan.BeliefUnknown}, plan.CredentialRefused, plan.ClassUnauthenticated
		s.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeClusterUnreadable, a.ID, a.ID+" is up, and it refused our token", "correct it")}
	}
	s.Plan.Clusters = in(a, clusterSeen(name+"-b", plan.RoleStandby, plan.ReachUp, plan.BeliefStandby))
	s.Name, s.Plan.Name = name, name
	return s
}

// TestOneWrongTokenIsOneMessage, however many topologies share it, and one that it is over.
// Programs get each finding. A token of one topology is told with the topology.
func TestOneWrongTokenIsOneMessage(t *testing.T) {
	told := func(fault plan.Code, f notify.Format, topologies int) (out []map[string]any) {
		synctest.Test(t, func(t *testing.T) {
			h, w := listening(f)
			for i := range 20 {
				for _, id := range []string{"a", "b"} {
					h.environment.Config.Credentials = append(h.environment.Config.Credentials,
						schema.Credential{ClusterID: fmt.Sprintf("orders-%02d-%s", i, id), Token: schema.SecretRef{Env: "FLEET_TOKEN"}})
				}
			}
			for sweep := range 6 {
				for i := range topologies {
					now := fault
					if sweep >= 3 {
						now = ""
					}
					h.onPass(fleetOf(i, now), true)
				}
			}
			out = w.taken()
			h.close(t.Context())
		})
		return out
	}
	if d := cmp.Diff([]string{"a token is refused by 12 clusters", "RESOLVED: a token is refused by 12 clusters"}, titlesOf([][]map[string]any{told(plan.CodeClusterUnreadable, notify.FormatSlack, 12)})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"CRITICAL: a token of 12 clusters cannot be read", "RESOLVED: a token of 12 clusters cannot be read"}, titlesOf([][]map[string]any{told(plan.CodeCredentialMissing, notify.FormatSlack, 12)})); d != "" {
		t.Error(d)
	}
	text := fmt.Sprint(told(plan.CodeClusterUnreadable, notify.FormatSlack, 12)[0]["text"])
	for _, want := range []string{"12 clusters refuse the token of the environment variable FLEET_TOKEN: orders-00-a, orders-01-a, orders-02-a, orders-03-a, orders-04-a and 7 more", "\n    reconcile doctor"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	if d := cmp.Diff([]string{"orders-00: orders-00-a refuses our token", "orders-00: RESOLVED: orders-00-a refuses our token"}, titlesOf([][]map[string]any{told(plan.CodeClusterUnreadable, notify.FormatSlack, 1)})); d != "" {
		t.Error(d)
	}
	if got := told(plan.CodeClusterUnreadable, notify.FormatCloudEvents, 12); len(got) != 24 {
		t.Errorf("programs got %d events, want 24", len(got))
	}
	pages := map[any]any{}
	for _, v := range told(plan.CodeClusterUnreadable, notify.FormatPagerDuty, 12) {
		pages[v["event_action"]] = v["dedup_key"]
	}
	if len(pages) != 2 || pages["trigger"] != pages["resolve"] {
		t.Errorf("paged %v", pages)
	}
}
