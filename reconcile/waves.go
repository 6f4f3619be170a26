package reconcile

import (
	"context"
	"fmt"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
)

// inWaves divides topologies into groups that are carried out one after the other: first what
// belongs to no move of a site, together with the first wave. Each group holds places in
// order.
func (a Apply) inWaves(s observation, order []plan.TopologyPlan) []group {
	groups := make([]group, a.Waves.Count())
	for i := range groups {
		groups[i].wave = a.Waves.At(i)
	}
	for i, t := range order {
		at, moves := 0, a.movesInWave(s, t)
		if moves {
			at = a.Waves.Of(a.topology(t.Name))
			groups[at].moves = append(groups[at].moves, i)
		}
		groups[at].all = append(groups[at].all, i)
	}
	return slices.DeleteFunc(groups, func(g group) bool { return len(g.all) == 0 })
}

// group is what is carried out at the same time.
type group struct {
	wave  siteplan.Wave
	all   []int
	moves []int // those of all that are moves of a site, and count for its wave
}

// movesInWave says whether a topology is a part of the move of a site: of the site that is
// applied, or by an approval of a site. It does not matter whether its move is begun or done.
func (a Apply) movesInWave(s observation, t plan.TopologyPlan) bool {
	if len(a.Waves) == 0 {
		return false
	}
	if a.Site != "" {
		return siteplan.Moves(a.topology(t.Name), a.Site)
	}
	if t.Transition != plan.TransitionNone && !t.Resumed {
		if d := a.judgeWithoutProbes(s, t).Decisions[t.Name]; d.Approved() {
			return d.Site.Name != ""
		}
	}
	return a.Changes[t.Name].Site() != ""
}

// runWaves plans and applies each group, and does not begin the next one if too many of a wave
// failed.
func (a Apply) runWaves(ctx context.Context, s observation, order []plan.TopologyPlan, one func(i int) (Report, Result)) ([]Report, []Result) {
	reports, results := make([]Report, len(order)), make([]Result, len(order))
	held := ""
	for _, g := range a.inWaves(s, order) {
		a.inParallel(len(g.all), func(n int) {
			i := g.all[n]
			if held != "" && slices.Contains(g.moves, i) {
				reports[i], results[i] = a.notBegun(ctx, s, order[i], "wave "+g.wave.Name+" was not begun: "+held)
				return
			}
			reports[i], results[i] = one(i)
		})
		if held == "" {
			held = g.tooManyFailed(results)
		}
	}
	return reports, results
}

// tooManyFailed says that more of the wave failed than it allows; empty: it did not.
func (g group) tooManyFailed(results []Result) string {
	var failed []string
	for _, i := range g.moves {
		if o := results[i].Outcome; o != OutcomeApplied && o != OutcomeUnchanged {
			failed = append(failed, results[i].Topology)
		}
	}
	if len(failed) <= g.wave.MaxFailed {
		return ""
	}
	slices.Sort(failed)
	return fmt.Sprintf("%d of %d of wave %s failed, such as %s, and it allows %d (hint: see why: 'reconcile status %s'; then give the same command again, which goes on from there)",
		len(failed), len(g.moves), g.wave.Name, failed[0], g.wave.MaxFailed, failed[0])
}

// notBegun returns the result of a topology whose wave is not begun. What refuses it by itself
// comes first.
func (a Apply) notBegun(ctx context.Context, s observation, t plan.TopologyPlan, why string) (Report, Result) {
	s.computed.Wants = nil
	report := a.planTopology(ctx, s, t).withoutProbes()
	if stop := refused(a.planned(report, t.Name), report); stop != nil {
		return report, Result{Topology: t.Name, Outcome: stop.outcome, Detail: stop.detail}
	}
	return report, Result{Topology: t.Name, Outcome: OutcomeBlocked, Detail: why, Waits: true}
}

// waits says why a change that is approved is not begun yet; nil: it may begin. What was begun
// is carried on.
func (a Apply) waits(t plan.TopologyPlan, d approval.Decision) *stopped {
	if a.Hold == nil || t.Resumed {
		return nil
	}
	if why := a.Hold(t, d); why != "" {
		return &stopped{OutcomeBlocked, why}
	}
	return nil
}

// failoversFirst returns the topologies with the failovers in front.
func failoversFirst(topologies []plan.TopologyPlan) []plan.TopologyPlan {
	out := slices.Clone(topologies)
	rank := func(t plan.TopologyPlan) int {
		if t.Transition == plan.TransitionFailover {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b plan.TopologyPlan) int { return rank(a) - rank(b) })
	return out
}
