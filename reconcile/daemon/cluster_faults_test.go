package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
)

// TestCausesAreNamed: of each thing that keeps us from judging a cluster, the log names the
// kind and the cause, and whether only an operator can mend it.
func TestCausesAreNamed(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		view plan.View
		role plan.Role
		want clusterFault
	}{
		{
			"a wrong authority",
			plan.View{Reach: plan.ReachUnknown, Class: plan.ClassTLS, Error: "TLS fails: its certificate is signed by an authority that is not trusted"},
			plan.RoleStandby,
			clusterFault{"tls", "a cannot be reached: TLS fails: its certificate is signed by an authority that is not trusted", plan.SeverityCritical},
		},
		{
			"a wrong port",
			plan.View{Reach: plan.ReachUnknown, Class: plan.ClassTLS, Error: "the server there does not speak gRPC"},
			plan.RolePrimary,
			clusterFault{"tls", "a cannot be reached: the server there does not speak gRPC", plan.SeverityCritical},
		},
		{
			"a wrong token",
			plan.View{Reach: plan.ReachUp, Class: plan.ClassUnauthenticated, Credential: plan.CredentialRefused, Error: "Unauthenticated: no"},
			plan.RoleStandby,
			clusterFault{"token", "a refuses our token: Unauthenticated: no", plan.SeverityCritical},
		},
		{"a name that is not resolved", plan.View{Class: plan.ClassDNS}, plan.RoleStandby, clusterFault{"name", "a cannot be reached: its name is not resolved", plan.SeverityWarning}},
		{"the primary is gone", plan.View{Reach: plan.ReachUnreachable, Class: plan.ClassRefused}, plan.RolePrimary, clusterFault{"unreachable", "a does not answer", plan.SeverityCritical}},
		{"a stale one is gone", plan.View{Reach: plan.ReachUnreachable, Class: plan.ClassRefused}, plan.RoleStale, clusterFault{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.view.Cluster, c.view.At = "a", at
			got, ok := faultOf(plan.ClusterPlan{ID: "a", DesiredRole: c.role, View: c.view})
			if got != c.want || ok != (c.want.text != "") {
				t.Errorf("%+v, %t", got, ok)
			}
			if strings.Count(got.text, "TLS fails") > 1 {
				t.Errorf("it says twice: %s", got.text)
			}
		})
	}
}

// TestOneWrongTokenIsOneLine, however many clusters refuse it: once when it begins, once when
// none refuses it any more, and again for a cluster that begins to refuse it much later. As any fault, one that lasts is
// told again after a while.
func TestOneWrongTokenIsOneLine(t *testing.T) {
	clock := &handClock{now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	var told []string
	l := &Loop{clock: clock, board: &Board{}, settings: &shared{Settings: Settings{TokenOf: func(string) string { return "file /etc/token" }}}}
	l.faults.clock, l.faults.emit = clock, func(e Event) { told = append(told, e.Text) }
	workers := []*worker{newWorker(l, "orders"), newWorker(l, "users"), newWorker(l, "video")}
	sweep := func(refusing ...string) {
		clock.now = clock.now.Add(30 * time.Second)
		for _, w := range workers {
			v := plan.View{At: clock.now, Reach: plan.ReachUp, Belief: plan.Belief{Kind: plan.BeliefPrimary}}
			if slices.Contains(refusing, w.name) {
				v.Belief, v.Class, v.Credential, v.Error = plan.Belief{Kind: plan.BeliefUnknown}, plan.ClassUnauthenticated, plan.CredentialRefused, "no"
			}
			w.tellClusters(plan.TopologyPlan{Clusters: []plan.ClusterPlan{{ID: w.name + "-a", DesiredRole: plan.RolePrimary, View: v}}}, "")
		}
	}
	sweep("orders", "users")
	sweep("orders", "users")
	sweep("users")
	sweep()
	sweep("users")
	clock.now = clock.now.Add(5 * time.Minute)
	sweep("orders", "users")
	clock.now = clock.now.Add(5 * time.Minute)
	sweep("orders", "video")
	const of = " refuses our token: no (the token is that of the file /etc/token; of other clusters that refuse it too nothing is logged)"
	if d := cmp.Diff([]string{
		"orders-a" + of,
		"users-a takes our token again, and no other cluster refuses it: file /etc/token, after 1 min 30 s and 5 tries",
		"users-a" + of,
		"still, for 11 min and 4 tries: orders-a" + of,
		"video-a" + of,
	}, told); d != "" {
		t.Error(d)
	}
}

// TestAnUnreadTokenIsNoStateOfItsOwn: one line names its file for all topologies. What else
// blocks a topology is told with it.
func TestAnUnreadTokenIsNoStateOfItsOwn(t *testing.T) {
	unread := plan.View{Credential: plan.CredentialMissing, Class: plan.ClassNotCalled, Error: "read a secret: no such file"}
	unknown := plan.View{Credential: plan.CredentialMissing, Class: plan.ClassNotCalled, Error: "the operator's configuration has no credential for a"}
	missing := plan.NewFinding(plan.CodeCredentialMissing, "a", "seen", "mend it")
	for name, c := range map[string]struct {
		view     plan.View
		findings []plan.Finding
		want     bool
	}{
		"its file is gone":            {unread, []plan.Finding{missing, missing}, true},
		"no credential is configured": {unknown, []plan.Finding{missing}, false},
		"something else blocks too":   {unread, []plan.Finding{missing, plan.NewFinding(plan.CodeSplitBrain, "", "two", "stop one")}, false},
		"nothing blocks":              {unread, nil, false},
	} {
		s := TopologyStatus{State: StateBlocked, Plan: plan.TopologyPlan{Findings: c.findings, Clusters: []plan.ClusterPlan{{ID: "a", View: c.view}}}}
		if got := s.onlyUnreadTokens(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if len(c.findings) > 0 && !strings.HasPrefix(s.reason(), "blocked by CREDENTIAL_MISSING") || strings.Count(s.reason(), "CREDENTIAL_MISSING") > 1 {
			t.Errorf("%s: the reason is %q", name, s.reason())
		}
	}
}
