package wire

import (
	"context"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/notify"
)

// mostTroubles is how many topologies that did not move a message lists.
const mostTroubles = 10

// siteEvent is what is told of the end of a site.
func (e *Environment) siteEvent(s sitepage.Site) notify.Event {
	out := notify.Event{
		Kind: notify.KindSite, Topology: "site " + s.Name, Severity: s.Severity(),
		Title: s.Summary(), Message: s.Troubles(mostTroubles), Link: e.statusPage(""),
	}
	if s.Ended() < s.Moves {
		out.Command = "reconcile apply --site " + s.Name
	}
	return out
}

// siteEndWithin bounds the read of the ledger when a topology of a site has moved.
const siteEndWithin = 10 * time.Second

// tellSite tells people once that all moves which an approval of a site covers are done.
func (p *passNotifier) tellSite(s daemon.TopologyStatus) {
	digest := s.Decision.Site.Digest
	if p.sites[digest] {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), siteEndWithin)
	defer cancel()
	if site, over := p.environment.siteEnd(ctx, s); over {
		p.sites[digest] = true
		p.notifier.Notify(p.environment.siteEvent(site))
	}
}

// siteEnd returns the report of a site when the pass of a topology was the last move that its
// approval covers; false: others are left, or it was none. The ledger says what moved, also
// before this process began.
func (e *Environment) siteEnd(ctx context.Context, s daemon.TopologyStatus) (sitepage.Site, bool) {
	site := s.Decision.Site
	if site.Name == "" || s.Result == nil || s.Result.Outcome != reconcile.OutcomeApplied || s.Result.Topology != s.Name {
		return sitepage.Site{}, false
	}
	return allMoved(site, e.RecordsOf(ctx))
}

// allMoved returns the report of a site if the ledger holds each of its moves as done.
func allMoved(site approval.Site, records map[string][]ledger.Record) (sitepage.Site, bool) {
	var all []sitepage.Came
	for _, m := range site.Moves {
		c := sitepage.FromLedger(siteplan.Planned{Move: m}, records[m.Topology])
		if !c.Done {
			return sitepage.Site{}, false
		}
		all = append(all, c)
	}
	return sitepage.Report(site.Name, nil, all), true
}

// tellStopped tells people once that too many of a wave failed, when two passes of a topology
// saw it. They are told again if the site goes on and stops once more.
func (p *passNotifier) tellStopped(s daemon.TopologyStatus, leads bool) {
	before, digest := p.held[s.Name], s.Decision.Site.Digest
	p.held[s.Name] = s.Stopped
	switch {
	case !s.Stopped:
		delete(p.stopped, digest)
	case leads && before && !p.stopped[digest]:
		p.stopped[digest] = true
		p.notifier.Notify(p.environment.stoppedEvent(s))
	}
}

// stoppedEvent is what is told of a site whose next wave is not begun.
func (e *Environment) stoppedEvent(s daemon.TopologyStatus) notify.Event {
	why, _, _ := strings.Cut(strings.TrimPrefix(s.Waits, "it waits, since "), " (hint: ")
	return notify.Event{
		Kind: notify.KindStopped, Topology: "site " + s.Decision.Site.Name, Severity: plan.SeverityCritical,
		Title: "the move has stopped, and its next wave is not begun", Message: why + "; it goes on by itself once that has moved",
		Command: "reconcile plan --site " + s.Decision.Site.Name, Link: e.statusPage(""),
	}
}
