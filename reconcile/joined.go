package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// joined looks once more at the clusters that joined because they were empty,
// now that they refuse writes (contract section 8, attach): one that took a
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

// joinedEmpty are the clusters that joined without a restored copy. A run that
// carries on finds them in the intent: its plan has only what is left to do.
func joinedEmpty(now ready) []string {
	steps := now.plan.Steps
	if i, open := openIntent(now.remembered, now.plan.Name); open && now.plan.Resumed {
		steps = i.Steps
	}
	var out []string
	for _, s := range steps {
		c, ok := now.topology.Cluster(s.Cluster)
		if ok && s.Reason == plan.ReasonJoins && c.Role == plan.RoleStandby && c.Provisioned.From != plan.ProvisionedRestored {
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
