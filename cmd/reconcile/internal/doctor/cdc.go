package doctor

import (
	"context"
	"fmt"
	"sync"

	"milvus-reconcile/cmd/reconcile/internal/discovery"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// cdc says of each cluster whose place in Kubernetes is configured whether CDC runs there. A
// primary needs it to send anything, and a standby needs it from its promotion on.
func (x *examination) cdc(ctx context.Context, topologies []plan.Topology) {
	places := map[string]schema.KubernetesPlace{}
	for _, c := range x.e.Config.Clusters {
		if c.Kubernetes != nil {
			places[c.ID] = *c.Kubernetes
		}
	}
	if len(places) == 0 {
		return
	}
	defer x.e.Doing("asking Kubernetes whether CDC runs")()
	servers := map[kubernetesServer]*discovery.Kubernetes{}
	for _, p := range places {
		if at := serverOf(p); servers[at] == nil {
			servers[at] = discovery.Open(at.kubeconfig, at.context, x.e.SecretVariables()...)
			defer servers[at].Close()
		}
	}
	for _, t := range topologies {
		if len(t.Clusters) < 2 {
			continue // there is nobody to send to
		}
		checks := make([]*render.Check, len(t.Clusters))
		var wg sync.WaitGroup
		for i, c := range t.Clusters {
			p, known := places[c.ID]
			if !known || c.Role != plan.RolePrimary && (c.Role != plan.RoleStandby || !c.Promotable) {
				continue
			}
			wg.Go(func() {
				made, state, err := servers[serverOf(p)].ReadCDC(ctx, discovery.Place{Namespace: p.Namespace, Instance: p.Instance})
				one := cdcCheck(c, p, made, state, err)
				checks[i] = &one
			})
		}
		wg.Wait()
		for _, c := range checks {
			if c != nil {
				x.check(*c)
			}
		}
	}
}

// kubernetesServer is an API server that several places may share.
type kubernetesServer struct{ kubeconfig, context string }

func serverOf(p schema.KubernetesPlace) kubernetesServer {
	return kubernetesServer{p.Kubeconfig, p.Context}
}

// cdcCheck says what a missing CDC means for a cluster in its role.
func cdcCheck(c plan.Cluster, p schema.KubernetesPlace, by discovery.Maker, state discovery.CDC, err error) render.Check {
	out := render.Check{Area: "cdc", Subject: c.ID}
	means := "it sends nothing to its standbys"
	if c.Role == plan.RoleStandby {
		means = "after a switchover or failover to it, nothing would be sent to its standbys"
	}
	switch {
	case err != nil, state == discovery.CDCUnknown:
		out.Verdict, out.Message = render.CheckUnknown, "whether CDC runs is not known"
		if err != nil {
			out.Message += ": " + err.Error()
		}
		out.Remedy = "let us list Deployments in the namespace " + p.Namespace + " (the chart: doctor.listDeployments), and check 'clusters' of the configuration"
		return out
	case state == discovery.CDCReady:
		out.Verdict, out.Message = render.CheckOK, "CDC runs"
		return out
	case state == discovery.CDCAbsent:
		out.Message, out.Remedy = "CDC is not deployed: "+means, deployCDC(p, by)
	case state == discovery.CDCNotReady:
		out.Message, out.Remedy = "no replica of CDC is ready: "+means, fmt.Sprintf("see why: '%s get pods -l app.kubernetes.io/instance=%s'", kubectl(p), p.Instance)
	}
	out.Verdict = render.CheckWarning
	if c.Role == plan.RolePrimary {
		out.Verdict = render.CheckFailed
	}
	return out
}

// deployCDC is how to deploy it: by the custom resource, or by the values of the chart.
func deployCDC(p schema.KubernetesPlace, by discovery.Maker) string {
	if by == discovery.Operator {
		return fmt.Sprintf(`deploy it: '%s patch milvus %s --type merge -p "spec: {components: {cdc: {replicas: 1}}}"'`, kubectl(p), p.Instance)
	}
	context := ""
	if p.Context != "" {
		context = fmt.Sprintf(" --kubeconfig %s --kube-context %s", p.Kubeconfig, p.Context)
	}
	return fmt.Sprintf("deploy it: 'helm upgrade %s CHART -n %s%s --reuse-values --set cdc.enabled=true', with the chart of that release", p.Instance, p.Namespace, context)
}

func kubectl(p schema.KubernetesPlace) string {
	if p.Context == "" {
		return "kubectl -n " + p.Namespace
	}
	return fmt.Sprintf("kubectl --kubeconfig %s --context %s -n %s", p.Kubeconfig, p.Context, p.Namespace)
}
