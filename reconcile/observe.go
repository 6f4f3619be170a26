package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// observation is what a pass knows of all topologies before it makes evidence.
type observation struct {
	observed   plan.Observed
	remembered Remembered
	computed   plan.Plan
}

// observe reads the ledger and the clusters and plans all topologies from that. It reads
// more of a cluster where the first plan shows that more is needed.
func (p Pass) observe(ctx context.Context) (observation, error) {
	remembered, err := p.readMemory(ctx)
	if err != nil {
		return observation{}, err
	}
	observed := plan.Observed{Views: p.Observer.Observe(ctx, p.Desired.Topologies, p.depthFor(plan.Depth{Progress: p.AllProgress, Contents: p.AllContents, Unlisted: p.Unlisted, AtRest: p.AtRest}, p.evidenceSoFar()))}
	if p.Evidence != nil {
		observed.Evidence = p.Evidence()
	}
	computed := p.compute(observed, remembered)
	first := observed.Views
	if !p.AllProgress {
		observed.Views = p.deepen(ctx, observed.Views, computed)
	} else {
		observed.Views = p.deepenSome(ctx, observed.Views, p.withContents(computed, remembered), plan.Depth{Contents: true})
	}
	observed.Views, observed.Before = p.watchReplication(ctx, observed.Views, computed)
	observed.Logs = p.staleLogs(ctx, observed)
	observed.Wipes = p.wipeProofs(ctx, observed, computed)
	if err := ctx.Err(); err != nil {
		return observation{}, fmt.Errorf("observe the clusters: %w", err)
	}
	if !sameViews(first, observed.Views) || len(observed.Before)+len(observed.Logs)+len(observed.Wipes) > 0 {
		computed = p.compute(observed, remembered)
	}
	return observation{observed, remembered, computed}, nil
}

// sameViews says whether nothing was read after the first views: they are one slice.
func sameViews(first, now []plan.View) bool {
	return len(first) == len(now) && (len(now) == 0 || &first[0] == &now[0])
}

// evidenceSoFar returns the rounds that were made already.
func (p Pass) evidenceSoFar() []plan.Evidence {
	if p.Evidence == nil {
		return nil
	}
	return p.Evidence()
}

// staleLogs reads what each stale cluster that takes writes holds and its successor does
// not.
func (p Pass) staleLogs(ctx context.Context, o plan.Observed) []plan.StaleLog {
	type job struct {
		topology        plan.Topology
		promoted, stale string
	}
	var jobs []job
	for _, t := range p.Desired.Topologies {
		primary, ok := t.Primary()
		if !ok || o.View(primary.ID).Reach != plan.ReachUp {
			continue
		}
		for _, c := range t.Clusters {
			if v := o.View(c.ID); c.Role == plan.RoleStale && v.Belief.Kind == plan.BeliefPrimary && o.View(primary.ID).Belief.Kind != plan.BeliefStandby {
				jobs = append(jobs, job{t, primary.ID, c.ID})
			}
		}
	}
	logs := make([]plan.StaleLog, len(jobs))
	p.inParallel(len(jobs), func(i int) {
		logs[i] = p.Observer.StaleLog(ctx, jobs[i].topology, jobs[i].promoted, jobs[i].stale)
	})
	return logs
}

// deepen reads channel progress, contents and readiness of the topologies that have a transition.
func (p Pass) deepen(ctx context.Context, views []plan.View, computed plan.Plan) []plan.View {
	var changing []plan.Topology
	for _, t := range p.Desired.Topologies {
		tp, ok := computed.Topology(t.Name)
		if ok && tp.Transition == plan.TransitionRehearsal {
			t = t.WithPrimary(tp.Primary)
		}
		if ok && tp.Transition != plan.TransitionNone {
			changing = append(changing, t)
		}
	}
	return p.deepenSome(ctx, views, changing, plan.Depth{Progress: true, Contents: true, Readiness: true})
}

// withContents returns the topologies whose contents are read: those whose transition
// attaches a cluster, and those that failed over a short while ago.
func (p Pass) withContents(computed plan.Plan, r Remembered) []plan.Topology {
	var out []plan.Topology
	m := p.at(r.Memory)
	for _, t := range p.Desired.Topologies {
		tp, _ := computed.Topology(t.Name)
		_, promoted := m.Promoted(t.Name)
		if promoted || tp.Transition == plan.TransitionBootstrap || tp.Transition == plan.TransitionAddStandby || tp.Transition == plan.TransitionRebuild {
			out = append(out, t)
		}
	}
	return out
}

// deepenSome reads more of some topologies and returns views with the new ones in place.
func (p Pass) deepenSome(ctx context.Context, views []plan.View, topologies []plan.Topology, depth plan.Depth) []plan.View {
	if len(topologies) == 0 {
		return views
	}
	out := slices.Clone(views)
	place := make(map[string]int, len(out))
	for i := range out {
		place[out[i].Cluster] = i
	}
	for _, fresh := range p.Observer.Deepen(ctx, topologies, views, depth) {
		if i, there := place[fresh.Cluster]; there {
			out[i] = fresh
			continue
		}
		out = append(out, fresh)
	}
	return out
}

// combine makes one report of those of the topologies.
func (s observation) combine(parts []Report) Report {
	out := Report{Plan: s.computed, Decisions: map[string]approval.Decision{}, LedgerNew: s.remembered.New, remembered: s.remembered}
	out.Plan.Topologies, out.Plan.Wants = nil, nil
	if len(parts) == 1 {
		out.remembered = parts[0].remembered // may be newer
	}
	for _, r := range parts {
		out.Plan.Topologies = append(out.Plan.Topologies, r.Plan.Topologies...)
		out.Plan.Wants = append(out.Plan.Wants, r.Plan.Wants...)
		out.Evidence = append(out.Evidence, r.Evidence...)
		maps.Copy(out.Decisions, r.Decisions)
	}
	slices.SortFunc(out.Plan.Topologies, func(x, y plan.TopologyPlan) int { return strings.Compare(x.Name, y.Name) })
	return out
}

const (
	// standsAfter is how long a channel is watched before it counts as standing still. A
	// link that works moves a checkpoint within a fraction of it.
	standsAfter = 2 * time.Second
	// askAgain is how often a source is asked again that did not say what a standby lacks.
	askAgain = 3
	// firstPause and longestPause bound the pause between two reads of what is watched.
	firstPause   = 250 * time.Millisecond
	longestPause = 2 * time.Second
)

// watchReplication follows the standbys at rest that lack messages, until each of their
// channels has moved, or its messages have waited for longer than the objective allows, or
// Watch is over. One read shows that messages wait; only a later one shows whether they
// flow. It returns the newest views, and from before those of the standbys that it watched.
func (p Pass) watchReplication(ctx context.Context, views []plan.View, computed plan.Plan) (newest, before []plan.View) {
	if p.Watch <= 0 {
		return views, nil
	}
	watch := p.watchFor(ctx)
	w := watched{first: views, newest: views}
	open := p.undecided(w, computed)
	if len(open) == 0 {
		return views, nil
	}
	before = w.standbys(open)
	began := time.Now()
	for pause := firstPause; len(open) > 0 && time.Since(began) < watch; pause = min(2*pause, longestPause) {
		if w.reads == 2 { // most have moved by then, and need no word
			p.tellWatched(open, watch-time.Since(began))
		}
		if !sleep(ctx, min(pause, watch-time.Since(began))) {
			break
		}
		w.read(p.Observer.Observe(ctx, open, plan.Depth{Progress: true}))
		open = p.undecided(w, computed)
	}
	return w.newest, before
}

// watchFor is Watch, or what a limit on the whole pass leaves for it.
func (p Pass) watchFor(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(p.Watch, time.Until(deadline)/2)
	}
	return p.Watch
}

// tellWatched tells what the pass waits for.
func (p Pass) tellWatched(open []plan.Topology, left time.Duration) {
	for _, t := range open {
		p.tell(t.Name, fmt.Sprintf("messages wait for a standby: watching whether they arrive, at most %s", plan.DurationText(left)))
	}
}

// sleep waits; false: ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// watched are the views of standbys over a while.
type watched struct {
	first, newest []plan.View
	reads         int // after the first
}

// read takes what was read again. What only the first read knew is kept.
func (w *watched) read(fresh []plan.View) {
	w.reads++
	w.newest = slices.Clone(w.newest)
	for _, v := range fresh {
		i := slices.IndexFunc(w.newest, func(o plan.View) bool { return o.Cluster == v.Cluster })
		if i < 0 {
			continue
		}
		v.Contents, v.Unlisted = w.newest[i].Contents, w.newest[i].Unlisted
		w.newest[i] = v
	}
}

// undecided are the topologies without a transition in which it is not known yet whether
// what a standby lacks flows to it.
func (p Pass) undecided(w watched, computed plan.Plan) []plan.Topology {
	return slices.DeleteFunc(slices.Clone(p.Desired.Topologies), func(t plan.Topology) bool {
		tp, ok := computed.Topology(t.Name)
		return !ok || tp.Transition != plan.TransitionNone || !slices.ContainsFunc(t.Clusters, func(c plan.Cluster) bool {
			return c.Role == plan.RoleStandby && w.open(c.ID, t.MaxLag)
		})
	})
}

// open says whether it is not known yet whether what a standby lacks flows to it.
func (w watched) open(standby string, objective time.Duration) bool {
	first, v := plan.Observed{Views: w.first}.View(standby), plan.Observed{Views: w.newest}.View(standby)
	if v.Belief.Kind != plan.BeliefStandby || v.Belief.Source != first.Belief.Source {
		return false
	}
	if v.Unanswered() && w.reads < askAgain {
		return true
	}
	return slices.ContainsFunc(v.Progress, func(c plan.ChannelProgress) bool {
		late := v.SourceAt.Sub(deref(c.Unsent)) > objective && v.At.Sub(first.At) >= standsAfter
		return c.Lacks() && !late && !slices.ContainsFunc(first.Progress, func(f plan.ChannelProgress) bool {
			return f.Channel == c.Channel && (f.TimeTick != c.TimeTick || f.MessageID != c.MessageID)
		})
	})
}

// deref returns what a pointer points at, or the zero time.
func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// standbys are the first views of the standbys of topologies.
func (w watched) standbys(topologies []plan.Topology) []plan.View {
	var out []plan.View
	for _, t := range topologies {
		for _, c := range t.Clusters {
			if c.Role == plan.RoleStandby {
				out = append(out, plan.Observed{Views: w.first}.View(c.ID))
			}
		}
	}
	return out
}
