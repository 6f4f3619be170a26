package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/gitsource"
)

// runOfflinePlan plans from the documents alone: it reads no configuration and
// calls no cluster, so it can serve a pull request from a fork.
func runOfflinePlan(ctx context.Context, g *globals, o planOptions, names []string) error {
	rev, err := g.cloneRevision(ctx, o, names)
	if err != nil {
		return err
	}
	planned := plan.Offline(rev.desired, plan.Memory{Now: g.clock()})
	g.exit = planExit(reconcile.Report{Plan: planned}, rev, o.detailedExitcode)
	d := documentOf(reconcile.Report{Plan: planned}, rev, render.KindPlan, g.clock())
	return g.emit(func(w io.Writer, kind string) error { return g.writeDocument(w, kind, d) })
}

// cloneRevision reads the topologies of a clone without a configuration. With a
// base, what the base says is what the change starts from.
func (g *globals) cloneRevision(ctx context.Context, o planOptions, names []string) (revision, error) {
	url := g.repo
	if url == "" {
		url = "."
	}
	repo, err := gitsource.Open(ctx, gitsource.Config{URL: url, Ref: g.ref, Path: g.pathOr("topologies")})
	if err != nil {
		return revision{}, err
	}
	rev, err := loadRevision(ctx, repo, o.commit)
	if err != nil {
		return revision{}, err
	}
	if err := rev.choose(names); err != nil {
		return revision{}, err
	}
	if o.base == "" {
		return rev, nil
	}
	base, err := loadRevision(ctx, repo, o.base)
	if err != nil {
		return revision{}, fmt.Errorf("--base: %w (hint: a shallow clone lacks old commits; 'git fetch --unshallow' brings them)", err)
	}
	rev.differing(base)
	rev.startFrom(base)
	return rev, nil
}

// startFrom takes the documents of a base as the previous versions: a branch of
// several commits is merged as one change.
func (r *revision) startFrom(base revision) {
	for i, t := range r.desired.Topologies {
		t.Previous = nil
		if j := slices.IndexFunc(base.desired.Topologies, func(b plan.Topology) bool { return b.Name == t.Name }); j >= 0 {
			before := base.desired.Topologies[j]
			t.Previous = &before
			t.GreatestEarlier = max(before.Generation, before.GreatestEarlier)
		}
		r.desired.Topologies[i] = t
	}
}
