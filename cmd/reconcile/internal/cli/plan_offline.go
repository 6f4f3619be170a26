package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/gitsource"
)

// runOfflinePlan plans from the documents alone. It reads no configuration and calls no
// cluster, so it is safe for a pull request from a fork.
func runOfflinePlan(ctx context.Context, g *globals, o planOptions, names []string) error {
	rev, err := g.cloneRevision(ctx, o, names)
	if err != nil {
		return err
	}
	return g.writeUnapplicable(plan.Offline(rev.Desired, plan.Memory{Now: g.clock()}), rev, o, render.ObservedNone)
}

// runObservedPlan plans from a status that another machine observed.
func runObservedPlan(ctx context.Context, g *globals, o planOptions, names []string) error {
	views, err := g.readObserved(o.observed)
	if err != nil {
		return err
	}
	rev, err := g.cloneRevision(ctx, o, names)
	if err != nil {
		return err
	}
	planned := plan.Compute(rev.Desired, plan.Observed{Views: views}, plan.Memory{Now: g.clock()})
	return g.writeUnapplicable(planned, rev, o, render.ObservedElsewhere)
}

func (g *globals) readObserved(path string) ([]plan.View, error) {
	in := g.std.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read what was observed: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	views, err := render.DecodeObserved(in, g.clock())
	if err != nil {
		return nil, fmt.Errorf("read what was observed, %s: %w", path, err)
	}
	return views, nil
}

// writeUnapplicable prints a plan that rests on no observation of this process.
func (g *globals) writeUnapplicable(planned plan.Plan, rev desired.Revision, o planOptions, by render.Observation) error {
	report := reconcile.Report{Plan: planned}
	g.exit = planExit(report, rev, o.detailedExitcode)
	d := documentOf(report, rev, render.KindPlan, g.clock())
	d.Observed = by
	return g.emit(func(w io.Writer, kind string) error { return g.writeDocument(w, kind, d) })
}

// cloneRevision reads the topologies of a clone without a configuration. With --base, the
// change starts from the documents at that commit.
func (g *globals) cloneRevision(ctx context.Context, o planOptions, names []string) (desired.Revision, error) {
	defer g.showProgress("reading the topology files and their history")()
	repo, err := gitsource.Open(ctx, gitsource.Config{URL: cmp.Or(g.repo, "."), Ref: g.ref, Path: cmp.Or(g.path, "topologies")})
	if err != nil {
		return desired.Revision{}, err
	}
	rev, err := g.loader.Load(ctx, repo, o.commit)
	if err != nil {
		return desired.Revision{}, err
	}
	if err := rev.Choose(names); err != nil {
		return desired.Revision{}, err
	}
	if o.base == "" {
		rev.MarkUnproven(rev.Desired.Topologies)
		return rev, nil
	}
	base, err := g.loader.Load(ctx, repo, o.base)
	if err != nil {
		return desired.Revision{}, fmt.Errorf("--base: %w (hint: a shallow clone lacks old commits; 'git fetch --unshallow' brings them)", err)
	}
	rev.KeepChanged(base)
	rev.UseAsPrevious(base)
	base.MarkUnproven(rev.Desired.Topologies)
	return rev, nil
}
