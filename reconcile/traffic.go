package reconcile

import (
	"context"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// trafficQuestion is a question that is under way: where the traffic of one topology
// goes.
type trafficQuestion struct {
	answer chan []plan.TrafficState
	stop   context.CancelFunc
}

// askTraffic asks the redirect targets in the background whether they send the
// traffic where it belongs as long as nothing was changed: before a switchover
// or failover that is still the old primary.
func (p Pass) askTraffic(ctx context.Context, t plan.TopologyPlan) trafficQuestion {
	primary := t.Primary
	if t.Changes() && t.OldPrimary != "" {
		primary = t.OldPrimary
	}
	if p.Traffic == nil || primary == "" {
		return trafficQuestion{stop: func() {}}
	}
	stale := slices.DeleteFunc(staleClusters(p.topology(t.Name)), func(id string) bool { return id == primary })
	ctx, stop := context.WithCancel(ctx)
	a := trafficQuestion{answer: make(chan []plan.TrafficState, 1), stop: stop}
	go func() { a.answer <- p.Traffic.Check(ctx, t.Name, primary, stale) }()
	return a
}

// states ends the question. In a hurry only what was answered already counts.
func (a trafficQuestion) states(hurry bool) []plan.TrafficState {
	defer a.stop()
	if a.answer == nil {
		return nil
	}
	if !hurry {
		return <-a.answer
	}
	select {
	case states := <-a.answer:
		return states
	default:
		return nil
	}
}

func staleClusters(t plan.Topology) []string {
	var out []string
	for _, c := range t.Clusters {
		if c.Role == plan.RoleStale {
			out = append(out, c.ID)
		}
	}
	slices.Sort(out)
	return out
}

// misdirected says whether traffic is to be set again although no role
// changes: it is known to go wrong, and the clusters leave no doubt about who
// takes writes. The desired primary is up and believes that it is; whoever
// else does is stale or detached by Git; and nothing else blocks.
func (a Apply) misdirected(t plan.TopologyPlan) bool {
	if _, old := a.Superseded[t.Name]; old || a.Redirect == nil || a.only != plan.TransitionNone ||
		t.Transition != plan.TransitionNone || !t.Has(plan.CodeTrafficNotRedirected) {
		return false
	}
	blocked := slices.ContainsFunc(t.Findings, func(f plan.Finding) bool {
		return f.Severity == plan.SeverityBlocking && f.Code != plan.CodeSplitBrain
	})
	return !blocked && onlyWriter(t)
}

func onlyWriter(t plan.TopologyPlan) bool {
	found := false
	for _, c := range t.Clusters {
		writes := c.View.Reach == plan.ReachUp &&
			(c.View.Belief.Kind == plan.BeliefPrimary || c.View.Belief.Kind == plan.BeliefStandalone)
		switch {
		case c.ID == t.Primary:
			found = writes && !c.View.Belief.Inferred
		case writes && c.DesiredRole != plan.RoleStale && c.DesiredRole != plan.RoleDetached:
			return false
		}
	}
	return found
}

// redirectAfterChange sets the traffic after a transition that moves no primary, such
// as a bootstrap, when it was seen to go wrong before.
func (r run) redirectAfterChange(ctx context.Context, prep prepared, res *Result) {
	moves := slices.ContainsFunc(prep.plan.Steps, func(s plan.Step) bool { return s.Action == plan.ActionRedirect })
	if res.Outcome == OutcomeApplied && !moves && r.apply.Redirect != nil && prep.plan.Has(plan.CodeTrafficNotRedirected) {
		r.redirectAgain(ctx, prep, res)
	}
}

// redirectAgain sets the traffic of a topology that goes wrong although no
// primary moves. It needs no approval and writes no intent: setting it is
// idempotent.
func (r run) redirectAgain(ctx context.Context, prep prepared, res *Result) {
	s := plan.Step{ID: len(res.Steps) + 1, Wave: 1, Action: plan.ActionRedirect, Cluster: prep.plan.Primary, Reason: plan.ReasonMoveTraffic}
	x := r.redirect(ctx, prep, s)
	x.Step = s
	res.Steps, res.Outcome, res.Detail = append(res.Steps, x), OutcomeApplied, x.Detail
	if x.Status == StepFailed {
		res.Outcome, res.Detail = OutcomeUnverified, string(plan.CodeTrafficNotRedirected)+": "+x.Detail+"; the next apply tries again"
	}
}

// redirect points every target at the primary and demands that each says so.
func (r run) redirect(ctx context.Context, prep prepared, s plan.Step) StepResult {
	none := StepResult{Status: StepSkipped, Detail: "no redirect target is configured: point applications at " + s.Cluster + " yourself"}
	if r.apply.Redirect == nil {
		return none
	}
	r.apply.tell(r.name, "redirecting traffic to "+s.Cluster)
	states := r.apply.Redirect.Set(ctx, r.name, s.Cluster, staleClusters(prep.topology))
	if len(states) == 0 {
		return none
	}
	var done, wrong []string
	for _, x := range states {
		if !x.OK {
			wrong = append(wrong, x.Target+": "+x.Detail)
			continue
		}
		done = append(done, x.Target)
	}
	if len(wrong) > 0 {
		return StepResult{Status: StepFailed, Detail: strings.Join(wrong, "; ")}
	}
	return StepResult{Status: StepDone, Detail: "traffic points at " + s.Cluster + " by " + strings.Join(done, ", ")}
}
