package gitsource

import (
	"fmt"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"
)

func (c *cache[K, V]) size() int { return len(c.young) + len(c.old) }

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int, int](4)
	for i := range 100 {
		c.put(i, -i)
		if v, ok := c.get(0); !ok || v != 0 {
			t.Fatalf("what is used all the time was dropped at %d", i)
		}
		if c.size() > 2*4 {
			t.Fatalf("it holds %d", c.size())
		}
	}
	if _, ok := c.get(50); ok {
		t.Error("what was used once is still there")
	}
}

// tiny bounds every cache to a single young entry.
func (r *Repo) tiny() {
	r.commits = newCache[plumbing.Hash, *commit](1)
	r.trees = newCache[plumbing.Hash, []treeEntry](1)
	r.docs = newCache[plumbing.Hash, []Document](1)
	r.blobs = newCache[plumbing.Hash, []byte](1)
	r.states = newCache[stateKey, *state](1)
	r.indexes = newCache[plumbing.Hash, map[string]string](1)
	r.sources = newCache[sourceKey, source](1)
	r.signed = newCache[plumbing.Hash, *tagInfo](1)
	r.merges = newCache[plumbing.Hash, []plumbing.Hash](1)
}

// TestCachesChangeNothing holds that answers are the same with caches that keep
// next to nothing, and with ones that were lost.
func TestCachesChangeNothing(t *testing.T) {
	s := newShell(t)
	program(t, "ssh-keygen")
	s.sshKey(alice)
	commits := []string{s.commit(bob, "Begin", ordersFile, doc("orders", 1))}
	for i := range 4 {
		branch := fmt.Sprint("b", i)
		s.branch(branch, "main")
		head := s.commit(bob, "Up", ordersFile, doc("orders", i+2))
		s.commit(carol, "Other", fmt.Sprintf("topologies/o%d.yaml", i), doc(fmt.Sprint("other", i), 1))
		s.tag(alice, fmt.Sprintf("failover/orders/%d/alice", i+2), head, approve(alice))
		s.checkout("main")
		commits = append(commits, s.commit(bob, "Meanwhile", "README", branch), s.merge(branch))
	}
	forgetful := s.open()
	forgetful.tiny()
	lost := s.open()
	for _, at := range append(commits, commits[3], commits[0]) {
		want, err := s.open().Changes(t.Context(), at, keysOf)
		if err != nil {
			t.Fatal(err)
		}
		lost.forget()
		for name, r := range map[string]*Repo{"tiny": forgetful, "lost": lost} {
			got, err := r.Changes(t.Context(), at, keysOf)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, at %s: %s", name, at, diff)
			}
		}
		if n := forgetful.commits.size() + forgetful.trees.size() + forgetful.docs.size(); n > 6 {
			t.Errorf("%d entries are kept", n)
		}
	}
}

// TestCostGrowsWithWhatIsNew counts what is read for one new commit, in a
// repository of 2,000 commits and 500 topologies.
func TestCostGrowsWithWhatIsNew(t *testing.T) {
	s := bigRepository(t)
	r := s.open()
	parsed := 0
	changes := func() {
		t.Helper()
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		tip, err := r.Resolve("")
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.Changes(t.Context(), tip, func(data []byte) []Document {
			parsed++
			return keysOf(data)
		})
		if err != nil || len(all) != manyTopologies {
			t.Fatalf("%d changes, %v", len(all), err)
		}
	}
	changes()
	if most := manyTopologies + manyCommits; parsed > most {
		t.Errorf("%d files were parsed at first, of %d versions", parsed, most)
	}
	parsed = 0
	commits, trees := r.commits.size(), r.trees.size()
	changes()
	if parsed != 0 || r.commits.size() != commits || r.trees.size() != trees {
		t.Errorf("without news %d files were parsed, %d commits and %d folders read", parsed, r.commits.size()-commits, r.trees.size()-trees)
	}
	s.commit(bob, "More", "topologies/t001.yaml", doc("t001", 100))
	changes()
	if parsed != 1 || r.commits.size() != commits+1 || r.trees.size() > trees+2 {
		t.Errorf("for one commit %d files were parsed, %d commits and %d folders read", parsed, r.commits.size()-commits, r.trees.size()-trees)
	}
}
