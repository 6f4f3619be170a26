package gitsource

import (
	"fmt"
	"strings"
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
	r.trees = newCache[plumbing.Hash, tree](1)
	r.said = newCache[plumbing.Hash, *statement](1)
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
			if diff := cmp.Diff(want, got, inside); diff != "" {
				t.Errorf("%s, at %s: %s", name, at, diff)
			}
		}
		if n := forgetful.commits.size() + forgetful.trees.size() + forgetful.docs.size(); n > 6 {
			t.Errorf("%d entries are kept", n)
		}
	}
}

// TestCostGrowsWithWhatIsNew counts the objects that are read: at first each
// commit, folder and version once, and for one new commit as many in a long
// history as in a short one.
func TestCostGrowsWithWhatIsNew(t *testing.T) {
	for _, z := range []size{{100, 50}, middle} {
		t.Run(z.String(), func(t *testing.T) {
			s := bigRepository(t, z)
			r := &reader{Repo: s.open(), b: t, z: z}
			expect := func(what string, want counts) {
				t.Helper()
				r.fetch()
				r.changes()
				if got := r.counts(); got != want {
					t.Errorf("%s: %+v, want %+v", what, got, want)
				}
			}
			versions := z.topologies + z.commits - 1
			// What a commit says is read of those that govern: all but the first ones.
			expect("at first", counts{commits: z.commits + z.topologies, folders: 2 * z.commits, files: versions, parsed: versions})
			expect("without news", counts{})
			s.commit(bob, "More", "topologies/t001.yaml", doc("t001", 1000))
			expect("one commit", counts{commits: 2, folders: 2, files: 1, parsed: 1})
			s.commit(bob, "Another file", "README", "x")
			expect("a commit that changes no topology", counts{commits: 1, folders: 1})
		})
	}
}

// TestLookingAgainCostsNoHistory compares what is allocated without news.
func TestLookingAgainCostsNoHistory(t *testing.T) {
	allocated := func(z size) float64 {
		r := &reader{Repo: bigRepository(t, z).open(), b: t, z: z}
		r.changes()
		return testing.AllocsPerRun(5, r.changes)
	}
	short, long := allocated(size{100, 20}), allocated(size{1_000, 20})
	if long > short*1.1 {
		t.Errorf("%.0f allocations after 1,000 commits, %.0f after 100", long, short)
	}
}

// TestCachesAreBoundedByWeight holds that large folders do not fill the memory.
func TestCachesAreBoundedByWeight(t *testing.T) {
	c := newWeighedCache[int](100, func(s string) int { return len(s) })
	for i := range 100 {
		c.put(i, strings.Repeat("x", 30))
		weight := 0
		for _, half := range []map[int]string{c.young, c.old} {
			for _, s := range half {
				weight += len(s)
			}
		}
		if weight > 2*100 {
			t.Fatalf("%d bytes are held", weight)
		}
	}
	c.put(100, strings.Repeat("x", 101))
	if _, ok := c.get(100); ok || c.size() == 0 {
		t.Error("one that is too heavy was kept, or drove the others out")
	}
}
