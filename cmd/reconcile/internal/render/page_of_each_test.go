package render

import (
	"io"
	"maps"
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// transitions are all kinds of change.
var transitions = []plan.Transition{
	plan.TransitionNone, plan.TransitionBootstrap, plan.TransitionAddStandby, plan.TransitionDetach,
	plan.TransitionGrowChannels, plan.TransitionSwitchover, plan.TransitionFailover, plan.TransitionFence,
}

// TestEveryTransitionAndOutcomeHasAPage: a page is kept for each kind of change, and one for
// each end of an apply. That there is one for each finding and denial is held elsewhere.
func TestEveryTransitionAndOutcomeHasAPage(t *testing.T) {
	for _, transition := range transitions {
		if !slices.ContainsFunc(slices.Collect(maps.Values(goldens())), func(d Document) bool {
			return slices.ContainsFunc(d.Plan.Topologies, func(p plan.TopologyPlan) bool { return p.Transition == transition })
		}) {
			t.Errorf("no page is kept of the transition %s", transition)
		}
	}
	for outcome := range outcomes {
		if !slices.ContainsFunc(slices.Collect(maps.Values(applyGoldens())), func(c applyCase) bool {
			return slices.ContainsFunc(c.results, func(r Result) bool { return r.Outcome == outcome })
		}) {
			t.Errorf("no page is kept of an apply that ends with %s", outcome)
		}
	}
}

// TestEachFindingWithEachTransitionFitsAScreen: the findings of each code that is kept, in each
// kind of change.
func TestEachFindingWithEachTransitionFitsAScreen(t *testing.T) {
	for _, code := range plan.AllCodes() {
		if _, ok := unsaid[code]; ok {
			continue
		}
		findings := documentWith(t, code).Plan.Topologies[0].Findings
		for _, transition := range transitions {
			p := failover()
			p.Transition, p.Findings = transition, append(slices.Clone(p.Findings), findings...)
			d := document(p)
			fitsAScreen(t, transition.String()+" with "+string(code), func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		}
	}
}

// TestThePageUsesItsRoom: nothing is left out that has room on the page.
func TestThePageUsesItsRoom(t *testing.T) {
	for name, d := range everyDocument(t) {
		for _, topology := range d.topologies() {
			single := d
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			p := newPage(TableOptions{})
			made := map[string]detail{}
			p.fitted(single, func(level detail) brief {
				b := single.brief(topology, level)
				measured := newPage(TableOptions{})
				measured.brief(single, b)
				made[measured.b.String()] = level
				return b
			})
			level, ok := made[p.b.String()]
			if !ok {
				t.Fatalf("%s: the page is none of those that were tried", name)
			}
			for _, more := range refills {
				fuller := level
				more(&fuller)
				measured := newPage(TableOptions{})
				measured.brief(single, single.brief(topology, fuller))
				if fuller != level && measured.lines() <= pageLines && measured.b.String() != p.b.String() {
					t.Errorf("%s: %+v has room for %+v:\n%s", name, level, fuller, p.b.String())
				}
			}
		}
	}
}

// TestEveryPageAnswers: a page on which something is wrong or to be done says what happens,
// what may be lost or was, and what to type.
func TestEveryPageAnswers(t *testing.T) {
	answered := func(name string, b brief, asksFor bool) {
		for _, labels := range [][]string{{"Does", "Result", "Lost", "Stuck"}, {"May lose", "Lost"}} {
			if asksFor && !slices.ContainsFunc(b.rows, func(r row) bool { return slices.Contains(labels, r.label) }) {
				t.Errorf("%s: no row of %q: %+v", name, labels, b.rows)
			}
		}
		if asksFor && (len(b.actions) == 0 || b.actions[0].label != labelNow) {
			t.Errorf("%s: there is no %s: %+v", name, labelNow, b.actions)
		}
	}
	for name, d := range everyDocument(t) {
		for _, p := range d.topologies() {
			if d.kind() != KindStatus && d.observed() == ObservedLive {
				answered(name, d.brief(p, details[0]), hasTrouble(p) || p.Transition != plan.TransitionNone)
			}
		}
	}
	for name, c := range applyGoldens() {
		for _, r := range c.results {
			p, planned := c.document.Plan.Topology(r.Topology)
			b := c.document.resultBrief(p, planned, r, details[0])
			answered(name, b, (r.Outcome != reconcile.OutcomeApplied || p.Transition == plan.TransitionFailover) && (hasTrouble(p) || p.Transition != plan.TransitionNone))
		}
	}
}
