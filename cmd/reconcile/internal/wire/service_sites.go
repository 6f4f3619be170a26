package wire

import (
	"context"
	"slices"

	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
)

// sitePage returns how a site stands, by what Git, the ledger and the newest passes say; false:
// no document names it.
func (d *service) sitePage(ctx context.Context, name string) (sitepage.Site, bool) {
	f := d.newest.Load()
	if f == nil || !slices.Contains(sitepage.Known(f.revision.Desired.Topologies), name) {
		return sitepage.Site{Name: name}, false
	}
	_, history, _ := d.readLedger(ctx) // without it, the page says what the passes say
	now := siteNow{
		name: name, documents: f.revision.Desired.Topologies, changes: f.revision.Changes, waves: f.Config.Waves,
		snapshot: d.loop.Board().Snapshot(), records: map[string][]ledger.Record{}, repository: f.Policy.Repository,
	}
	for _, r := range history {
		now.records[r.Topology] = append(now.records[r.Topology], r)
	}
	return now.page(), true
}

// siteNow is what a daemon knows of a site.
type siteNow struct {
	name       string
	documents  []plan.Topology
	changes    map[string]approval.Change
	waves      siteplan.Waves
	snapshot   daemon.Snapshot
	records    map[string][]ledger.Record
	repository string
}

// page returns how the site stands.
func (s siteNow) page() sitepage.Site {
	var p plan.Plan
	decided := map[string]sitepage.Decision{}
	for _, t := range s.snapshot.Topologies {
		if t.Plan.Name != "" {
			p.Topologies = append(p.Topologies, t.Plan)
			decided[t.Name] = sitepage.Decision{Approved: t.Decision.Approved(), Given: t.Decision.Given, Needed: t.Decision.Needed}
		}
	}
	planned := siteplan.Of(s.name, p, s.documents, s.waves)
	all, commits := s.open(planned), s.present(planned)
	for _, t := range s.documents {
		open := slices.ContainsFunc(planned.Moves, func(m siteplan.Planned) bool { return m.Topology == t.Name })
		if c, ok := s.begun(t); ok && !open && commits[s.changes[t.Name].Commit] {
			all = append(all, c)
		}
	}
	all = s.oneWay(all)
	if len(all) == 0 {
		return sitepage.Site{Name: s.name, Waves: []sitepage.Wave{}}
	}
	return sitepage.Now(planned, s.waves, all, decided, s.repository)
}

// oneWay leaves out what moved in the other direction before: away from the site, or back to it.
// What is not over says which one it is now, or else the newest beginning.
func (s siteNow) oneWay(all []sitepage.Came) []sitepage.Came {
	now := map[bool]bool{}
	var newest sitepage.Came
	for _, c := range all {
		if c.Begun.After(newest.Begun) {
			newest = c
		}
		if !c.Done {
			now[s.leaves(c)] = true
		}
	}
	if len(now) == 0 {
		now[s.leaves(newest)] = true
	}
	return slices.DeleteFunc(all, func(c sitepage.Came) bool { return !now[s.leaves(c)] })
}

// leaves says whether a move takes the primary away from the site.
func (s siteNow) leaves(c sitepage.Came) bool {
	i := slices.IndexFunc(s.documents, func(t plan.Topology) bool { return t.Name == c.Topology })
	if i < 0 {
		return false
	}
	from, _ := s.documents[i].Cluster(c.From)
	return from.Site == s.name
}

// open are the moves that are not begun yet.
func (s siteNow) open(planned siteplan.Site) []sitepage.Came {
	var out []sitepage.Came
	for _, m := range planned.Moves {
		t, _ := s.snapshot.Topology(m.Topology)
		c := sitepage.Came{Planned: m, Outcome: sitepage.OutcomeWaits}
		switch state := daemon.MoveStateOf(t, m.Move); {
		case state == daemon.MoveFailed:
			c.Outcome, c.Detail = whyNotMoved(t)
		case t.State == daemon.StateApplying:
			c.Outcome = sitepage.OutcomeUnderWay
		default:
			c.Detail = whyItWaits(t)
		}
		out = append(out, c)
	}
	return out
}

// whyItWaits says for what a move waits that is approved.
func whyItWaits(t daemon.TopologyStatus) string {
	switch {
	case t.Waits != "":
		return t.Waits
	case t.Plan.Frozen != nil:
		return "it waits until " + t.Plan.Frozen.UntilText() + ", the end of a freeze"
	case t.Plan.Has(plan.CodePrimaryNotProbed):
		return "it waits for the rounds of evidence"
	default:
		return "it waits for its turn"
	}
}

// begun returns the move of a topology that was begun or is done; false: it was neither.
func (s siteNow) begun(t plan.Topology) (sitepage.Came, bool) {
	m, moves := siteplan.MoveInFile(t, s.name)
	if !moves {
		return sitepage.Came{}, false
	}
	c := sitepage.FromLedger(siteplan.Planned{Move: m, Wave: s.waves.Of(t)}, s.records[t.Name])
	now, known := s.snapshot.Topology(t.Name)
	switch {
	case c.Done:
		return c, true
	case c.Begun.IsZero() && !known:
		c.Outcome, c.Detail = sitepage.OutcomeWaits, "this process knows nothing of it yet"
	case c.Begun.IsZero():
		return sitepage.Came{}, false
	case now.Failures > 0 && now.Result != nil:
		c.Outcome, c.Detail = now.Result.Outcome.String(), now.Result.Detail
	case now.State == daemon.StateBlocked:
		c.Outcome, c.Detail = whyNotMoved(now)
	default:
		c.Outcome = sitepage.OutcomeUnderWay
	}
	if now.Result != nil && now.Plan.Generation == m.Generation {
		c.Traffic = trafficStep(*now.Result, c.Traffic)
	}
	return c, true
}

// trafficStep is how the step that redirects traffic ended.
func trafficStep(r reconcile.Result, otherwise string) string {
	for _, x := range r.Steps {
		if x.Step.Action == plan.ActionRedirect && x.Status != plan.StepNotAttempted {
			return x.Status.String()
		}
	}
	return otherwise
}

// present are the commits of the site's present change: of the moves that are not begun, and of
// those that an approval of the site covers.
func (s siteNow) present(planned siteplan.Site) map[string]bool {
	out := map[string]bool{}
	for _, m := range planned.Moves {
		out[s.changes[m.Topology].Commit] = true
	}
	for _, c := range s.changes {
		if c.Site() == s.name {
			out[c.Commit] = true
		}
	}
	delete(out, "")
	return out
}
