package gitsource

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// damages are the ways in which a file of the copy may be found.
var damages = map[string]func(path string, content []byte) error{
	"empty":     func(p string, _ []byte) error { return os.WriteFile(p, nil, 0o600) },
	"truncated": func(p string, c []byte) error { return os.WriteFile(p, c[:len(c)/2], 0o600) },
	"NUL":       func(p string, c []byte) error { return os.WriteFile(p, make([]byte, len(c)), 0o600) },
	"flipped": func(p string, c []byte) error {
		c = bytes.Clone(c)
		c[len(c)/2] ^= 0x10
		return os.WriteFile(p, c, 0o600)
	},
	"longer":  func(p string, c []byte) error { return os.WriteFile(p, append(bytes.Clone(c), "more"...), 0o600) },
	"missing": func(p string, _ []byte) error { return os.Remove(p) },
	"a folder": func(p string, _ []byte) error {
		if err := os.Remove(p); err != nil {
			return err
		}
		return os.MkdirAll(filepath.Join(p, "inside"), 0o700)
	},
	"locked": func(p string, _ []byte) error { return os.WriteFile(p+".lock", nil, 0o600) },
	"a link to nowhere": func(p string, _ []byte) error {
		if err := os.Remove(p); err != nil {
			return err
		}
		return os.Symlink("nowhere", p)
	},
	"a link to a device": func(p string, _ []byte) error {
		if err := os.Remove(p); err != nil {
			return err
		}
		return os.Symlink("/dev/zero", p)
	},
	"a pipe in its place": func(p string, _ []byte) error {
		if err := os.Remove(p); err != nil {
			return err
		}
		return syscall.Mkfifo(p, 0o600)
	},
	"a pipe as another index": func(p string, _ []byte) error {
		other := filepath.Join(filepath.Dir(p), "pack-"+strings.Repeat("a", 40))
		if err := os.WriteFile(other+".pack", nil, 0o600); err != nil {
			return err
		}
		return syscall.Mkfifo(other+".idx", 0o600)
	},
	"a pipe beside": func(p string, _ []byte) error { return syscall.Mkfifo(p+".new", 0o600) },
}

// filesOf lists the files below a folder that hold something.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, strings.TrimPrefix(path, dir))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryDamageOfTheCopyIsMended damages each file of the copy in each way, before
// a process starts and under one that runs: the next fetch brings the newest commit,
// its approval and everything before it.
func TestEveryDamageOfTheCopyIsMended(t *testing.T) {
	s := newShell(t)
	s.sshKey(alice)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	url := httpRemote(t, s.dir, "", false).URL + "/.git"
	generation := 1
	next := func() string {
		generation++
		at := s.commit(bob, "More", "topologies/a.yaml", doc("orders", generation))
		return at
	}
	probe := t.TempDir()
	s.openWith(Config{URL: url, CacheDir: probe})
	files := filesOf(t, probe)
	if len(files) < 3 { // a pack, its index, the manifest
		t.Fatalf("the copy has the files %q", files)
	}
	for _, moment := range []string{"before it starts", "while it runs"} {
		for kind, damage := range damages {
			for i := range files {
				dir := t.TempDir()
				told := 0
				c := Config{URL: url, CacheDir: dir, Tell: func(string) { told++ }}
				r := s.openWith(c)
				path := filepath.Join(dir, filesOf(t, dir)[i])
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := damage(path, content); err != nil {
					t.Fatal(err)
				}
				want := next()
				if moment == "before it starts" {
					r = s.openWith(c)
				} else if err := r.Fetch(t.Context()); err != nil {
					t.Errorf("%s, %s %s: %v", moment, filepath.Base(path), kind, err)
					continue
				}
				got := changeOf(t, r, "orders")
				if got.Commit != want || got.GreatestEarlier != int64(generation-1) {
					t.Errorf("%s, %s %s: governed by %s with %d before, want %s with %d", moment, filepath.Base(path), kind, got.Commit, got.GreatestEarlier, want, generation-1)
				}
				if told > 1 {
					t.Errorf("%s, %s %s: told %d times", moment, filepath.Base(path), kind, told)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if _, err := s.openWith(c).UseCopy(); err != nil {
					t.Errorf("%s, %s %s: the copy afterwards: %v", moment, filepath.Base(path), kind, err)
				}
			}
		}
	}
}

// TestCopyThatTheDiskDoesNotTake: a full or foreign folder costs the copy on disk and
// nothing else.
func TestCopyThatTheDiskDoesNotTake(t *testing.T) {
	s := newShell(t)
	at := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	url := httpRemote(t, s.dir, "", false).URL + "/.git"
	notAFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notAFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var told []string
	c := Config{URL: url, CacheDir: filepath.Join(notAFolder, "cache"), Tell: func(text string) { told = append(told, text) }}
	r := s.openWith(c)
	if got := changeOf(t, r, "orders"); got.Commit != at {
		t.Errorf("governed by %s, want %s", got.Commit, at)
	}
	if len(told) != 1 || !strings.Contains(told[0], c.CacheDir) || !strings.Contains(told[0], "in memory is used until the disk takes one again") {
		t.Errorf("told %q", told)
	}
	next := s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
	if err := r.Fetch(t.Context()); err != nil || changeOf(t, r, "orders").Commit != next || len(told) != 1 {
		t.Errorf("%v, told %q", err, told)
	}
	if problem := r.CopyProblem(); !strings.Contains(problem, c.CacheDir) || !strings.Contains(problem, "not a directory") {
		t.Errorf("the problem is %q", problem)
	}
	if err := os.Remove(notAFolder); err != nil {
		t.Fatal(err)
	}
	r.now = func() time.Time { return time.Now().Add(longestBackoff) }
	if err := r.Fetch(t.Context()); err != nil || changeOf(t, r, "orders").Commit != next || r.CopyProblem() != "" {
		t.Errorf("%v, the problem is %q", err, r.CopyProblem())
	}
	if len(told) != 2 || !strings.Contains(told[1], "takes the copy again") || r.copied.dir == "" || len(filesOf(t, c.CacheDir)) < 3 {
		t.Errorf("told %q, %q are there", told, filesOf(t, c.CacheDir))
	}
}

// TestNamesThatNoFileCanHave: tags whose names follow one another as file and folder,
// or are longer than a file's may be, are refs like others.
func TestNamesThatNoFileCanHave(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.sshKey(alice)
			at := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 2))
			r := s.openWith(Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: dir})
			poll := func(carriers int) {
				t.Helper()
				if err := r.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := len(changeOf(t, r, "orders").Carriers); got != carriers {
					t.Errorf("%d carriers, want %d", got, carriers)
				}
			}
			poll(1)
			for range 2 {
				s.tag(alice, "failover/orders/2/x", at, approve(alice))
				poll(2)
				s.git("tag", "-d", "failover/orders/2/x")
				poll(1)
				s.tag(alice, "failover/orders/2", at, approve(alice))
				poll(2)
				s.git("tag", "-d", "failover/orders/2") // and the other at once
			}
			s.tag(alice, "failover/orders/2/"+strings.Repeat("a/", 60)+"z", at, approve(alice))
			poll(2)
		})
	}
}
