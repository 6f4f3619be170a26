package reconcile

import (
	"context"
	"sync/atomic"
)

// ShareReads has those who ask at once share one look, which one of them makes.
// Nobody gets a look that began before they asked, nor the error of another.
func ShareReads[T any](look func(context.Context) (T, error)) func(context.Context) (T, error) {
	turn := make(chan struct{}, 1)
	var began atomic.Int64 // looks so far
	var newest int64       // that succeeded
	var seen T
	return func(ctx context.Context) (T, error) {
		asked := began.Load()
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
		if newest > asked {
			return seen, nil
		}
		at := began.Add(1)
		fresh, err := look(ctx)
		if err == nil {
			newest, seen = at, fresh
		}
		return fresh, err
	}
}
