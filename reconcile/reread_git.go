package reconcile

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Wanted is what Git says of every topology, as read once more during an apply. Each
// map is by topology.
type Wanted struct {
	Changes map[string]approval.Change
	// Superseded names the newer commit that governs the topology.
	Superseded map[string]string
	// Rewritten names the governing commit where the tracked ref was moved off its
	// history.
	Rewritten map[string]string
}

// rereadGitWithin bounds one more reading of Git: a server that does not answer must not
// hold a lock for ever.
const rereadGitWithin = 30 * time.Second

// reread returns the apply with what Git says now. It fails when Git cannot be read
// within rereadGitWithin.
func (a Apply) reread(ctx context.Context) (Apply, error) {
	if a.RereadGit == nil {
		return a, nil
	}
	bounded, cancel := context.WithTimeoutCause(ctx, rereadGitWithin, fmt.Errorf("no answer within %s", plan.DurationText(rereadGitWithin)))
	defer cancel()
	w, err := a.RereadGit(bounded)
	if err != nil {
		return a, err
	}
	a.Changes, a.Superseded, a.Rewritten = w.Changes, w.Superseded, w.Rewritten
	return a, nil
}

// ShareReads returns a function that reads, and that concurrent callers share: one of
// them reads, and all who asked before it began get its result. A caller never gets a
// result of a read that began before it asked, nor the error of another caller's read.
func ShareReads[T any](read func(context.Context) (T, error)) func(context.Context) (T, error) {
	turn := make(chan struct{}, 1)
	var begun atomic.Int64 // reads so far
	var newest int64       // the number of the last read that succeeded
	var result T           // of that read
	return func(ctx context.Context) (T, error) {
		asked := begun.Load()
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
		if newest > asked {
			return result, nil
		}
		number := begun.Add(1)
		fresh, err := read(ctx)
		if err == nil {
			newest, result = number, fresh
		}
		return fresh, err
	}
}
