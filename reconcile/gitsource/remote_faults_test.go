package gitsource

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// faultyRemote serves a repository by git http-backend: the list of refs as it is, and
// packs with a fault.
type faultyRemote struct {
	s     *shell
	inner http.Handler
	fault atomic.Pointer[fault]
	lists atomic.Int64
	packs atomic.Int64
}

// fault changes the answer to a fetch, which is written to w.
type fault func(s *shell, w http.ResponseWriter, answer []byte)

func newFaultyRemote(t *testing.T, s *shell) (*faultyRemote, string) {
	t.Helper()
	f := &faultyRemote{s: s, inner: httpRemote(t, s.dir, "", false).Config.Handler}
	server := httptest.NewUnstartedServer(f)
	server.Start()
	t.Cleanup(server.Close)
	return f, server.URL + "/.git"
}

func (f *faultyRemote) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bad := f.fault.Load()
	if r.Method == http.MethodGet {
		f.lists.Add(1)
	} else {
		f.packs.Add(1)
	}
	if r.Method == http.MethodGet || bad == nil {
		f.inner.ServeHTTP(w, r)
		return
	}
	whole := httptest.NewRecorder()
	f.inner.ServeHTTP(whole, r)
	w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
	(*bad)(f.s, w, whole.Body.Bytes())
}

func (f *faultyRemote) set(bad fault) { f.fault.Store(&bad) }

// packets writes data as git sends a pack: on the first band.
func packets(data []byte) []byte {
	out := []byte("0008NAK\n")
	for part := range slices.Chunk(data, 60_000) {
		out = fmt.Appendf(out, "%04x\x01", len(part)+5)
		out = append(out, part...)
	}
	return append(out, "0000"...)
}

// packWithout packs what main reaches but the objects that drop names.
func packWithout(s *shell, drop ...string) []byte {
	s.t.Helper()
	var ids strings.Builder
	for line := range strings.Lines(s.git("rev-list", "--objects", "--no-object-names", "main")) {
		if id := strings.TrimSpace(line); !slices.Contains(drop, id) {
			ids.WriteString(id + "\n")
		}
	}
	cmd := exec.Command("git", "pack-objects", "--stdout", "-q")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(ids.String())
	pack, err := cmd.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return packets(pack)
}

// remoteFaults are what a remote may do wrong after it has listed its refs.
func remoteFaults() map[string]fault {
	write := func(change func(s *shell, answer []byte) []byte) fault {
		return func(s *shell, w http.ResponseWriter, answer []byte) { _, _ = w.Write(change(s, answer)) }
	}
	missing := func(rev string) fault {
		return write(func(s *shell, _ []byte) []byte { return packWithout(s, s.git("rev-parse", rev)) })
	}
	return map[string]fault{
		"the connection is cut": func(_ *shell, w http.ResponseWriter, answer []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
			_, _ = w.Write(answer[:len(answer)*2/3])
			panic(http.ErrAbortHandler)
		},
		"the pack ends early":      write(func(_ *shell, a []byte) []byte { return a[:len(a)*2/3] }),
		"nothing but the greeting": write(func(_ *shell, a []byte) []byte { return a[:8] }),
		"nothing at all":           write(func(_ *shell, a []byte) []byte { return nil }),
		"a flipped bit": write(func(_ *shell, a []byte) []byte {
			a = bytes.Clone(a)
			a[len(a)/2] ^= 4
			return a
		}),
		"zeros for the second half": write(func(_ *shell, a []byte) []byte {
			return append(bytes.Clone(a[:len(a)/2]), make([]byte, len(a)-len(a)/2)...)
		}),
		"a pack of no objects": write(func(*shell, []byte) []byte {
			head := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
			return packets(append(head, sha1Of(head)...))
		}),
		"a pack that promises four billion objects": write(func(*shell, []byte) []byte {
			head := []byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff")
			return packets(append(head, sha1Of(head)...))
		}),
		"a web page": write(func(*shell, []byte) []byte { return []byte("<html>" + strings.Repeat("sorry ", 10_000)) }),
		"an error of git": write(func(*shell, []byte) []byte {
			return []byte("0008NAK\n0025\x03fatal: unable to read tree\n0000")
		}),
		"an error of the server": func(_ *shell, w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusBadGateway) },
		"no tip":                 missing("main"),
		"no folder":              missing("main^{tree}"),
		"no topology folder":     missing("main:topologies"),
		"no topology file":       missing("main:topologies/a.yaml"),
	}
}

// TestFaultyRemoteCostsNoCopy has a remote list its refs and fail to send the pack, in
// every way. Each poll asks once, the copy stays and serves what was fetched last, and
// nothing is left behind; once the remote is healed, the next poll brings the newest.
func TestFaultyRemoteCostsNoCopy(t *testing.T) {
	for _, kind := range []string{"disk", "memory"} {
		for name, bad := range remoteFaults() {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newShell(t)
				first := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
				remote, url := newFaultyRemote(t, s)
				c := Config{URL: url, Ref: "main", Tell: func(text string) { t.Error(text) }}
				if kind == "disk" {
					c.CacheDir = t.TempDir()
				}
				r := s.openWith(c)
				s.commit(carol, "Between", "README", "x")
				second := s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
				before := contentsOf(t, c.CacheDir)
				remote.set(bad)
				for poll := range 3 {
					lists, packs := remote.lists.Load(), remote.packs.Load()
					if err := r.Fetch(t.Context()); err == nil || strings.Contains(err.Error(), "cacheDir") {
						t.Fatalf("fetched: %v", err)
					}
					// What lacks an object is asked for whole once: the copy could be at fault.
					if lists, packs = remote.lists.Load()-lists, remote.packs.Load()-packs; poll > 0 && (lists > 1 || packs > 1) || packs > 2 {
						t.Errorf("poll %d asked %d times for the refs and %d times for a pack", poll, lists, packs)
					}
					if got := changeOf(t, r, "orders"); got.Commit != first {
						t.Errorf("governed by %s, want %s", got.Commit, first)
					}
				}
				if after := contentsOf(t, c.CacheDir); c.CacheDir != "" && !slices.Equal(before, after) {
					t.Errorf("the copy had\n%s\nand has\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
				}
				remote.fault.Store(nil)
				if err := r.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := changeOf(t, r, "orders"); got.Commit != second || got.GreatestEarlier != 1 {
					t.Errorf("healed: governed by %s, want %s", got.Commit, second)
				}
			})
		}
	}
}

// contentsOf lists the files below a folder with their sizes and times.
func contentsOf(t *testing.T, dir string) []string {
	t.Helper()
	if dir == "" {
		return nil
	}
	var out []string
	for _, f := range filesOf(t, dir) {
		info, err := os.Stat(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(f, " ", info.Size(), " ", info.ModTime()))
	}
	return out
}

// TestDamagedCopyAndFaultyRemote has both fail at once: what is left of the copy stays
// as it is, and once the remote is healed the copy is made again.
func TestDamagedCopyAndFaultyRemote(t *testing.T) {
	s := newShell(t)
	at := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	remote, url := newFaultyRemote(t, s)
	for name, bad := range remoteFaults() {
		if strings.Contains(name, "greeting") {
			continue // a copy that is whole asks for nothing else
		}
		c := Config{URL: url, CacheDir: t.TempDir()}
		remote.fault.Store(nil)
		s.openWith(c)
		for _, file := range filesOf(t, c.CacheDir) {
			if strings.HasSuffix(file, ".pack") {
				check(t, os.Truncate(filepath.Join(c.CacheDir, file), 30))
			}
		}
		before := contentsOf(t, c.CacheDir)
		remote.set(bad)
		if _, err := Open(t.Context(), c); err == nil {
			t.Errorf("%s: fetched", name)
		}
		if after := contentsOf(t, c.CacheDir); !slices.Equal(before, after) {
			t.Errorf("%s: the copy had\n%s\nand has\n%s", name, strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
		remote.fault.Store(nil)
		if got := changeOf(t, s.openWith(c), "orders"); got.Commit != at {
			t.Errorf("%s: healed: governed by %s, want %s", name, got.Commit, at)
		}
	}
}

// TestFailedFetchesLeaveNothingOpen counts the open files of this process.
func TestFailedFetchesLeaveNothingOpen(t *testing.T) {
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}
		n := 0
		for _, f := range list {
			if target, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.Contains(target, "tmp_pack") {
				n++
			}
		}
		return n
	}
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	remote, url := newFaultyRemote(t, s)
	dir := t.TempDir()
	r := s.openWith(Config{URL: url, CacheDir: dir})
	s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
	for name, bad := range remoteFaults() {
		remote.set(bad)
		if r.Fetch(t.Context()) == nil {
			t.Errorf("%s: fetched", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "objects", "pack", "tmp_*"))
	if n := open(); n > 0 || len(left) > 0 || err != nil {
		t.Errorf("%d files are open, and %q are left, %v", n, left, err)
	}
}

// TestStalledRemote has a remote that stops in the midst of a pack.
func TestStalledRemote(t *testing.T) {
	s := newShell(t)
	first := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	remote, url := newFaultyRemote(t, s)
	r := s.openWith(Config{URL: url, CacheDir: t.TempDir(), Tell: func(text string) { t.Error(text) }})
	second := s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
	ctx, cancel := context.WithCancel(t.Context())
	remote.set(func(_ *shell, w http.ResponseWriter, answer []byte) {
		_, _ = w.Write(answer[:len(answer)/2])
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-t.Context().Done()
	})
	stopped, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := r.Fetch(ctx); err == nil || ctx.Err() == nil || stopped.Err() != nil {
		t.Errorf("got %v", err)
	}
	if got := changeOf(t, r, "orders"); got.Commit != first {
		t.Errorf("governed by %s, want %s", got.Commit, first)
	}
	remote.fault.Store(nil)
	if err := r.Fetch(t.Context()); err != nil || changeOf(t, r, "orders").Commit != second {
		t.Errorf("healed: %v", err)
	}
}
