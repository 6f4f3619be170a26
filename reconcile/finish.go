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

// finish verifies, measures the loss, redirects and closes the intent. What a
// switchover made is held to last: applications do not wait for that.
// Nothing here undoes a promotion; what fails is done again by the next run.
func (r run) finish(ctx context.Context, prep prepared, res *Result) {
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
		default:
			end(StepNotAttempted.String())
			continue
		}
		end(x.Status.String())
		x.Step, x.Took = s, r.apply.Clock().Sub(began)
		res.Steps = append(res.Steps, x)
		if x.Status == StepFailed {
			res.Outcome = OutcomeUnverified
			res.Detail = fmt.Sprintf("%s: %s; the change itself took effect, the next apply goes on here", s.Action, x.Detail)
			return
		}
	}
	if prep.plan.Transition == plan.TransitionSwitchover {
		if err := r.holdConfiguration(ctx, prep); err != nil {
			res.Outcome, res.Detail = OutcomeUnverified, err.Error()
			return
		}
	}
	r.measureLoss(ctx, prep, res)
	if err := r.right.Finish(ctx, OutcomeApplied.String(), res.Detail); err != nil {
		res.Outcome, res.Detail = OutcomeUnverified, fmt.Errorf("record the result: %w", err).Error()
	}
}

// awaitConvergence ends what was told: the members stay what they were made, what joined
// holds nothing of its own, and what the primary writes reaches it.
func (r run) awaitConvergence(ctx context.Context, prep prepared) StepResult {
	joining := joiningStandbys(prep)
	done := r.checkJoined(ctx, prep)
	if done.Status != StepDone {
		return done
	}
	for _, c := range joining {
		if err := r.proveReplication(ctx, prep, prep.plan.Primary, c.ID); err != nil {
			var fell plan.FellBack
			if errors.As(r.readBackMembers(ctx, prep, 0), &fell) { // that is why, and says what to do
				return StepResult{Status: StepFailed, Detail: fell.Error()}
			}
			return StepResult{Status: StepFailed, Detail: fmt.Sprintf("%s: %v", plan.CodeReplicationStalled, err)}
		}
		done.Detail += fmt.Sprintf("; what %s writes reaches %s", prep.plan.Primary, c.ID)
	}
	if len(joining) == 0 {
		return done
	}
	// What is written now arrives behind every older change that is still under way,
	// so that whatever undoes the attach has come by then.
	if err := r.holdConfiguration(ctx, prep); err != nil {
		return StepResult{Status: StepFailed, Detail: err.Error()}
	}
	return done
}

// carriedSteps are all steps of the change: the plan of a run that carries on has
// only what is left to do.
func carriedSteps(prep prepared) []plan.Step {
	if i, open := openIntent(prep.remembered, prep.plan.Name); open && prep.plan.Resumed {
		return i.Steps
	}
	return prep.plan.Steps
}

// joiningStandbys are the standbys that join by this change.
func joiningStandbys(prep prepared) []plan.Cluster {
	var out []plan.Cluster
	for _, s := range carriedSteps(prep) {
		if c, ok := prep.topology.Cluster(s.Cluster); ok && s.Reason == plan.ReasonJoins && c.Role == plan.RoleStandby {
			out = append(out, c)
		}
	}
	return out
}

// checkJoined looks once more at the clusters that joined because they were empty,
// now that they refuse writes (contract.md §8, attach): one that took a
// write after the first look holds what its primary does not.
func (r run) checkJoined(ctx context.Context, prep prepared) StepResult {
	done := StepResult{Status: StepDone, Detail: "every member was read back with the wanted configuration"}
	empty := joinedEmpty(prep)
	if len(empty) == 0 {
		return done
	}
	views := r.apply.Observer.Observe(ctx, []plan.Topology{prep.topology}, Depth{Contents: true, Fresh: true})
	held := contentsOf(views, prep.plan.Primary)
	for _, id := range empty {
		c := contentsOf(views, id)
		own := slices.DeleteFunc(slices.Clone(c.Collections), func(name string) bool { return slices.Contains(held.Collections, name) })
		switch {
		case c.Known && len(c.Collections) == 0, c.Known && held.Known && len(own) == 0:
		case !c.Known || !held.Known:
			return StepResult{Status: StepFailed, Detail: fmt.Sprintf("%s: %s joined, and it could not be seen whether it holds anything of its own", plan.CodeJoinNotEmpty, id)}
		default:
			return StepResult{Status: StepFailed, Detail: fmt.Sprintf(
				"%s: %s was empty, took writes before it was told, and holds what %s does not: %s (hint: let it go with 'role: detached', empty it, and have it join anew)",
				plan.CodeJoinNotEmpty, id, prep.plan.Primary, strings.Join(own, ", "))}
		}
	}
	done.Detail += "; what joined holds nothing of its own"
	return done
}

// joinedEmpty are the clusters that joined without a restored copy.
func joinedEmpty(prep prepared) []string {
	var out []string
	for _, c := range joiningStandbys(prep) {
		if c.Provisioned.From != plan.ProvisionedRestored {
			out = append(out, c.ID)
		}
	}
	return out
}

func contentsOf(views []plan.View, cluster string) plan.Contents {
	for _, v := range views {
		if v.Cluster == cluster {
			return v.Contents
		}
	}
	return plan.Contents{}
}

// readBackFor is how long the members of a change are read back before success is
// said: an older change that replication still brought was seen to undo an attach
// within 5 s, and a switchover "seconds later" (docs/design/real-milvus.md).
const readBackFor = 6 * time.Second

// holdConfiguration reads the receivers of the change back for a while.
func (r run) holdConfiguration(ctx context.Context, prep prepared) (err error) {
	r.apply.tellWhile(ctx, r.name, "reading back whether every member stays what it was made", readBackFor, func() {
		err = r.readBackMembers(ctx, prep, readBackFor)
	})
	return err
}

// readBackMembers reads them back at least once, for as long as within.
func (r run) readBackMembers(ctx context.Context, prep prepared, within time.Duration) error {
	steps := slices.DeleteFunc(slices.Clone(carriedSteps(prep)), func(s plan.Step) bool { return !s.Action.Sends() || s.After == nil })
	return r.apply.Actor.HoldsConfiguration(ctx, prep.topology, steps, within)
}

// measureLoss reads the salvage checkpoints that a force promote left behind and
// gives the exact window; on servers that cannot say, it stays nil.
func (r run) measureLoss(ctx context.Context, prep prepared, res *Result) {
	if prep.plan.Transition != plan.TransitionFailover || prep.plan.OldPrimary == "" {
		return
	}
	promoted := prep.observed.View(prep.plan.Primary)
	promoted.Progress = nil // that of before
	for _, x := range res.Steps {
		if x.Step.Cluster == prep.plan.Primary && x.View.Reach == plan.ReachUp {
			promoted.Belief = x.View.Belief
		}
	}
	for _, v := range r.apply.Observer.Deepen(ctx, []plan.Topology{prep.topology}, []plan.View{promoted}, Depth{Progress: true}) {
		if v.Cluster == prep.plan.Primary {
			res.DataLoss = plan.SalvageWindow(v.Progress, prep.plan.OldPrimary, prep.plan.FailedAt, prep.remembered.Memory.ProgressOf(prep.plan.Primary))
		}
	}
}
