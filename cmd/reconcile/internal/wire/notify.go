package wire

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// notifyGrace is how long a command that ends waits for its notifications.
const notifyGrace = 10 * time.Second

// notifier returns a notifier of the targets in the configuration.
func (e *Environment) notifier() *notify.Notifier {
	var targets []notify.Target
	for _, t := range e.Config.Notify {
		targets = append(targets, notifyTarget(t))
	}
	return notify.New(targets, notify.Options{
		Source: notifySource(), Poster: notify.Poster{Clock: e.options.Clock},
		Failed: func(target string, event notify.Event, err error) {
			e.options.Messages.Tell(event.Topology, fmt.Sprintf("%s was not told of %s: %s", target, event.Kind, err))
		},
	})
}

func notifyTarget(t schema.NotifyTarget) notify.Target {
	out := notify.Target{Name: t.Name, URL: t.URL, Secret: secretReader(t.Secret), Format: notify.Format(t.Format), MinSeverity: t.MinSeverity}
	if m := t.Email; m != nil {
		out.Email = notify.Email{From: m.From, To: m.To, Username: secretReader(m.Username), TLS: followTLS(m.TLS, TLSConfig).getter()}
	}
	return out
}

// statusPage is the page of a topology, or of all without one; empty: not said. Links of
// earlier messages, /#TOPOLOGY, lead from the page of all to that of the topology.
func (e *Environment) statusPage(topology string) string {
	if e.Config.Serve.PublicURL == "" {
		return ""
	}
	page := strings.TrimRight(e.Config.Serve.PublicURL, "/") + "/"
	if topology != "" {
		page += "topologies/" + url.PathEscape(topology)
	}
	return page
}

// notifySource names this host, so that receivers tell several apart.
func notifySource() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return "/reconcile/" + host
}

// NotifyApplied sends the result of an apply to the receivers, and that of a site if it was
// one, and waits a little for
// the delivery. A failed delivery is reported on stderr and changes no exit code.
func (e *Environment) NotifyApplied(ctx context.Context, report reconcile.Report, site *sitepage.Site) {
	n := e.notifier()
	for _, r := range report.Results {
		t, _ := report.Plan.Topology(r.Topology)
		if event, ok := appliedEvent(r, t, report.Decisions[r.Topology].Commit); ok {
			event.Link = e.statusPage(r.Topology)
			n.Notify(event)
		}
	}
	if site != nil {
		n.Notify(e.siteEvent(*site))
	}
	defer e.options.Messages.Doing("telling the targets of notify")()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyGrace)
	defer cancel()
	if err := n.Close(ctx); err != nil {
		e.options.Messages.Tell("notify", err.Error())
	}
}

// appliedEvent is what is told of one result; false: nothing was attempted.
func appliedEvent(r reconcile.Result, t plan.TopologyPlan, commit string) (notify.Event, bool) {
	severity, text := plan.SeverityInfo, r.Detail
	switch r.Outcome {
	case reconcile.OutcomeApplied:
		text = r.WhatCame(t)
		if t.Transition == plan.TransitionFailover || t.Transition == plan.TransitionSwitchover {
			text = strings.TrimSuffix(t.Primary+" is the primary now; "+text, "; ")
			severity = plan.SeverityWarning
		}
		if t.Transition == plan.TransitionFence {
			severity = plan.SeverityWarning
		}
	case reconcile.OutcomeUnverified:
		severity = plan.SeverityCritical
		if r.DataLoss != nil { // the cluster was promoted
			text += "; " + plan.LossText(r.DataLoss, t)
		}
	case reconcile.OutcomeError:
		severity = plan.SeverityWarning
	default:
		return notify.Event{}, false
	}
	return notify.Event{
		Kind: notify.KindApplied, Topology: r.Topology, Cluster: t.Primary, Severity: severity,
		Message: text, Commit: commit, Transition: t.Transition, Outcome: r.Outcome.String(),
	}, true
}
