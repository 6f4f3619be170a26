package gitsource

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"pgregory.net/rapid"
)

// drawFiles is a state of the folder: a few files that hold a few documents.
var drawFiles = rapid.Custom(func(t *rapid.T) map[string]string {
	out := map[string]string{}
	for _, file := range []string{"topologies/a.yaml", "topologies/b.yml", "topologies/sub/a.yaml", "topologies/README"} {
		var docs []string
		for range rapid.IntRange(0, 2).Draw(t, "documents") {
			name := rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "name")
			docs = append(docs, doc(name, rapid.IntRange(1, 3).Draw(t, "generation")))
		}
		if len(docs) > 0 {
			out[file] = strings.Join(docs, "---\n")
		}
	}
	return out
})

// keysIn is what a state holds, by the long way.
func keysIn(files map[string]string) map[string]string {
	found := map[string][]occurrence{}
	for file, content := range files {
		if !IsTopologyFile(file) {
			continue
		}
		for _, d := range keysOf("", []byte(content)) {
			found[d.Name] = append(found[d.Name], occurrence{file: file, doc: d})
		}
	}
	out := map[string]string{}
	for name, o := range found {
		out[name] = documentKey(o)
	}
	return out
}

// TestGoverningCommitsAreFound compares with the definition on histories that
// were drawn: the newest commit whose document is not its first parent's.
func TestGoverningCommitsAreFound(t *testing.T) {
	history := rapid.SliceOfN(drawFiles, 20, 40)
	for seed := range 6 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w, err := Init(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			governs := map[string]string{}
			var before map[string]string
			var tip string
			for _, files := range history.Example(seed) {
				write := map[string][]byte{}
				for file := range before {
					write[file] = nil
				}
				for file, content := range files {
					write[file] = []byte(content)
				}
				if tip, err = w.Commit(write, "m", bob, bob, noon, nil); err != nil {
					t.Fatal(err)
				}
				was, is := keysIn(before), keysIn(files)
				for _, name := range []string{"one", "two", "three"} {
					if was[name] != is[name] {
						governs[name] = tip
					}
				}
				before = files
			}
			r, err := Open(t.Context(), Config{URL: w.dir, Path: "topologies"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Changes(t.Context(), tip, keysOf)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range governs {
				if got[name].Commit != want || got[name].Removed != (keysIn(before)[name] == "") {
					t.Errorf("%s is governed by %s, want %s", name, got[name].Commit, want)
				}
			}
		})
	}
}

// node is a commit of a drawn history: parents by index, and a date that may lie.
type node struct {
	parents []int
	date    int
}

func drawGraph(size int) *rapid.Generator[[]node] {
	return rapid.Custom(func(t *rapid.T) []node {
		nodes := []node{{}}
		for i := 1; i < size; i++ {
			parents := rapid.SliceOfNDistinct(rapid.IntRange(max(0, i-6), i-1), 1, min(3, i), rapid.ID[int]).Draw(t, "parents")
			nodes = append(nodes, node{parents: parents, date: rapid.IntRange(0, 1000).Draw(t, "date")})
		}
		return nodes
	})
}

// TestWhatAMergeBringsIn compares with git rev-list, on histories whose dates
// lie, and IsAncestor with git merge-base.
func TestWhatAMergeBringsIn(t *testing.T) {
	for seed := range 3 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			nodes := drawGraph(40).Example(seed)
			var in strings.Builder
			for i, n := range nodes {
				fmt.Fprintf(&in, "commit refs/heads/b%d\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\n", i, i+1, noon.Unix()+int64(n.date))
				for j, p := range n.parents {
					fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge", "merge"}[j], p+1)
				}
				fmt.Fprintf(&in, "M 100644 inline f%d\ndata 1\nx\n", i)
			}
			cmd := exec.Command("git", "fast-import", "--quiet")
			cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(in.String())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			s.git("symbolic-ref", "HEAD", "refs/heads/b0")
			r := s.open()
			for i, n := range nodes {
				id := s.git("rev-parse", fmt.Sprint("b", i))
				if len(n.parents) > 1 {
					compareBroughtIn(t, s, r, id)
				}
				_, err := s.tryGit(alice, "merge-base", "--is-ancestor", id, "b30")
				got, ours := r.IsAncestor(id, s.git("rev-parse", "b30"))
				if ours != nil || got != (err == nil) {
					t.Errorf("b%d an ancestor of b30: %t, %v", i, got, ours)
				}
			}
		})
	}
}

func compareBroughtIn(t *testing.T, s *shell, r *Repo, id string) {
	t.Helper()
	c, err := r.commitByName(id)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := r.broughtIn(c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, id := range ids {
		got = append(got, plumbing.Hash(id).String())
	}
	want := strings.Fields(s.git("rev-list", id+"^@", "^"+id+"^1"))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("merge %s brings in\n%s\nwant\n%s", id, got, want)
	}
}
