package wire

import (
	"context"
	"slices"
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

// siteEnd is what this process knows of the end of a site that one approval covers.
type siteEnd struct {
	site  approval.Site
	begun bool            // this process saw a move of it that was open: a restart tells nothing again
	seen  map[string]bool // topologies whose pass before saw that no move is open any more
	told  int             // how many had moved when people were told last
}

// tellSites tells people what came of a site once nothing of it is open any more: all has moved,
// or two passes saw that the rest could not. They are told again when more of it has moved.
func (p *passNotifier) tellSites(s daemon.TopologyStatus, ended bool) {
	if site := s.Decision.Site; site.Name != "" && p.ends[site.Digest] == nil {
		p.ends[site.Digest] = &siteEnd{site: site, seen: map[string]bool{}, told: -1}
	}
	moved := ended && s.Result.Outcome == reconcile.OutcomeApplied
	for _, e := range p.ends {
		m, covered := e.site.Covers(s.Name)
		if !covered || m.Generation != s.Plan.Generation || e.told == len(e.site.Moves) {
			continue
		}
		e.begun = e.begun || moved
		if failed, over := e.over(p.status, s.Name, moved); over {
			p.tellSite(e, failed)
		}
	}
}

// over says whether people are to be told, by what this process knows: a topology has just moved,
// so that it may have been the last, or two passes of one saw that what is left has failed.
func (e *siteEnd) over(status func(string) (daemon.TopologyStatus, bool), topology string, moved bool) (failed []daemon.TopologyStatus, over bool) {
	failed, over = e.failed(status)
	switch {
	case moved:
		return nil, true
	case !over:
		clear(e.seen)
		return nil, false
	case !e.seen[topology]: // what one pass saw may be over with the next
		e.seen[topology] = true
		return nil, false
	}
	return failed, e.begun && len(failed) > 0 && len(e.site.Moves)-len(failed) > e.told
}

// failed returns the moves that could not be carried out; false: one is open, or this process
// knows nothing of it.
func (e *siteEnd) failed(status func(string) (daemon.TopologyStatus, bool)) (out []daemon.TopologyStatus, over bool) {
	over = true
	for _, m := range e.site.Moves {
		t, _ := status(m.Topology)
		switch daemon.MoveStateOf(t, m) {
		case daemon.MoveFailed:
			out = append(out, t)
		case daemon.MoveOpen:
			e.begun, over = true, false
		case daemon.MoveUnknown:
			over = false
		case daemon.MoveNotWanted:
		}
	}
	return out, over
}

// tellSite tells people what came of a site, unless the ledger holds a move that neither failed
// nor is done.
func (p *passNotifier) tellSite(e *siteEnd, failed []daemon.TopologyStatus) {
	ctx, cancel := context.WithTimeout(context.Background(), siteEndWithin)
	defer cancel()
	site, over := endOfSite(e.site, p.environment.RecordsOf(ctx), failed)
	if !over {
		return
	}
	e.told = site.Ended()
	event := p.environment.siteEvent(site)
	if event.Command != "" { // this process goes on with the rest by itself
		event.Command = "reconcile plan --site " + site.Name
	}
	p.notifier.Notify(event)
}

// endOfSite returns the report of a site if the ledger holds each of its moves as done, but for
// those that failed.
func endOfSite(site approval.Site, records map[string][]ledger.Record, failed []daemon.TopologyStatus) (sitepage.Site, bool) {
	var all []sitepage.Came
	for _, m := range site.Moves {
		c := sitepage.FromLedger(siteplan.Planned{Move: m}, records[m.Topology])
		i := slices.IndexFunc(failed, func(t daemon.TopologyStatus) bool { return t.Name == m.Topology })
		switch {
		case c.Done:
		case i < 0:
			return sitepage.Site{}, false
		default:
			c.Outcome, c.Detail = whyNotMoved(failed[i])
		}
		all = append(all, c)
	}
	return sitepage.Report(site.Name, nil, all), true
}

// whyNotMoved says why the newest pass of a topology could not carry out its move.
func whyNotMoved(t daemon.TopologyStatus) (outcome, detail string) {
	blocking := t.Plan.Blocking(t.Decision.Accepted)
	switch {
	case t.Error != "":
		return reconcile.OutcomeError.String(), t.Error
	case t.State == daemon.StateSuspended:
		return reconcile.OutcomeBlocked.String(), "the operator's configuration says to leave it alone"
	case len(blocking) > 0:
		return reconcile.OutcomeBlocked.String(), string(blocking[0].Code) + ": " + blocking[0].Message
	case t.Failures > 0 && t.Result != nil:
		return t.Result.Outcome.String(), t.Result.Detail
	case !t.Decision.Approved():
		return reconcile.OutcomeNotApproved.String(), t.Decision.Code
	default:
		return reconcile.OutcomeError.String(), "it is not known why"
	}
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
