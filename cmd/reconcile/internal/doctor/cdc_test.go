package doctor

import (
	"errors"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/discovery"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// TestCDCChecks: a primary without CDC is a fault today, a standby without it one of tomorrow, and
// what could not be read is neither.
func TestCDCChecks(t *testing.T) {
	inside := schema.KubernetesPlace{Namespace: "milvus", Instance: "orders-a"}
	outside := schema.KubernetesPlace{Namespace: "milvus", Instance: "orders-a", Kubeconfig: "/k", Context: "eu"}
	for name, c := range map[string]struct {
		role           plan.Role
		place          schema.KubernetesPlace
		by             discovery.Maker
		state          discovery.CDC
		err            error
		want           render.CheckState
		says, remedies string
	}{
		"it runs":                       {plan.RoleStandby, inside, discovery.Chart, discovery.CDCReady, nil, render.CheckOK, "CDC runs", ""},
		"a primary without it":          {plan.RolePrimary, outside, discovery.Operator, discovery.CDCAbsent, nil, render.CheckFailed, "not deployed: it sends nothing to its standbys", `'kubectl --kubeconfig /k --context eu -n milvus patch milvus orders-a --type merge -p "spec: {components: {cdc: {replicas: 1}}}"'`},
		"a standby without it":          {plan.RoleStandby, inside, discovery.Chart, discovery.CDCAbsent, nil, render.CheckWarning, "after a switchover or failover to it, nothing would be sent", "'helm upgrade orders-a CHART -n milvus --reuse-values --set cdc.enabled=true'"},
		"a chart of another Kubernetes": {plan.RoleStandby, outside, discovery.Chart, discovery.CDCAbsent, nil, render.CheckWarning, "not deployed", "-n milvus --kubeconfig /k --kube-context eu --reuse-values"},
		"it is not ready":               {plan.RolePrimary, inside, discovery.Chart, discovery.CDCNotReady, nil, render.CheckFailed, "no replica of CDC is ready", "'kubectl -n milvus get pods -l app.kubernetes.io/instance=orders-a'"},
		"no answer":                     {plan.RolePrimary, inside, "", discovery.CDCUnknown, errors.New("forbidden"), render.CheckUnknown, "not known: forbidden", "list Deployments in the namespace milvus"},
		"nothing is known":              {plan.RolePrimary, inside, "", discovery.CDCUnknown, nil, render.CheckUnknown, "not known", "list Deployments"},
	} {
		t.Run(name, func(t *testing.T) {
			got := cdcCheck(plan.Cluster{ID: "a", Role: c.role}, c.place, c.by, c.state, c.err)
			if got.Verdict != c.want || !strings.Contains(got.Message, c.says) || !strings.Contains(got.Remedy, c.remedies) || got.Blocks {
				t.Errorf("%+v", got)
			}
		})
	}
}
