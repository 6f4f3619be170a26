package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

// runCancel edits the file to take back a change that has not begun.
func runCancel(ctx context.Context, g *globals, o proposeOptions, name string) error {
	if topology, _, found := strings.Cut(name, "/"); found {
		return fmt.Errorf("--cancel takes the name of a topology (hint: reconcile propose %s --cancel)", topology)
	}
	w, err := g.workFile(ctx, name)
	if err != nil {
		return err
	}
	committed, err := w.Unchanged(ctx)
	if err != nil {
		return err
	}
	e, err := g.options().OpenForWorkTree(w.Top)
	if err != nil {
		return fmt.Errorf("whether the change has begun is not known: %w", err)
	}
	defer e.Close()
	memory, err := g.options().KnownMemory(ctx, w.Top)
	if err != nil {
		return err
	}
	observed, err := g.observeMembers(ctx, e, committed)
	if err != nil {
		return err
	}
	roles, err := plan.ProposeCancel(committed, observed, memory)
	if errors.Is(err, plan.ErrNothingToCancel) {
		return fmt.Errorf("%s: %w (hint: 'reconcile plan %s' says what is left)", w.File, err, name)
	}
	if err != nil {
		return err
	}
	return g.proposeEdit(ctx, w, proposal{
		roles: roles, commit: o.commit,
		what: "Take the change of " + name + " back",
		plan: func(d plan.Desired, m plan.Memory) plan.Plan { return plan.Compute(d, observed, m) },
		next: g.afterCancel(name, committed),
	})
}

// afterCancel returns what to type once the edit is committed. Until it is merged, the
// change that it takes back is in force.
func (g *globals) afterCancel(name string, t plan.Topology) []string {
	git, there := g.repoOptions()
	primary, _ := t.Primary()
	return []string{
		"  " + git + " push                  # or open a pull request with it; it needs no approval",
		fmt.Sprintf("  reconcile plan %s    # once it is on the tracked branch", name),
		fmt.Sprintf("Until it is merged, generation %d is in force. Who approved that one takes the approval back at once:", t.Generation),
		fmt.Sprintf("  reconcile approve %s/%s --withdraw --push%s", name, primary.ID, there),
	}
}
