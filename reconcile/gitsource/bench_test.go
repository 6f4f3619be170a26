package gitsource

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// The size that issues speak of.
const (
	manyTopologies = 500
	manyCommits    = 2000
)

// bigRepository has many topologies in files of their own and many commits,
// each of which changes one, packed by git.
func bigRepository(b testing.TB) *shell {
	b.Helper()
	s := newShell(b)
	var in strings.Builder
	commit := func(n int, files map[int]int) {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter %s <%s> %d +0000\ndata 6\nChange\n", bob.Name, bob.Email, noon.Unix()+int64(n))
		for topology, generation := range files {
			name := fmt.Sprintf("t%03d", topology)
			content := doc(name, generation, "cluster a primary", "cluster b standby", strings.Repeat("# filling\n", 60))
			fmt.Fprintf(&in, "M 100644 inline topologies/%s.yaml\ndata %d\n%s\n", name, len(content), content)
		}
	}
	all := map[int]int{}
	for i := range manyTopologies {
		all[i] = 1
	}
	commit(0, all)
	for n := 1; n < manyCommits; n++ {
		commit(n, map[int]int{n % manyTopologies: 1 + n/manyTopologies + 1})
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	s.git("reset", "-q", "--hard")
	s.git("gc", "-q")
	return s
}

func mustChanges(b *testing.B, r *Repo) {
	b.Helper()
	tip, err := r.Resolve("")
	if err != nil {
		b.Fatal(err)
	}
	all, err := r.Changes(b.Context(), tip, keysOf)
	if err != nil || len(all) != manyTopologies {
		b.Fatalf("%d changes, %v", len(all), err)
	}
}

// BenchmarkGoverning finds the governing commit of every topology.
func BenchmarkGoverning(b *testing.B) {
	s := bigRepository(b)
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			mustChanges(b, s.open())
		}
	})
	b.Run("without news", func(b *testing.B) {
		r := s.open()
		mustChanges(b, r)
		for b.Loop() {
			if err := r.Fetch(b.Context()); err != nil {
				b.Fatal(err)
			}
			mustChanges(b, r)
		}
	})
	b.Run("one new commit", func(b *testing.B) {
		r := s.open()
		mustChanges(b, r)
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			s.commit(bob, "More", "topologies/t001.yaml", doc("t001", 100+n))
			b.StartTimer()
			if err := r.Fetch(b.Context()); err != nil {
				b.Fatal(err)
			}
			mustChanges(b, r)
		}
	})
	b.Run("git log for one topology", func(b *testing.B) {
		for b.Loop() {
			s.git("log", "-1", "--first-parent", "--format=%H", "--", "topologies/t499.yaml")
		}
	})
	b.Run("git log for all topologies", func(b *testing.B) {
		for b.Loop() {
			s.git("log", "--first-parent", "--format=%H", "--name-only", "--", "topologies")
		}
	})
}

// BenchmarkFetch fetches from a real git http-backend.
func BenchmarkFetch(b *testing.B) {
	s := bigRepository(b)
	url := httpRemote(b, s.dir, "", false).URL + "/.git"
	b.Run("everything", func(b *testing.B) {
		for b.Loop() {
			s.openWith(Config{URL: url})
		}
	})
	b.Run("git, everything", func(b *testing.B) {
		for b.Loop() {
			run(b, s.env(), "git", "clone", "-q", "--bare", url, b.TempDir())
		}
	})
	b.Run("without news", func(b *testing.B) {
		r := s.openWith(Config{URL: url})
		for b.Loop() {
			if err := r.Fetch(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("git, without news", func(b *testing.B) {
		dir := b.TempDir()
		run(b, s.env(), "git", "clone", "-q", "--bare", url, dir)
		for b.Loop() {
			run(b, s.env(), "git", "-C", dir, "fetch", "-q", url, "+refs/heads/main:refs/heads/main")
		}
	})
	b.Run("one new commit", func(b *testing.B) {
		r := s.openWith(Config{URL: url})
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			s.commit(bob, "More", "topologies/t001.yaml", doc("t001", 100+n))
			b.StartTimer()
			if err := r.Fetch(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("git, one new commit", func(b *testing.B) {
		dir := b.TempDir()
		run(b, s.env(), "git", "clone", "-q", "--bare", url, dir)
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			s.commit(bob, "More", "topologies/t002.yaml", doc("t002", 100+n))
			b.StartTimer()
			run(b, s.env(), "git", "-C", dir, "fetch", "-q", url, "+refs/heads/main:refs/heads/main")
		}
	})
}
