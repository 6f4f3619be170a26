package gitsource

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of git's own files
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/reconciletest/needs"
)

// keptHistory is a remote whose history is kept on disk.
type keptHistory struct {
	*shell
	config Config
}

func newKeptHistory(t *testing.T) *keptHistory {
	s := newShell(t)
	return &keptHistory{s, Config{
		URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir(), Build: "this", Path: "topologies",
	}}
}

// process opens the repository as a new process does.
func (k *keptHistory) process(t *testing.T, c Config) *Repo {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.saveAfter = 1
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (k *keptHistory) file(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(k.config.CacheDir, "*.history"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files of the history: %v, %v", files, err)
	}
	return files[0]
}

// allChanges returns the changes at the tip, and how many files were read for them.
func allChanges(t *testing.T, r *Repo) (map[string]Change, int) {
	t.Helper()
	tip, err := r.Resolve("")
	if err != nil {
		t.Fatal(err)
	}
	before := r.reads[plumbing.BlobObject]
	got, err := r.Changes(t.Context(), tip, keysOf)
	if err != nil {
		t.Fatal(err)
	}
	return got, r.reads[plumbing.BlobObject] - before
}

// readAll returns the changes that a process without a file finds.
func (k *keptHistory) readAll(t *testing.T, c Config) map[string]Change {
	t.Helper()
	c.CacheDir, c.Build = "", ""
	all, _ := allChanges(t, k.process(t, c))
	return all
}

// expectEqual compares a process that may use the file with one that has none.
func (k *keptHistory) expectEqual(t *testing.T, when string, c Config) (files int) {
	t.Helper()
	return k.expect(t, when, c, k.readAll(t, c))
}

// expect compares the changes that a process finds with the wanted ones.
func (k *keptHistory) expect(t *testing.T, when string, c Config, want map[string]Change) (files int) {
	t.Helper()
	got, files := allChanges(t, k.process(t, c))
	if diff := cmp.Diff(want, got, inside); diff != "" {
		t.Errorf("%s: %s", when, diff)
	}
	return files
}

// TestHistoryOnDisk: a new process reads what came since, and answers like one that
// reads all.
func TestHistoryOnDisk(t *testing.T) {
	k := newKeptHistory(t)
	k.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1)+"---\n"+doc("users", 1))
	for i := range 6 {
		branch := fmt.Sprint("b", i)
		k.branch(branch, "main")
		head := k.commit(bob, "Up", "topologies/a.yaml", doc("orders", i+2))
		k.tag(alice, fmt.Sprintf("failover/orders/%d/alice", i+2), head, approve(alice))
		k.checkout("main")
		k.commit(carol, "Other", fmt.Sprintf("topologies/o%d.yaml", i), doc(fmt.Sprint("other", i%4), i))
		k.merge(branch)
		k.expectEqual(t, fmt.Sprint("round ", i), k.config)
	}
	k.expectEqual(t, "without news", k.config)
	k.git("mv", "topologies/o1.yaml", "topologies/moved.yaml")
	k.as(carol, "commit", "-q", "-m", "Move")
	k.git("rm", "-q", "topologies/o0.yaml")
	k.as(carol, "commit", "-q", "-m", "Remove")
	k.expectEqual(t, "a file is renamed, another removed", k.config)
	k.git("reset", "-q", "--hard", "HEAD~5")
	k.commit(bob, "Another past", "topologies/a.yaml", doc("orders", 40))
	k.expectEqual(t, "a rewritten history", k.config)
}

// TestHistoryOnDiskSavesReading counts the files that a new process reads.
func TestHistoryOnDiskSavesReading(t *testing.T) {
	k := newKeptHistory(t)
	for i := range 9 {
		k.commit(bob, "Up", "topologies/a.yaml", doc("orders", i+1))
	}
	for _, want := range []int{9, 0, 0} {
		if n := k.expectEqual(t, "without news", k.config); n != want {
			t.Errorf("%d files are read, want %d", n, want)
		}
	}
	k.commit(bob, "Up", "topologies/a.yaml", doc("orders", 10))
	if n := k.expectEqual(t, "one commit", k.config); n != 2 { // the version before it, too
		t.Errorf("%d files are read for one commit, want 2", n)
	}
	k.tag(alice, "failover/orders/10/alice", k.head(), approve(alice))
	if n := k.expectEqual(t, "an approval", k.config); n != 2 { // to prove the governing commit
		t.Errorf("%d files are read for an approval, want 2", n)
	}
}

// TestHistoryOnDiskIsReplaced: a file that cannot be used is the same as none, and is
// written again.
func TestHistoryOnDiskIsReplaced(t *testing.T) {
	k := newKeptHistory(t)
	for i := range 5 {
		k.commit(bob, "Up", "topologies/a.yaml", doc("orders", i+1))
	}
	k.expectEqual(t, "at first", k.config)
	good, err := os.ReadFile(k.file(t))
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) func(string) error {
		return func(file string) error { return os.WriteFile(file, data, 0o600) }
	}
	cases := map[string]func(file string) error{
		"empty":        write(nil),
		"another form": write(append([]byte("reconcile history 9\n"), good[len(historyMagic):]...)),
		"a folder": func(file string) error {
			if err := os.Remove(file); err != nil {
				return err
			}
			return os.Mkdir(file, 0o700)
		},
		"a pipe": func(file string) error {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
			return syscall.Mkfifo(file, 0o600)
		},
	}
	for at := 0; at < len(good); at += 1 + len(good)/12 {
		cases[fmt.Sprint("cut at ", at)] = write(good[:at])
		other := slices.Clone(good)
		other[at] ^= 0x10
		cases[fmt.Sprint("another byte at ", at)] = write(other)
	}
	want := k.readAll(t, k.config)
	for name, damage := range cases {
		file := k.file(t)
		if err := damage(file); err != nil {
			t.Fatal(err)
		}
		if n := k.expect(t, name, k.config, want); n != 5 {
			t.Errorf("%s: %d files are read, want all 5", name, n)
		}
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		k.expect(t, name+", removed", k.config, want)
	}
	other := k.config
	other.Build = "another"
	if n := k.expectEqual(t, "another build", other); n != 5 {
		t.Errorf("another build reads %d files, want all 5", n)
	}
	other.Path = ""
	if n := k.expectEqual(t, "another folder", other); n != 5 {
		t.Errorf("another folder: %d files, want all 5", n)
	}
}

// TestForgedHistoryApprovesNothing: the governing commit of a change with an approval is
// read from objects. A file that names another one, so that the approver is not the
// author, is dropped.
func TestForgedHistoryApprovesNothing(t *testing.T) {
	k := newKeptHistory(t)
	needs.Program(t, "ssh-keygen")
	k.sshKey(alice)
	k.config.AllowedSigners = k.allowed()
	before := k.commit(bob, "Before", "topologies/b.yaml", doc("users", 1))
	k.commit(alice, "Up", "topologies/a.yaml", doc("orders", 2))
	after := k.commit(bob, "After", "topologies/b.yaml", doc("users", 2))
	k.tag(alice, "failover/orders/2/alice", k.head(), approve(alice))
	k.expectEqual(t, "at first", k.config)
	for name, governs := range map[string]string{"an earlier commit": before, "a later one": after, "none": "0123456789012345678901234567890123456789"} {
		h, err := readHistory(k.file(t))
		if err != nil {
			t.Fatal(err)
		}
		s := &state{records: map[string]*record{}}
		for _, saved := range h.Records {
			if saved.Name == "orders" {
				saved.Governs = plumbing.NewHash(governs)
			}
			s.records[saved.Name] = saved.record()
		}
		k.process(t, k.config).saveHistory(h.Commit, s)
		k.expectEqual(t, name, k.config)
	}
}

// TestForgedCommitGraphChangesNothing: a commit-graph may say of commits that they have
// another folder and another parent, and its filters that a commit changed no file.
// Everything is read from objects.
func TestForgedCommitGraphChangesNothing(t *testing.T) {
	s := newShell(t)
	needs.Program(t, "ssh-keygen")
	s.sshKey(alice)
	for i := range 5 {
		s.commit(bob, "Up", ordersFile, doc("orders", i+1))
		s.commit(carol, "Other", "topologies/b.yaml", doc("users", i+1))
	}
	s.tag(alice, "failover/orders/5/alice", s.head(), approve(alice))
	want, _ := allChanges(t, s.open())
	s.git("commit-graph", "write", "--reachable", "--changed-paths")
	file := filepath.Join(s.dir, ".git", "objects", "info", "commit-graph")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for chunk, forge := range map[string]func([]byte){
		"CDAT": func(rows []byte) { // a row: folder, two parents, generation and date
			const row = 36
			first := slices.Clone(rows[:row])
			copy(rows, rows[row:])
			copy(rows[len(rows)-row:], first)
		},
		"BDAT": func(filters []byte) { clear(filters[12:]) },
	} {
		forged := slices.Clone(data)
		forge(graphChunk(t, forged, chunk))
		sum := sha1.Sum(forged[:len(forged)-sha1.Size]) //nolint:gosec // see above
		copy(forged[len(forged)-sha1.Size:], sum[:])
		if bytes.Equal(forged, data) {
			t.Fatalf("%s is not forged", chunk)
		}
		if err := os.Remove(file); err != nil { // git writes it read-only
			t.Fatal(err)
		}
		if err := os.WriteFile(file, forged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _ := allChanges(t, s.open())
		if diff := cmp.Diff(want, got, inside); diff != "" {
			t.Errorf("%s: %s", chunk, diff)
		}
	}
}

// graphChunk returns a chunk of a commit-graph (gitformat-commit-graph(5)).
func graphChunk(t *testing.T, graph []byte, name string) []byte {
	t.Helper()
	const head, row = 8, 12
	for at := head; ; at += row {
		id, from, end := graph[at:at+4], binary.BigEndian.Uint64(graph[at+4:]), binary.BigEndian.Uint64(graph[at+row+4:])
		if string(id) == name {
			return graph[from:end]
		}
		if bytes.Equal(id, make([]byte, 4)) {
			t.Fatalf("the commit-graph has no chunk %s", name)
		}
	}
}
