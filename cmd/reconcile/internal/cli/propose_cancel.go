package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/propose"
)

// runCancel edits the file to take back a change that has not begun. Until the edit is
// merged, the change that it takes back is in force.
func runCancel(ctx context.Context, g *globals, o proposeOptions, name string) error {
	if topology, _, found := strings.Cut(name, "/"); found {
		return fmt.Errorf("--cancel takes the name of a topology (hint: reconcile propose %s --cancel)", topology)
	}
	e, err := propose.Cancel(ctx, g.options(), propose.Request{Dir: cmp.Or(g.repo, "."), Topology: name, Commit: o.commit})
	if err != nil {
		return err
	}
	git, there := g.repoOptions()
	primary, _ := e.Before.Primary()
	return g.showEdit(e,
		nextStep{"push it, or open a pull request with it; it needs no approval:", git + " push"},
		nextStep{
			fmt.Sprintf("until it is merged, generation %d is in force: who approved it withdraws that at once:", e.Before.Generation),
			fmt.Sprintf("reconcile approve %s/%s --withdraw --commit %.12s --push%s", name, primary.ID, e.File.Governing(), there),
		},
		nextStep{"once it is on the tracked branch, see what is left to do:", "reconcile plan " + name},
	)
}
