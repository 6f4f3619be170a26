package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
)

// TestLooksAtGitSideBySide: topologies that waited for their locks look at a tip
// that has moved, all at once.
func TestLooksAtGitSideBySide(t *testing.T) {
	dir := t.TempDir()
	tree, err := gitsource.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	bob := approval.Person{Name: "Bob", Email: "bob@example.com"}
	g := &globals{}
	repo, err := gitsource.New(gitsource.Config{URL: dir, Path: "topologies"})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close() //nolint:errcheck // only read
	for generation := 1; generation <= 20; generation++ {
		files := map[string][]byte{}
		for i := range 8 {
			name := fmt.Sprintf("orders-%d", i)
			files["topologies/"+name+".yaml"] = versionOf(name, generation)
		}
		if _, err := tree.Commit(files, "Change", bob, bob, time.Date(2026, 11, 22, 12, generation, 0, 0, time.UTC), nil); err != nil {
			t.Fatal(err)
		}
		if err := repo.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		var looks sync.WaitGroup
		for range 4 {
			looks.Go(func() {
				rev, err := g.loadRevision(t.Context(), repo, "")
				if err != nil || len(rev.desired.Topologies) != 8 || rev.desired.Topologies[0].Generation != int64(generation) {
					t.Errorf("generation %d: %d topologies, %v", generation, len(rev.desired.Topologies), err)
				}
			})
		}
		looks.Wait()
	}
}

// TestOneLook: who asks while a look is under way gets the next one, together
// with all who do; an error is of one alone; and nobody waits beyond their context.
func TestOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail, release := errors.New("fail"), make(chan error)
		looks := 0
		look := oneLook(func(context.Context) (int, error) {
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
