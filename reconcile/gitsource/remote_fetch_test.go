package gitsource

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFetchFollowsTheRemote(t *testing.T) {
	for _, kind := range []string{"memory", "disk"} {
		t.Run(kind, func(t *testing.T) {
			s := newShell(t)
			first := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
			s.sshKey(alice)
			c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", Ref: "main"}
			if kind == "disk" {
				c.CacheDir = t.TempDir()
			}
			r := s.openWith(c)
			expect := func(what string, carriers int) {
				t.Helper()
				if err := r.Fetch(t.Context()); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for _, rev := range []string{"", "HEAD", "main"} {
					if tip, err := r.Resolve(rev); err != nil || tip != s.head() {
						t.Fatalf("%s: %q is %s, %v; want %s", what, rev, tip, err, s.head())
					}
				}
				if n := len(changeOf(t, r, "orders").Carriers); n != carriers {
					t.Errorf("%s: %d carriers, want %d", what, n, carriers)
				}
			}
			expect("without news", 1)
			second := s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
			expect("a commit", 1)
			s.tag(alice, "failover/orders/2/alice", second, approve(alice))
			expect("a tag", 2)
			s.git("tag", "-d", "failover/orders/2/alice")
			expect("a tag withdrawn", 1)
			s.git("reset", "-q", "--hard", first)
			rewritten := s.commit(bob, "Otherwise", "topologies/a.yaml", doc("orders", 3))
			expect("a rewritten branch", 1)
			if ok, err := r.IsAncestor(second, rewritten); err != nil || ok {
				t.Errorf("the old tip counts as an ancestor: %t, %v", ok, err)
			}
			s.git("branch", "-m", "main", "trunk")
			if err := r.Fetch(t.Context()); err == nil {
				t.Error("the tracked branch is gone, and no error said so")
			}
		})
	}
}

// TestFetchFollowsTheDefaultBranch renames the branch that is tracked as the remote's
// default, and then has the remote name none: that is an error, and what was stays.
func TestFetchFollowsTheDefaultBranch(t *testing.T) {
	for _, ref := range []string{"", "HEAD"} {
		for _, kind := range []string{"memory", "disk", "disk, begun again"} {
			t.Run(ref+" "+kind, func(t *testing.T) {
				s := newShell(t)
				s.commit(bob, "Begin", ordersFile, doc("orders", 1))
				c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", Ref: ref, Tell: func(text string) { t.Error(text) }}
				if kind != "memory" {
					c.CacheDir = t.TempDir()
				}
				r := s.openWith(c)
				s.git("branch", "-m", "main", "trunk")
				want := s.commit(bob, "More", ordersFile, doc("orders", 2))
				if kind == "disk, begun again" {
					r = s.openWith(c)
				} else if err := r.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := changeOf(t, r, "orders"); got.Commit != want || got.GreatestEarlier != 1 {
					t.Errorf("governed by %s with %d before, want %s", got.Commit, got.GreatestEarlier, want)
				}
				if id, err := r.Resolve("main"); err == nil {
					t.Errorf("the branch that is gone is still %s", id)
				}
				s.git("checkout", "-q", "--detach")
				s.commit(bob, "On no branch", ordersFile, doc("orders", 3))
				if err := r.Fetch(t.Context()); err == nil {
					t.Error("the remote has no default branch, and no error said so")
				}
				if got := changeOf(t, r, "orders"); got.Commit != want {
					t.Errorf("after the error governed by %s, want %s", got.Commit, want)
				}
			})
		}
	}
}

// TestCopyOfAnotherRef changes git.ref over a copy on disk.
func TestCopyOfAnotherRef(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", Ref: "main", CacheDir: t.TempDir(), Tell: func(text string) { t.Error(text) }}
	s.openWith(c)
	s.git("branch", "trunk")
	s.git("checkout", "-q", "trunk")
	want := s.commit(bob, "More", ordersFile, doc("orders", 2))
	s.git("checkout", "-q", "main")
	for _, ref := range []string{"trunk", "refs/heads/trunk"} {
		c.Ref = "main"
		s.openWith(c)
		c.Ref = ref
		if got := changeOf(t, s.openWith(c), "orders"); got.Commit != want {
			t.Errorf("%s: governed by %s, want %s", ref, got.Commit, want)
		}
	}
}

// TestFetchBringsOnlyWhatIsTracked keeps other branches and tags out.
func TestFetchBringsOnlyWhatIsTracked(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	s.git("tag", "v1")
	s.git("checkout", "-q", "-b", "other")
	other := s.commit(bob, "Other", "topologies/a.yaml", doc("orders", 2))
	s.git("checkout", "-q", "main")
	r := s.openWith(Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git"})
	for _, rev := range []string{other, "other", "v1"} {
		if id, err := r.Resolve(rev); err == nil {
			t.Errorf("%s was fetched as %s", rev, id)
		}
	}
}

// TestCacheOnDiskSurvives opens a copy again, whole and damaged.
func TestCacheOnDiskSurvives(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir()}
	s.openWith(c)
	packs := func() int {
		list, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", "objects", "pack", "*.pack"))
		return len(list)
	}
	if packs() != 1 {
		t.Fatalf("%d packs after the first fetch", packs())
	}
	s.openWith(c)
	if packs() != 1 {
		t.Errorf("%d packs after a fetch without news", packs())
	}
	manifests, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", manifestFile))
	if len(manifests) != 1 {
		t.Fatalf("manifests: %q", manifests)
	}
	if err := os.Remove(manifests[0]); err != nil {
		t.Fatal(err)
	}
	changeOf(t, s.openWith(c), "orders")
}

// TestManyFetchesAreJoined: the packs of many fetches are joined by one that brings nothing, or at
// last by one that brings something.
func TestManyFetchesAreJoined(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir(), Tell: func(text string) { t.Error(text) }}
	r := s.openWith(c)
	r.packs = packLimits{quiet: 4, most: 8}
	generation, fetched := 1, 0
	fetch := func(brings bool) (packs int) {
		if brings {
			generation++
			s.commit(bob, "More", "topologies/a.yaml", doc("orders", generation))
		}
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		fetched++
		list, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", "objects", "pack", "*.pack"))
		return len(list)
	}
	for range r.packs.quiet + 2 {
		fetch(true)
	}
	if n := fetch(true); n <= r.packs.quiet {
		t.Errorf("%d packs after %d fetches: one that brought something joined them", n, fetched)
	}
	if n := fetch(false); n != 1 {
		t.Errorf("%d packs after a fetch that brought nothing, want 1", n)
	}
	if got := changeOf(t, r, "orders"); got.Commit != s.head() || got.Generation != int64(generation) {
		t.Errorf("after joining: %s generation %d", got.Commit, got.Generation)
	}
	for range r.packs.most + 1 {
		if n := fetch(true); n > r.packs.most {
			t.Fatalf("%d packs", n)
		}
	}
}

// TestFetchIsIncremental counts the objects that a second fetch brings.
func TestFetchIsIncremental(t *testing.T) {
	s := newShell(t)
	var in strings.Builder
	for i := range 300 {
		content := doc("orders", i+1)
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nx\nM 100644 inline %s\ndata %d\n%s\n", noon.Unix()+int64(i), ordersFile, len(content), content)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.git("reset", "-q", "--hard")
	c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir()}
	r := s.openWith(c)
	s.commit(bob, "More", ordersFile, doc("orders", 1000))
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	var counts []int
	packs, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", "objects", "pack", "*.idx"))
	for _, idx := range packs {
		out := run(t, s.env(), "git", "verify-pack", "-v", idx)
		counts = append(counts, strings.Count(out, "blob")+strings.Count(out, "tree")+strings.Count(out, "commit"))
	}
	slices.Sort(counts)
	if len(counts) != 2 || counts[0] > 5 || counts[1] < 900 {
		t.Errorf("packs of %v objects", counts)
	}
}
