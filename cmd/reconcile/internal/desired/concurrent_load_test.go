package desired

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
)

// TestRevisionsAreLoadedConcurrently: topologies that waited for their locks look at a tip
// that has moved, all at once.
func TestRevisionsAreLoadedConcurrently(t *testing.T) {
	dir := t.TempDir()
	tree, err := gitsource.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	bob := approval.Person{Name: "Bob", Email: "bob@example.com"}
	l := &Loader{}
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
				rev, err := l.Load(t.Context(), repo, "")
				if err != nil || len(rev.Desired.Topologies) != 8 || rev.Desired.Topologies[0].Generation != int64(generation) {
					t.Errorf("generation %d: %d topologies, %v", generation, len(rev.Desired.Topologies), err)
				}
			})
		}
		looks.Wait()
	}
}

// TestUnchangedRevisionIsNotReadAgain: who asks once more gets what is known while the tip is
// the same, and what the new tip says after it moved.
func TestUnchangedRevisionIsNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	tree, err := gitsource.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	bob := approval.Person{Name: "Bob", Email: "bob@example.com"}
	repo, err := gitsource.New(gitsource.Config{URL: dir, Path: "topologies"})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close() //nolint:errcheck // only read
	l, known := &Loader{}, Revision{}
	for _, generation := range []int{1, 1, 2, 2} {
		moved := int64(generation) != generationOf(known)
		if moved {
			files := map[string][]byte{"topologies/orders.yaml": versionOf("orders", generation)}
			if _, err := tree.Commit(files, "Change", bob, bob, time.Date(2026, 11, 22, 12, generation, 0, 0, time.UTC), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := repo.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		known.Folder = "known"
		if known, err = l.LoadAgain(t.Context(), repo, "", known); err != nil {
			t.Fatal(err)
		}
		if reused := known.Folder == "known"; reused == moved || generationOf(known) != int64(generation) {
			t.Errorf("generation %d: it is %d, read again: %v", generation, generationOf(known), !reused)
		}
	}
}

// generationOf is that of the first topology; 0: there is none.
func generationOf(r Revision) int64 {
	if len(r.Desired.Topologies) == 0 {
		return 0
	}
	return r.Desired.Topologies[0].Generation
}
