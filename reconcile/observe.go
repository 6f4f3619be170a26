package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	if err := ctx.Err(); err != nil {
		return observation{}, fmt.Errorf("observe the clusters: %w", err)
	}
	if !sameViews(first, observed.Views) || len(observed.Before)+len(observed.Logs) > 0 {
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

// deepen reads channel progress and contents of the topologies that have a transition.
func (p Pass) deepen(ctx context.Context, views []plan.View, computed plan.Plan) []plan.View {
	var changing []plan.Topology
	for _, t := range p.Desired.Topologies {
		if tp, ok := computed.Topology(t.Name); ok && tp.Transition != plan.TransitionNone {
			changing = append(changing, t)
		}
	}
	return p.deepenSome(ctx, views, changing, plan.Depth{Progress: true, Contents: true})
}

// withContents returns the topologies whose contents are read: those whose transition
// attaches a cluster, and those that failed over a short while ago.
func (p Pass) withContents(computed plan.Plan, r Remembered) []plan.Topology {
	var out []plan.Topology
	m := p.at(r.Memory)
	for _, t := range p.Desired.Topologies {
		tp, _ := computed.Topology(t.Name)
		_, promoted := m.Promoted(t.Name)
		if promoted || tp.Transition == plan.TransitionBootstrap || tp.Transition == plan.TransitionAddStandby {
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
	for _, fresh := range p.Observer.Deepen(ctx, topologies, views, depth) {
		i := slices.IndexFunc(out, func(v plan.View) bool { return v.Cluster == fresh.Cluster })
		if i < 0 {
			out = append(out, fresh)
			continue
		}
		out[i] = fresh
	}
	return out
}

// combine makes one report of those of the topologies.
func (s observation) combine(parts []Report) Report {
	out := Report{Plan: s.computed, Decisions: map[string]approval.Decision{}, LedgerNew: s.remembered.New, remembered: s.remembered}
	out.Plan.Topologies, out.Plan.Wants = nil, nil
	for _, r := range parts {
		out.Plan.Topologies = append(out.Plan.Topologies, r.Plan.Topologies...)
		out.Plan.Wants = append(out.Plan.Wants, r.Plan.Wants...)
		out.Evidence = append(out.Evidence, r.Evidence...)
		maps.Copy(out.Decisions, r.Decisions)
	}
	slices.SortFunc(out.Plan.Topologies, func(x, y plan.TopologyPlan) int { return strings.Compare(x.Name, y.Name) })
	return out
}
