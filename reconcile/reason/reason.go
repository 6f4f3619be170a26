// Package reason carries why traffic is set to the targets that write it down. Both package
// reconcile and the targets import this package, since they do not import each other. What
// it carries is only shown: no target decides by it.
package reason

import (
	"context"

	"milvus-reconcile/plan"
)

// Reason is why traffic is set.
type Reason struct {
	Commit     string          // that governs the topology
	Transition plan.Transition // that moved the primary; none: traffic went to the wrong cluster
}

type key struct{}

// With returns a context that carries a reason.
func With(ctx context.Context, r Reason) context.Context { return context.WithValue(ctx, key{}, r) }

// Of returns the reason that a context carries; the zero value: none.
func Of(ctx context.Context) Reason {
	r, _ := ctx.Value(key{}).(Reason)
	return r
}
