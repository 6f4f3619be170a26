package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// settleFor is how long the members of a change are read back before success is
// said: an older change that replication still brought was seen to undo an attach
// within 5 s, and a switchover "seconds later" (docs/design/real-milvus.md).
const settleFor = 6 * time.Second

// converged ends what was told: the members stay what they were made, what joined
// holds nothing of its own, and what the primary writes reaches it.
func (r run) converged(ctx context.Context, now ready) StepResult {
	joining := joiningStandbys(now)
	done := r.joined(ctx, now)
	if done.Status != StepDone {
		return done
	}
	for _, c := range joining {
		if err := r.flows(ctx, now, now.plan.Primary, c.ID); err != nil {
			var fell plan.FellBack
			if errors.As(r.stay(ctx, now, 0), &fell) { // that is why, and says what to do
				return StepResult{Status: StepFailed, Detail: fell.Error()}
			}
			return StepResult{Status: StepFailed, Detail: fmt.Sprintf("%s: %v", plan.CodeReplicationStalled, err)}
		}
		done.Detail += fmt.Sprintf("; what %s writes reaches %s", now.plan.Primary, c.ID)
	}
	if len(joining) == 0 {
		return done
	}
	// What is written now arrives behind every older change that is still under way,
	// so that whatever undoes the attach has come by then.
	if err := r.stays(ctx, now); err != nil {
		return StepResult{Status: StepFailed, Detail: err.Error()}
	}
	return done
}

// stays reads the receivers of the change back for a while.
func (r run) stays(ctx context.Context, now ready) (err error) {
	r.apply.waiting(ctx, r.name, "reading back whether every member stays what it was made", settleFor, func() {
		err = r.stay(ctx, now, settleFor)
	})
	return err
}

// stay reads them back at least once, for as long as within.
func (r run) stay(ctx context.Context, now ready, within time.Duration) error {
	steps := slices.DeleteFunc(slices.Clone(carriedSteps(now)), func(s plan.Step) bool { return !s.Action.Sends() || s.After == nil })
	return r.apply.Actor.Stays(ctx, now.topology, steps, within)
}

// flows proves that what source writes reaches target.
func (r run) flows(ctx context.Context, now ready, source, target string) error {
	within := now.topology.Switchover.CatchUpWithin
	var err error
	r.apply.waiting(ctx, r.name, fmt.Sprintf("proving that replication from %s reaches %s", source, target), within, func() {
		err = r.apply.Actor.ProveReplication(ctx, now.topology, source, target, within)
	})
	return err
}

// carriedSteps are all steps of the change: the plan of a run that carries on has
// only what is left to do.
func carriedSteps(now ready) []plan.Step {
	if i, open := openIntent(now.remembered, now.plan.Name); open && now.plan.Resumed {
		return i.Steps
	}
	return now.plan.Steps
}

// joiningStandbys are the standbys that join by this change.
func joiningStandbys(now ready) []plan.Cluster {
	var out []plan.Cluster
	for _, s := range carriedSteps(now) {
		if c, ok := now.topology.Cluster(s.Cluster); ok && s.Reason == plan.ReasonJoins && c.Role == plan.RoleStandby {
			out = append(out, c)
		}
	}
	return out
}

// joined looks once more at the clusters that joined because they were empty,
// now that they refuse writes (contract.md §8, attach): one that took a
// write after the first look holds what its primary does not.
func (r run) joined(ctx context.Context, now ready) StepResult {
	done := StepResult{Status: StepDone, Detail: "every member was read back with the wanted configuration"}
	empty := joinedEmpty(now)
	if len(empty) == 0 {
		return done
	}
	views := r.apply.Observer.Observe(ctx, []plan.Topology{now.topology}, Depth{Contents: true, Fresh: true})
	held := contentsOf(views, now.plan.Primary)
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
				plan.CodeJoinNotEmpty, id, now.plan.Primary, strings.Join(own, ", "))}
		}
	}
	done.Detail += "; what joined holds nothing of its own"
	return done
}

// joinedEmpty are the clusters that joined without a restored copy.
func joinedEmpty(now ready) []string {
	var out []string
	for _, c := range joiningStandbys(now) {
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
