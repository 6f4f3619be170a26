package wire

import (
	"context"
	"os/exec"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/reconcile/redirect"
	"milvus-reconcile/reconcile/restart"
	"milvus-reconcile/schema"
)

// Redirector prepares the redirect targets of the operator's configuration;
// nil: there are none. They are told its addresses and nothing of a topology's.
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
		targets = append(targets, redirectTarget(t))
	}
	return redirect.New(targets, redirect.Options{Addresses: addresses, Poster: notify.Poster{Clock: e.options.Clock}})
}

// restarter restarts coordinators as the operator's configuration says; nil: it
// says nothing of any.
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

// trafficChecker lets a pass ask where traffic goes, and no more.
type trafficChecker struct{ redirector *redirect.Redirector }

func (c trafficChecker) Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	return c.redirector.Check(ctx, topology, primary, stale)
}

func redirectTarget(t schema.RedirectTarget) redirect.Target {
	out := redirect.Target{Name: t.Name, Topologies: t.Topologies, Timeout: t.Timeout}
	switch {
	case t.Exec != nil:
		out.Exec = &redirect.Exec{Command: t.Exec.Command, Check: t.Exec.Check}
	case t.Webhook != nil:
		out.Webhook = &redirect.Webhook{URL: t.Webhook.URL, Secret: secretOf(t.Webhook.Secret), CheckURL: t.Webhook.CheckURL}
	case t.File != nil:
		out.File = &redirect.File{Template: t.File.Template, Path: t.File.Path, Mode: t.File.Mode}
	case t.HAProxy != nil:
		out.HAProxy = &redirect.HAProxy{Address: t.HAProxy.Address, Backend: t.HAProxy.Backend, Servers: t.HAProxy.Servers}
	}
	return out
}

// redirectFiles are the files that a redirect target rests on: programs and
// what they are given, templates, secrets.
func redirectFiles(r schema.RedirectTarget) []string {
	var out []string
	if x := r.Exec; x != nil {
		out = append(append(out, programFiles(x.Command)...), programFiles(x.Check)...)
	}
	if r.Webhook != nil {
		out = append(out, r.Webhook.Secret.File)
	}
	if r.File != nil {
		out = append(out, r.File.Template)
	}
	return out
}

// programFiles are the program as it will be found, and arguments that look
// like paths, since an interpreter runs what it is given.
func programFiles(argv []string) []string {
	var out []string
	for i, arg := range argv {
		if i == 0 {
			if found, err := exec.LookPath(arg); err == nil {
				arg = found
			}
		}
		if strings.Contains(arg, "/") && !strings.Contains(arg, "://") {
			out = append(out, arg)
		}
	}
	return out
}
