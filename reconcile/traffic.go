package reconcile

import (
	"context"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reason"
)

// trafficQuestion asks in the background where the traffic of one topology goes.
type trafficQuestion struct {
	answer chan []plan.TrafficState
	stop   context.CancelFunc
}

// askTraffic asks the redirect targets in the background whether they send traffic where it
// belongs before anything is changed. Before a switchover or failover that is the old
// primary.
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

// states ends the question and returns the answer. With atOnce it does not wait for one.
func (a trafficQuestion) states(atOnce bool) []plan.TrafficState {
	defer a.stop()
	if a.answer == nil {
		return nil
	}
	if !atOnce {
		return <-a.answer
	}
	select {
	case states := <-a.answer:
		return states
	default:
		return nil
	}
}

// staleClusters returns the clusters with the role stale, sorted.
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

// misdirected says whether traffic is to be set although no role changes: it goes to the
// wrong cluster, nothing but a split brain blocks, and only the desired primary takes
// writes.
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

// onlyWriter says whether the desired primary surely takes writes, and no other cluster
// does but those that Git calls stale or detached.
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

// redirectAfterChange sets traffic after a transition without a redirect step, such as a
// bootstrap, when traffic went to the wrong cluster before.
func (r run) redirectAfterChange(ctx context.Context, prep prepared, res *Result) {
	moves := slices.ContainsFunc(prep.plan.Steps, func(s plan.Step) bool { return s.Action == plan.ActionRedirect })
	if res.Outcome == OutcomeApplied && !moves && r.apply.Redirect != nil && prep.plan.Has(plan.CodeTrafficNotRedirected) {
		r.redirectAgain(ctx, prep, res)
	}
}

// redirectAgain sets traffic that goes to the wrong cluster although no primary changes. It
// needs no approval and no intent, because setting traffic is idempotent.
func (r run) redirectAgain(ctx context.Context, prep prepared, res *Result) {
	s := plan.Step{ID: len(res.Steps) + 1, Wave: 1, Action: plan.ActionRedirect, Cluster: prep.plan.Primary, Reason: plan.ReasonMoveTraffic}
	x := r.redirect(ctx, prep, s)
	x.Step = s
	res.Steps, res.Outcome, res.Detail = append(res.Steps, x), OutcomeApplied, x.Detail
	if x.Status == plan.StepFailed {
		res.Outcome, res.Detail = OutcomeUnverified, string(plan.CodeTrafficNotRedirected)+": "+x.Detail+"; the next apply tries again"
	}
}

// redirect points every target at the primary of the step. It fails unless each target
// says that it does so.
func (r run) redirect(ctx context.Context, prep prepared, s plan.Step) StepResult {
	none := StepResult{Status: plan.StepSkipped, Detail: "no redirect target is configured: point applications at " + s.Cluster + " yourself"}
	if r.apply.Redirect == nil {
		return none
	}
	r.apply.tell(r.name, "redirecting traffic to "+s.Cluster)
	ctx = reason.With(ctx, reason.Reason{Commit: prep.decision.Commit, Transition: prep.plan.Transition})
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
		return StepResult{Status: plan.StepFailed, Detail: strings.Join(wrong, "; ")}
	}
	return StepResult{Status: plan.StepDone, Detail: "traffic points at " + s.Cluster + " by " + strings.Join(done, ", ") + seenWords(states) + r.stayWords(states)}
}

// seenWords say what was measured at each target.
func seenWords(states []plan.TrafficState) string {
	words := ""
	for _, x := range states {
		if x.Seen != "" {
			words += "; " + x.Target + " was seen to lead there " + x.Seen
		}
	}
	return words
}

// stayWords say until when clients may still be sent to the cluster that was left.
func (r run) stayWords(states []plan.TrafficState) string {
	words := ""
	for _, x := range states {
		if x.Stay.New > 0 {
			words += "; new connections by " + x.Target + " may go to the old primary until " +
				r.apply.Clock().Add(x.Stay.New).UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339) + " (" + x.Stay.Why + ")"
		}
	}
	return words
}
