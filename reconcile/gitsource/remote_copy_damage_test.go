package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
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
	"a socket": func(p string, _ []byte) error {
		if err := os.Remove(p); err != nil {
			return err
		}
		// A socket's name is short, so it is made elsewhere.
		short, err := os.MkdirTemp("", "s")
		if err != nil {
			return err
		}
		defer os.RemoveAll(short) //nolint:errcheck // it is empty
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s")})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return errors.Join(l.Close(), os.Rename(filepath.Join(short, "s"), p))
	},
	"a pipe as another index": func(p string, _ []byte) error {
		other := filepath.Join(filepath.Dir(p), "pack-"+strings.Repeat("a", 40))
		if err := os.WriteFile(other+".pack", nil, 0o600); err != nil {
			return err
		}
		return syscall.Mkfifo(other+".idx", 0o600)
	},
	"a pipe next to it": func(p string, _ []byte) error { return syscall.Mkfifo(p+".new", 0o600) },
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

// copyDamage damages what lies below a folder of the cache.
type copyDamage struct {
	name string
	do   func(t *testing.T, dir string)
}

// damage damages the file that stands at a place in the list of files.
func damage(i int, kind string) copyDamage {
	return copyDamage{fmt.Sprint("file ", i, " ", kind), func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, filesOf(t, dir)[i])
		content, err := os.ReadFile(path)
		check(t, err)
		check(t, damages[kind](path, content))
	}}
}

// damagesOfFolders are what may have become of the folders of a copy.
func damagesOfFolders() []copyDamage {
	var out []copyDamage
	replace := map[string]func(path string) error{
		"missing":           func(string) error { return nil },
		"a file":            func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"a pipe":            func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a link to nowhere": func(p string) error { return os.Symlink("nowhere", p) },
		"an empty folder":   func(p string) error { return os.Mkdir(p, 0o700) },
	}
	for _, folder := range []string{"", "objects", "objects/pack", "objects/info", "refs", "refs/tags"} {
		for kind, put := range replace {
			out = append(out, copyDamage{fmt.Sprintf("the folder %q %s", folder, kind), func(t *testing.T, dir string) {
				t.Helper()
				copies, err := filepath.Glob(filepath.Join(dir, "*.copy"))
				check(t, err)
				path := filepath.Join(copies[0], folder)
				check(t, os.RemoveAll(path))
				check(t, put(path))
			}})
		}
	}
	for _, ending := range []string{".new", ".old"} {
		for kind, put := range replace {
			out = append(out, copyDamage{fmt.Sprint("next to it stands ", ending, " ", kind, ", and a pack is empty"), func(t *testing.T, dir string) {
				t.Helper()
				copies, err := filepath.Glob(filepath.Join(dir, "*.copy"))
				check(t, err)
				check(t, put(copies[0]+ending))
				for _, f := range filesOf(t, dir) {
					if strings.HasSuffix(f, ".pack") {
						check(t, os.Truncate(filepath.Join(dir, f), 0))
					}
				}
			}})
		}
	}
	return out
}

// TestEveryDamageOfTheCopyIsMended damages each file of the copy in each way, each
// folder, and pairs of files, before a process starts and under one that runs: the next
// fetch brings the newest commit, its approval and everything before it. The short form
// tries a sixth of them.
func TestEveryDamageOfTheCopyIsMended(t *testing.T) {
	t.Parallel()
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
	cases := damagesOfFolders()
	kinds := slices.Sorted(maps.Keys(damages))
	for i := range files {
		for _, kind := range kinds {
			cases = append(cases, damage(i, kind))
		}
	}
	drawn := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		i, j := drawn.IntN(len(files)), drawn.IntN(len(files)-1)
		if j >= i {
			j++
		}
		first, second := damage(max(i, j), kinds[drawn.IntN(len(kinds))]), damage(min(i, j), kinds[drawn.IntN(len(kinds))])
		cases = append(cases, copyDamage{first.name + " and " + second.name, func(t *testing.T, dir string) {
			t.Helper()
			first.do(t, dir) // the later one first: the list of files changes behind it alone
			second.do(t, dir)
		}})
	}
	for n, c := range cases {
		for m, moment := range []string{"before it starts", "while it runs"} {
			if one := strings.HasPrefix(c.name, "file ") && !strings.Contains(c.name, " and "); !one && (n+m)%2 == 0 {
				continue // each file in each way is tried at both, the rest at one
			}
			if (underRace || testing.Short()) && n%6 != 0 { // make explore tries all of them
				continue
			}
			dir := t.TempDir()
			told := 0
			config := Config{URL: url, CacheDir: dir, Tell: func(string) { told++ }}
			r := s.openWith(config)
			c.do(t, dir)
			want := next()
			if moment == "before it starts" {
				r = s.openWith(config)
			} else if err := r.Fetch(t.Context()); err != nil {
				t.Errorf("%s, %s: %v", moment, c.name, err)
				continue
			}
			got := changeOf(t, r, "orders")
			if got.Commit != want || got.GreatestEarlier != int64(generation-1) {
				t.Errorf("%s, %s: governed by %s with %d before, want %s with %d", moment, c.name, got.Commit, got.GreatestEarlier, want, generation-1)
			}
			if told > 1 {
				t.Errorf("%s, %s: told %d times", moment, c.name, told)
			}
			if problem := r.CopyProblem(); problem != "" {
				t.Errorf("%s, %s: %s", moment, c.name, problem)
			}
			check(t, r.Close())
			if _, err := s.openWith(config).UseCopy(); err != nil {
				t.Errorf("%s, %s: the copy afterwards: %v", moment, c.name, err)
			}
		}
	}
	t.Logf("%d damages", len(cases))
}

// TestWhatCountsAsDamage tells a copy that is at fault from a process or a disk that is.
func TestWhatCountsAsDamage(t *testing.T) {
	for _, c := range []struct {
		err              error
		suspect, checked bool
	}{
		{plumbing.ErrObjectNotFound, false, false},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}, false, false},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.ENFILE}, false, false},
		{fmt.Errorf("read: %w", syscall.ENOMEM), false, false},
		{&os.PathError{Op: "read", Path: "x", Err: syscall.EIO}, false, true},
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, false, true},
		{io.ErrUnexpectedEOF, true, false},
		{errHash, true, false},
	} {
		r := &Repo{copied: &gitCopy{marked: map[string]packMark{}}}
		r.noteDamage(plumbing.ZeroHash, c.err)
		if (r.suspect != nil) != c.suspect || (r.copied.marked == nil) != c.checked {
			t.Errorf("%v: suspect %v, checked %t", c.err, r.suspect, r.copied.marked == nil)
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
