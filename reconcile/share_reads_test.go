package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"milvus-reconcile/reconcile"
)

// TestShareReads: who asks while a read is under way gets the result of the next read,
// together with all others who asked; an error goes to one caller alone; and a caller
// waits no longer than its context.
func TestShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail, release := errors.New("fail"), make(chan error)
		reads := 0
		read := reconcile.ShareReads(func(context.Context) (int, error) {
			reads++
			return reads, <-release
		})
		type answer struct {
			read int
			err  error
		}
		answers := make(chan answer, 4)
		ask := func(ctx context.Context) {
			go func() {
				n, err := read(ctx)
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
		release <- fail // of the second read: another caller makes a third
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
