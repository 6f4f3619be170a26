package gitsource

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func (s *shell) tree(at string) fs.FS {
	s.t.Helper()
	tree, err := s.open().Tree(at)
	if err != nil {
		s.t.Fatal(err)
	}
	return tree
}

func TestTreeIsAFileSystem(t *testing.T) {
	s := newShell(t)
	s.write("topologies/eu/b.yaml", doc("b", 1))
	s.write("topologies/empty.yaml", "")
	at := s.commit(bob, "Begin", "topologies/a.yaml", doc("a", 1))
	if err := fstest.TestFS(s.tree(at), "topologies/a.yaml", "topologies/eu/b.yaml", "topologies/empty.yaml"); err != nil {
		t.Error(err)
	}
	s.git("gc", "-q")
	if err := fstest.TestFS(s.tree(at), "topologies/a.yaml", "topologies/eu/b.yaml"); err != nil {
		t.Errorf("packed: %v", err)
	}
}

func TestTreeIsOfItsCommit(t *testing.T) {
	s := newShell(t)
	first := s.commit(bob, "Begin", "topologies/a.yaml", "one\r\n")
	s.git("config", "core.autocrlf", "true")
	second := s.commit(bob, "More", "topologies/a.yaml", "two\n")
	s.write("topologies/a.yaml", "not committed")
	for at, want := range map[string]string{first: "one\r\n", second: "two\n"} {
		if got, err := fs.ReadFile(s.tree(at), "topologies/a.yaml"); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}

// TestTreeNamesContents holds that a name is the blob's id, and a file's alone.
func TestTreeNamesContents(t *testing.T) {
	s := newShell(t)
	s.write("topologies/copy.yaml", "one")
	if err := os.Symlink("a.yaml", filepath.Join(s.dir, "topologies/link.yaml")); err != nil {
		t.Fatal(err)
	}
	tree := s.tree(s.commit(bob, "Begin", "topologies/a.yaml", "one"))
	named := tree.(interface {
		ContentID(file string) (string, error)
	})
	for _, file := range []string{"topologies/a.yaml", "topologies/copy.yaml"} {
		if id, err := named.ContentID(file); err != nil || id != s.git("rev-parse", "HEAD:"+file) {
			t.Errorf("%s: %q, %v", file, id, err)
		}
	}
	for _, file := range []string{"topologies", "topologies/link.yaml", "topologies/none.yaml", ".."} {
		if id, err := named.ContentID(file); err == nil {
			t.Errorf("%s: %q", file, id)
		}
	}
}

func TestTreeReadsOnlyFiles(t *testing.T) {
	s := newShell(t)
	if err := os.MkdirAll(filepath.Join(s.dir, "topologies"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(s.dir, "topologies/link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(s.dir, "topologies/up")); err != nil {
		t.Fatal(err)
	}
	s.write("topologies/big.yaml", strings.Repeat("x", MaxBlob+1))
	at := s.commit(bob, "Begin", "topologies/Ünï cödé.yaml", "x")
	s.git("update-index", "--add", "--cacheinfo", "160000,"+at+",topologies/module.yaml")
	s.git("commit", "-q", "-m", "Module")
	tree := s.tree(s.head())
	for _, name := range []string{"topologies/link.yaml", "topologies/up", "topologies/up/README", "topologies/module.yaml", "topologies/big.yaml", "topologies/none", "../x", "/etc/passwd", ""} {
		if data, err := fs.ReadFile(tree, name); err == nil {
			t.Errorf("%q was read: %d bytes", name, len(data))
		}
		if f, err := tree.Open(name); err == nil {
			f.Close()
			t.Errorf("%q was opened", name)
		}
	}
	if _, err := fs.ReadFile(tree, "topologies/big.yaml"); !errors.Is(err, errTooLarge) {
		t.Errorf("a big file: %v", err)
	}
	if _, err := fs.ReadFile(tree, "topologies/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := fs.ReadFile(tree, "../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a path out of it: %v", err)
	}
	var seen []string
	err := fs.WalkDir(tree, "topologies", func(name string, e fs.DirEntry, err error) error {
		if err == nil && name != "topologies" {
			seen = append(seen, e.Type().String()+" "+name)
		}
		return err
	})
	want := []string{
		"---------- topologies/big.yaml", "L--------- topologies/link.yaml", "?--------- topologies/module.yaml",
		"L--------- topologies/up", "---------- topologies/Ünï cödé.yaml",
	}
	if err != nil || !slices.Equal(seen, want) {
		t.Errorf("%v\n%s", err, strings.Join(seen, "\n"))
	}
}

func TestRoot(t *testing.T) {
	s := newShell(t)
	for raw, want := range map[string]string{"topologies": "topologies", "./a/b/": "a/b", ".": "."} {
		if got := s.openWith(Config{Path: raw}).Root(); got != want {
			t.Errorf("%q: %q", raw, got)
		}
	}
}

func TestResolve(t *testing.T) {
	s := newShell(t)
	first := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.tag(alice, "v1", first, "m")
	s.git("tag", "light", first)
	second := s.commit(bob, "More", ordersFile, doc("orders", 2))
	s.git("branch", "other", first)
	s.git("branch", "dead", second)
	s.git("tag", "both", first)
	s.git("branch", "both", second)
	for _, c := range []struct{ name, ref, rev, want string }{
		{"the tip", "", "", second},
		{"the tip of a branch", "refs/heads/other", "", first},
		{"the tip of a short name", "main", "", second},
		{"the tip of a tag", "refs/tags/v1", "", first},
		{"the tip of a name that a tag has too", "both", "", second},
		{"HEAD", "other", "HEAD", second},
		{"a full hash", "", first, first},
		{"a short hash", "", first[:7], first},
		{"a short hash in capitals", "", strings.ToUpper(first[:9]), first},
		{"an odd number of digits", "", first[:5], first},
		{"a branch", "", "other", first},
		{"a branch that could be a hash", "", "dead", second},
		{"a full ref", "", "refs/heads/other", first},
		{"a signed tag", "", "v1", first},
		{"a plain tag", "", "light", first},
		{"a name of both, as git reads it", "", "both", first},
		{"a first parent", "", "HEAD~1", first},
		{"a first parent of a tag", "", "refs/heads/main^", first},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.openWith(Config{Ref: c.ref}).Resolve(c.rev)
			if err != nil || got != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
	for _, rev := range []string{"nothing", strings.Repeat("0", 40), "000000", first[:3], "HEAD:" + ordersFile, "refs/heads/..", "config", "-x", "a b", "@{1}", "HEAD~2", s.git("rev-parse", "HEAD^{tree}")} {
		if got, err := s.open().Resolve(rev); err == nil {
			t.Errorf("%q is %s", rev, got)
		}
	}
	if _, err := s.openWith(Config{Ref: "nothing"}).Resolve(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("a ref that is not there: %v", err)
	}
}

func TestKindsOfRepository(t *testing.T) {
	s := newShell(t)
	tip := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	other := t.TempDir()
	run(t, s.env(), "git", "-C", s.dir, "worktree", "add", "-q", "-b", "linked", filepath.Join(other, "linked"))
	run(t, s.env(), "git", "clone", "-q", "--bare", s.dir, filepath.Join(other, "bare.git"))
	run(t, s.env(), "git", "clone", "-q", "--shared", s.dir, filepath.Join(other, "shared"))
	for name, url := range map[string]string{
		"a work tree":           s.dir,
		"a folder in one":       filepath.Join(s.dir, "topologies"),
		"a git folder":          filepath.Join(s.dir, ".git"),
		"a bare one":            filepath.Join(other, "bare.git"),
		"a file URL":            "file://" + s.dir,
		"a linked work tree":    filepath.Join(other, "linked"),
		"one that shares files": filepath.Join(other, "shared"),
	} {
		t.Run(name, func(t *testing.T) {
			r := s.openWith(Config{URL: url})
			if c := changeOf(t, r, "orders"); c.Commit != tip {
				t.Errorf("governed by %s", c.Commit)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if _, err := r.Resolve(""); !errors.Is(err, errClosed) {
				t.Errorf("closed: %v", err)
			}
			if err := r.Fetch(t.Context()); err != nil {
				t.Errorf("opened again: %v", err)
			}
		})
	}
	sha256 := filepath.Join(other, "sha256")
	run(t, s.env(), "git", "init", "-q", "--object-format=sha256", sha256)
	empty := filepath.Join(other, "empty")
	run(t, s.env(), "git", "init", "-q", empty)
	for name, c := range map[string]struct{ url, says string }{
		"nothing there":        {filepath.Join(other, "none"), "no such file"},
		"a folder without git": {t.TempDir(), "not a Git repository"},
		"SHA-256":              {sha256, "SHA-1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(t.Context(), Config{URL: c.url}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := s.openWith(Config{URL: empty}).Resolve(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a commit: %v", err)
	}
}

// TestPackedMeanwhile has git pack the repository under a reader.
func TestPackedMeanwhile(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	r := s.open()
	s.commit(bob, "More", ordersFile, doc("orders", 2))
	s.git("gc", "-q", "--prune=now")
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.git("repack", "-q", "-a", "-d", "-f")
	if c := changeOf(t, r, "orders"); c.Generation != 2 {
		t.Errorf("generation %d", c.Generation)
	}
}
