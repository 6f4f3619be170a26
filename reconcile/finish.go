package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"milvus-reconcile/plan"
)

// finish carries out the steps after the requests: it waits until the members stay what
// they were made, verifies, redirects traffic, and loads what the old primary had loaded. Then
// it measures the loss and closes the intent. A switchover is read back last of all, so that applications do not wait for
// it. Nothing here undoes a promotion: what fails, the next run does again.
func (r run) finish(ctx context.Context, prep prepared, res *Result) {
	r.close(ctx, prep, res)
	if res.Outcome != OutcomeApplied {
		return
	}
	if prep.plan.Transition == plan.TransitionSwitchover {
		if err := r.readBack(ctx, prep); err != nil {
			res.Outcome, res.Detail = OutcomeUnverified, err.Error()
			return
		}
	}
	r.measureLoss(ctx, prep, res)
	if err := r.right.Finish(ctx, OutcomeApplied.String(), res.WhatCame(prep.plan)); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record the result: %w", err).Error()
	}
	judgeAudit(res)
}

// close carries out the steps that follow the requests, in their order. The first that fails
// ends it, but for a redirect: the new primary can serve without it.
func (r run) close(ctx context.Context, prep prepared, res *Result) {
	for _, s := range prep.plan.Steps {
		var x StepResult
		began := r.apply.Clock()
		ctx, end := StartSpan(ctx, string(s.Action), r.name, attribute.String("cluster", s.Cluster))
		switch s.Action {
		case plan.ActionWait:
			x = r.awaitConvergence(ctx, prep)
		case plan.ActionVerify:
			x = r.verify(ctx, prep, s, res)
		case plan.ActionRedirect:
			x = r.redirect(ctx, prep, s)
		case plan.ActionLoad:
			x = r.load(ctx, prep, s, res)
		case plan.ActionAudit:
			x = r.auditRebuilt(ctx, prep, s)
		default:
			end(plan.StepNotAttempted.String())
			continue
		}
		end(x.Status.String())
		x.Step, x.Took = s, r.apply.Clock().Sub(began)
		res.Steps = append(res.Steps, x)
		if x.Status == plan.StepFailed && s.Action != plan.ActionLoad && s.Action != plan.ActionAudit {
			res.Outcome = OutcomeUnverified
			res.Detail = fmt.Sprintf("%s: %s; the change itself took effect, and the next apply continues here", s.Action, x.Detail)
			if s.Action != plan.ActionRedirect {
				return
			}
		}
	}
}

// awaitConvergence waits until the change is certain: the clusters that joined hold
// nothing of their own, what the primary writes reaches them, and every member stays what
// it was made.
func (r run) awaitConvergence(ctx context.Context, prep prepared) StepResult {
	joining := joiningStandbys(prep)
	done := r.checkJoined(ctx, prep, joining)
	if done.Status != plan.StepDone {
		return done
	}
	for _, c := range joining {
		if err := r.proveReplication(ctx, prep, prep.plan.Primary, c.ID); err != nil {
			var fell plan.FellBackError
			if errors.As(r.holdsConfiguration(ctx, prep, 0), &fell) { // that is the cause, and it says what to do
				return StepResult{Status: plan.StepFailed, Detail: fell.Error()}
			}
			return StepResult{Status: plan.StepFailed, Detail: fmt.Sprintf("%s: %v", plan.CodeReplicationStalled, err)}
		}
		done.Detail += fmt.Sprintf("; writes of %s reach %s", prep.plan.Primary, c.ID)
	}
	if len(joining) == 0 {
		return done
	}
	// What the primary writes now arrives after every older change that is still under way.
	// Whatever undoes the attach has come by then.
	if err := r.readBack(ctx, prep); err != nil {
		return StepResult{Status: plan.StepFailed, Detail: err.Error()}
	}
	return done
}

// checkJoined reads once more the clusters that joined because they were empty, now that
// they refuse writes (contract.md §8.7, attach). A cluster that took a write after it was
// first read holds what its primary does not.
func (r run) checkJoined(ctx context.Context, prep prepared, joining []plan.Cluster) StepResult {
	done := StepResult{Status: plan.StepDone, Detail: "every member was read back with the wanted configuration"}
	rebuild := prep.plan.Transition == plan.TransitionRebuild // whatever it was filled with, the primary must have it
	empty := slices.DeleteFunc(slices.Clone(joining), func(c plan.Cluster) bool { return !rebuild && c.Provisioned.From == plan.ProvisionedRestored })
	if len(empty) == 0 {
		return done
	}
	views := r.apply.Observer.Observe(ctx, []plan.Topology{prep.topology}, plan.Depth{Contents: true, Fresh: true})
	held := contentsOf(views, prep.plan.Primary)
	for _, cluster := range empty {
		c := contentsOf(views, cluster.ID)
		own := slices.DeleteFunc(slices.Clone(c.Collections), func(name string) bool { return slices.Contains(held.Collections, name) })
		switch {
		case c.Known && len(c.Collections) == 0, c.Known && held.Known && len(own) == 0:
		case !c.Known || !held.Known:
			return StepResult{Status: plan.StepFailed, Detail: fmt.Sprintf("%s: %s joined, but it is not known whether it holds data of its own", plan.CodeJoinNotEmpty, cluster.ID)}
		default:
			return StepResult{Status: plan.StepFailed, Detail: fmt.Sprintf(
				"%s: %s was empty, but took writes before it got the configuration, and holds data that %s does not have: %s (hint: detach it with 'role: detached', empty it, and let it join again)",
				plan.CodeJoinNotEmpty, cluster.ID, prep.plan.Primary, strings.Join(own, ", "))}
		}
	}
	done.Detail += "; no new standby holds data of its own"
	return done
}

// contentsOf returns what a view says that a cluster holds.
func contentsOf(views []plan.View, cluster string) plan.Contents {
	for _, v := range views {
		if v.Cluster == cluster {
			return v.Contents
		}
	}
	return plan.Contents{}
}

// verify repeats the checks of a promotion until they hold, and notes which collections
// did not come with it.
func (r run) verify(ctx context.Context, prep prepared, s plan.Step, res *Result) StepResult {
	var found Verified
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("verifying %s (%s)", s.Cluster, s.Verify), 0, func() {
		found, err = r.apply.Actor.Verify(ctx, prep.topology, s.Cluster, s.Verify, expectedCollections(prep, s.Cluster))
	})
	if err != nil {
		return StepResult{Status: plan.StepFailed, Detail: err.Error()}
	}
	found.Had = predecessor(prep)
	res.Verified = found
	detail := fmt.Sprintf("%s works as the primary (%s)", s.Cluster, s.Verify)
	for _, f := range collectionFindings(prep.plan, s.Cluster, found) {
		detail += "; " + f.Message
	}
	return StepResult{Status: plan.StepDone, Detail: detail}
}

// expectedCollections returns the collections that the ledger last knew on a cluster, and
// those that this run saw on it before it changed anything. They are sorted.
func expectedCollections(prep prepared, cluster string) []string {
	out := slices.Clone(collectionsOf(prep.remembered, cluster))
	if c := prep.observed.View(cluster).Contents; c.Known {
		out = append(out, c.Collections...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// joiningStandbys returns the standbys that join by this change.
func joiningStandbys(prep prepared) []plan.Cluster {
	var out []plan.Cluster
	for _, s := range allSteps(prep) {
		if c, ok := prep.topology.Cluster(s.Cluster); ok && s.Reason == plan.ReasonJoins && c.Role == plan.RoleStandby {
			out = append(out, c)
		}
	}
	return out
}

// readBackFor is for how long the members of a change are read back before it counts as
// applied. An older change that replication still brought was seen to undo an attach
// within 5 s, and a switchover "seconds later" (docs/design/real-milvus.md).
const readBackFor = 6 * time.Second

// readBack reads the receivers of the change back for readBackFor. It fails when one does
// not stay what it was made.
func (r run) readBack(ctx context.Context, prep prepared) (err error) {
	r.apply.tellWhile(ctx, r.name, "reading back whether every member keeps its role", readBackFor, func() {
		err = r.holdsConfiguration(ctx, prep, readBackFor)
	})
	return err
}

// holdsConfiguration reads the receivers of the change back at least once, and again for as
// long as within.
func (r run) holdsConfiguration(ctx context.Context, prep prepared, within time.Duration) error {
	steps := slices.DeleteFunc(slices.Clone(allSteps(prep)), func(s plan.Step) bool { return !s.Action.Sends() || s.After == nil })
	return r.apply.Actor.HoldsConfiguration(ctx, prep.topology, steps, within)
}

// allSteps returns the steps of the whole change. The plan of a run that resumes an intent
// holds only those that are left.
func allSteps(prep prepared) []plan.Step {
	if i, open := openIntent(prep.remembered, prep.plan.Name); open && prep.plan.Resumed {
		return i.Steps
	}
	return prep.plan.Steps
}

// measureLoss reads the salvage checkpoints that a force promote left, and puts the exact
// window of lost writes into the result. It leaves the window nil where the server does
// not keep such checkpoints.
func (r run) measureLoss(ctx context.Context, prep prepared, res *Result) {
	if prep.plan.Transition != plan.TransitionFailover || prep.plan.OldPrimary == "" {
		return
	}
	promoted := prep.observed.View(prep.plan.Primary)
	promoted.Progress = nil // of before the promotion
	for _, x := range res.Steps {
		if x.Step.Cluster == prep.plan.Primary && x.View.Reach == plan.ReachUp {
			promoted.Belief = x.View.Belief
		}
	}
	for _, v := range r.apply.Observer.Deepen(ctx, []plan.Topology{prep.topology}, []plan.View{promoted}, plan.Depth{Progress: true}) {
		if v.Cluster == prep.plan.Primary {
			res.DataLoss = plan.SalvageWindow(v.Progress, prep.plan.OldPrimary, prep.plan.FailedAt, prep.remembered.Memory.ProgressOf(prep.plan.Primary))
		}
	}
}

// WhatCame says how the change of a plan ended: whether it was verified, where traffic
// goes, and what was lost.
func (r Result) WhatCame(t plan.TopologyPlan) string {
	var parts []string
	if r.Detail != "" {
		parts = append(parts, r.Detail)
	}
	for _, x := range r.Steps {
		if x.Step.Action == plan.ActionVerify || x.Step.Action == plan.ActionRedirect || x.Step.Action == plan.ActionLoad || x.Step.Action == plan.ActionAudit {
			parts = append(parts, x.Detail)
		}
	}
	if t.Transition == plan.TransitionFailover && t.OldPrimary != "" {
		parts = append(parts, plan.LossText(r.DataLoss, t))
	}
	return strings.Join(parts, "; ")
}

// Verify checks the primary of every topology that has no transition, as after a
// promotion. It returns the report with what it found, and whether every check held. A
// topology that waits for a change is not checked.
func (p Pass) Verify(ctx context.Context, v Verifier, report Report) (Report, bool) {
	found := make([][]plan.Finding, len(report.Plan.Topologies))
	p.inParallel(len(found), func(i int) { found[i] = p.verifyOne(ctx, v, report.Plan.Topologies[i], report.remembered) })
	held := true
	report.Plan.Topologies = slices.Clone(report.Plan.Topologies)
	for i, t := range report.Plan.Topologies {
		if len(found[i]) > 0 {
			t.Findings = append(slices.Clone(t.Findings), found[i]...)
			t.InSync = t.InSync && !slices.ContainsFunc(found[i], func(f plan.Finding) bool { return t.DriftOf(f) != plan.DriftNone })
			report.Plan.Topologies[i] = t
		}
		held = held && !t.Has(plan.CodeVerificationFailed)
	}
	return report, held
}

// verifyOne checks one topology.
func (p Pass) verifyOne(ctx context.Context, v Verifier, t plan.TopologyPlan, r Remembered) []plan.Finding {
	switch {
	case t.Primary == "":
		return nil
	case t.Transition != plan.TransitionNone:
		p.tell(t.Name, "not verified: its "+t.Transition.String()+" comes first")
		return nil
	}
	topology := p.topology(t.Name)
	level := topology.VerifyLevel(p.Desired.Limits)
	var verified Verified
	var err error
	p.tellWhile(ctx, t.Name, fmt.Sprintf("verifying %s (%s)", t.Primary, level), 0, func() {
		verified, err = v.Verify(ctx, topology, t.Primary, level, collectionsOf(r, t.Primary))
	})
	if err != nil {
		return []plan.Finding{plan.VerificationFailed(t.Name, t.Primary, level, err)}
	}
	verified.Had = r.Memory.LastServing(t.Name)
	return collectionFindings(t, t.Primary, verified)
}

// collectionsOf returns the collections that the ledger last knew on a cluster.
func collectionsOf(r Remembered, cluster string) []string {
	for _, p := range r.Memory.Progress {
		if p.Cluster == cluster {
			return p.Collections
		}
	}
	return nil
}

// collectionFindings says which collections are missing, or do not answer, and what is not
// in place to serve. Neither undoes a promotion or holds back its redirect.
func collectionFindings(t plan.TopologyPlan, cluster string, v Verified) []plan.Finding {
	var parts []string
	if len(v.Missing) > 0 {
		parts = append(parts, "seen before and not on "+cluster+": "+strings.Join(v.Missing, ", "))
	}
	if len(v.Silent) > 0 {
		parts = append(parts, "on "+cluster+" and not answering: "+strings.Join(v.Silent, ", "))
	}
	var out []plan.Finding
	if f, ok := plan.ContentMissing(t.Name, cluster, v.Readiness, v.Had); ok {
		out = append(out, f)
	}
	if len(parts) == 0 {
		return out
	}
	return append(out, plan.NewFinding(plan.CodeCollectionsMissing, cluster, strings.Join(parts, "; "),
		"ask their owners whether they were dropped or released on purpose; if not, see what the old primary still holds: '"+t.Salvage(t.Replaced())+"'; or take them from a backup"))
}
