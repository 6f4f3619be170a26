package wire

import (
	"context"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/reconcile/rebuild"
	"milvus-reconcile/reconcile/redirect"
	"milvus-reconcile/reconcile/restart"
	"milvus-reconcile/schema"
)

// Redirector prepares the redirect targets of the configuration; nil if there are none.
// The targets get the addresses of the configuration, never those of a topology file.
func (e *Environment) Redirector() (*redirect.Redirector, error) {
	if len(e.Config.Redirect) == 0 {
		return nil, nil //nolint:nilnil // nil is no redirector
	}
	addresses := map[string]string{}
	for _, c := range e.Config.Credentials {
		addresses[c.ClusterID] = c.Address
	}
	var targets []redirect.Target
	for _, t := range e.Config.Redirect {
		target := redirectTarget(t)
		if target.Kubernetes != nil {
			target.Kubernetes.API = e.kubernetesAPI(t.Kubernetes.Access)
		}
		targets = append(targets, target)
	}
	return redirect.New(targets, redirect.Options{Addresses: addresses, Poster: notify.Poster{Clock: e.options.Clock}})
}

// restarter runs the restart commands of the configuration; nil if there are none.
func (e *Environment) restarter() *restart.Restarter {
	var clusters []restart.Cluster
	for _, c := range e.Config.Clusters {
		if c.Restart == nil {
			continue
		}
		known := restart.Cluster{ID: c.ID, Command: c.Restart.Command, Timeout: c.Restart.Timeout}
		for _, credential := range e.Config.Credentials {
			if credential.ClusterID == c.ID {
				known.Address = credential.Address
			}
		}
		clusters = append(clusters, known)
	}
	if clusters == nil {
		return nil
	}
	return restart.New(clusters, e.options.Clock)
}

// rebuilder runs the rebuild commands of the configuration; nil if there are none.
func (e *Environment) rebuilder() *rebuild.Rebuilder {
	addresses := map[string]string{}
	for _, c := range e.Config.Credentials {
		addresses[c.ClusterID] = c.Address
	}
	var clusters []rebuild.Cluster
	for _, c := range e.Config.Clusters {
		if c.Rebuild != nil {
			clusters = append(clusters, rebuild.Cluster{ID: c.ID, Address: addresses[c.ID], Command: c.Rebuild.Command, Timeout: c.Rebuild.Timeout})
		}
	}
	if clusters == nil {
		return nil
	}
	return rebuild.New(clusters, addresses)
}

// rebuilders are the clusters for which the configuration has a rebuild command.
func rebuilders(clusters []schema.ClusterCare) []string {
	var out []string
	for _, c := range clusters {
		if c.Rebuild != nil {
			out = append(out, c.ID)
		}
	}
	return out
}

// trafficChecker lets a pass ask where traffic goes, but not redirect it.
type trafficChecker struct{ redirector *redirect.Redirector }

func (c trafficChecker) Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	return c.redirector.Check(ctx, topology, primary, stale)
}

func redirectTarget(t schema.RedirectTarget) redirect.Target {
	out := redirect.Target{Name: t.Name, Topologies: t.Topologies, Timeout: t.Timeout}
	if o := t.OldPrimary; o != nil {
		out.Stay = plan.Stay{Known: true, New: o.New, Open: o.Open, Why: "as configured"}
	}
	switch {
	case t.Exec != nil:
		out.Exec = &redirect.Exec{Command: t.Exec.Command, Check: t.Exec.Check}
	case t.Webhook != nil:
		out.Webhook = &redirect.Webhook{URL: t.Webhook.URL, Secret: secretReader(t.Webhook.Secret), CheckURL: t.Webhook.CheckURL}
	case t.File != nil:
		out.File = &redirect.File{Template: t.File.Template, Path: t.File.Path, Mode: t.File.Mode}
	case t.Kubernetes != nil:
		k := t.Kubernetes
		out.Kubernetes = &redirect.Kubernetes{
			Namespace: k.Namespace, Service: k.Service, Port: k.Port,
			Selectors: k.Selectors, Endpoints: k.Endpoints, ExternalNames: k.ExternalNames,
		}
	case t.HAProxy != nil:
		out.HAProxy = &redirect.HAProxy{Address: t.HAProxy.Address, Backend: t.HAProxy.Backend, Servers: t.HAProxy.Servers}
	case t.DNS != nil:
		d := t.DNS
		out.DNS = &redirect.DNS{
			Server: d.Server, Zone: d.Zone, Name: d.Record, Type: d.Type, TTL: d.TTL, Values: d.Values, Servers: d.Servers,
			KeyName: d.Key, Algorithm: d.Algorithm, Secret: secretReader(d.Secret), SecretInShell: inShell(d.Secret),
		}
	}
	return out
}

// inShell returns what a shell replaces by a secret, between double quotes.
func inShell(r schema.SecretRef) string {
	if r.File == "" {
		return "$" + r.Env
	}
	return "$(cat '" + strings.ReplaceAll(r.File, "'", `'\''`) + "')"
}
