package gitsource

import (
	"fmt"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/reconciletest/needs"
	"milvus-reconcile/schema/recent"
)

// tiny bounds every cache to a single young entry.
func (r *Repo) tiny() {
	r.commits = recent.New[plumbing.Hash, *commit](1)
	r.trees = recent.New[plumbing.Hash, tree](1)
	r.statements = recent.New[plumbing.Hash, *statement](1)
	r.docs = recent.New[plumbing.Hash, []Document](1)
	r.blobs = recent.New[plumbing.Hash, []byte](1)
	r.states = recent.New[stateKey, *state](1)
	r.indexes = recent.New[plumbing.Hash, map[string]string](1)
	r.sources = recent.New[sourceKey, changeSource](1)
	r.signed = recent.New[plumbing.Hash, *tagInfo](1)
	r.merges = recent.New[plumbing.Hash, []plumbing.Hash](1)
	r.proven = recent.New[sourceKey, bool](1)
}

// TestCachesChangeNothing holds that answers are the same with caches that keep
// next to nothing, and with ones that were lost.
func TestCachesChangeNothing(t *testing.T) {
	s := newShell(t)
	needs.Program(t, "ssh-keygen")
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
		lost.clearCaches()
		for name, r := range map[string]*Repo{"tiny": forgetful, "lost": lost} {
			got, err := r.Changes(t.Context(), at, keysOf)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, inside); diff != "" {
				t.Errorf("%s, at %s: %s", name, at, diff)
			}
		}
		if n := forgetful.commits.Len() + forgetful.trees.Len() + forgetful.docs.Len(); n > 6 {
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
