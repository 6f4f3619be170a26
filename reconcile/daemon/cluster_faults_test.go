package daemon

import (
	"strings"
	"testing"
	"time"

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
			plan.View{Reach: plan.ReachUnknown, Class: plan.ClassTLS, Error: "what answers there does not speak gRPC"},
			plan.RolePrimary,
			clusterFault{"tls", "a cannot be reached: what answers there does not speak gRPC", plan.SeverityCritical},
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
