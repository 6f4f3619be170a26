package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"milvus-reconcile/reconcile"
)

// TestOneLook: who asks while a look is under way gets the next one, together
// with all who do; an error is of one alone; and nobody waits beyond their context.
func TestOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail, release := errors.New("fail"), make(chan error)
		looks := 0
		look := reconcile.ShareReads(func(context.Context) (int, error) {
			looks++
			return looks, <-release
		})
		type answer struct {
			look int
			err  error
		}
		answers := make(chan answer, 4)
		ask := func(ctx context.Context) {
			go func() {
				n, err := look(ctx)
				answers <- answer{n, err}
			}()
			synctest.Wait()
		}
		gone, leave := context.WithCancelCause(t.Context())
		ask(t.Context())
		for range 3 {
			ask(t.Context())
		}
		ask(gone)
		leave(errors.New("the lock was lost"))
		if got := <-answers; got.err == nil || got.err.Error() != "the lock was lost" {
			t.Errorf("%+v", got)
		}
		release <- nil
		if got := <-answers; got != (answer{1, nil}) {
			t.Errorf("%+v", got)
		}
		release <- fail // of the second look: another makes a third
		if got := <-answers; got != (answer{2, fail}) {
			t.Errorf("%+v", got)
		}
		release <- nil
		for range 2 {
			if got := <-answers; got != (answer{3, nil}) {
				t.Errorf("%+v", got)
			}
		}
	})
}
