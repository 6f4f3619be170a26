package gitsource

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
	"milvus-reconcile/schema/recent"
)

// TestOddRepositories makes repositories of many histories, each stored in many ways,
// by the real git, and demands that they are read as git reads them: the tip, which
// commit governs each topology, its author, the files, and the tags below failover/.
// Each history is stored in a quarter of the ways, each way holds a quarter of the
// histories; in the short form it is a twelfth.
func TestOddRepositories(t *testing.T) {
	needs.Program(t, "git")
	ways := waysToStore(t)
	histories := oddHistories()
	answers := make([]*answer, len(histories))
	bases := make([]*shell, len(histories))
	t.Run("make", func(t *testing.T) {
		for i, h := range histories {
			bases[i] = newShell(t)
			bases[i].dir = folderFor(t)
			bases[i].git("init", "-q", "--template=", "-b", "main", ".")
			h.make(bases[i])
			answers[i] = ask(bases[i])
		}
	})
	shapes, share := 0, 4
	if underRace || testing.Short() { // make explore reads all of them
		share = 12
	}
	t.Run("read", func(t *testing.T) {
		for i, h := range histories {
			for j, w := range ways {
				if (i+j)%share != 0 {
					continue
				}
				shapes++
				t.Run(h.name+", "+w.name, func(t *testing.T) {
					t.Parallel()
					s := &shell{t: t, dir: t.TempDir(), now: noon}
					run(t, nil, "cp", "-R", bases[i].dir+"/.", s.dir) // os.CopyFS wants names in UTF-8
					path := s.dir
					if w.make != nil {
						path = w.make(s)
					}
					answers[i].compare(t, s, path, w)
				})
			}
		}
	})
	t.Logf("%d histories, %d ways: %d repositories", len(histories), len(ways), shapes)
}

// TestOddHistoriesAreFetched has each history arrive from a remote: its beginning
// first, then all of it, then a plain commit, which the packs are joined after.
func TestOddHistoriesAreFetched(t *testing.T) {
	for i, h := range oddHistories() {
		if underRace && i%4 != 0 { // make test fetches all of them
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			h.make(s)
			tip := s.plainly("rev-parse", "main")
			s.git("update-ref", "refs/heads/main", s.plainly("rev-list", "--first-parent", "--reverse", "main")[:40])
			c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir()}
			r := s.openWith(c)
			c.Tell = func(text string) { t.Error(text) }
			r.message = c.Tell
			s.tip(tip)
			for _, step := range []string{"all of it", "a plain commit", "joined", "opened again"} {
				switch step {
				case "a plain commit":
					s.tip(s.as(carol, "--no-replace-objects", "commit-tree", "-m", "More", "-p", tip, s.plainly("rev-parse", tip+"^{tree}")))
				case "joined":
					packs, err := r.copied.ObjectPacks()
					check(t, err)
					check(t, r.joinPacks(packs))
					check(t, r.copied.save())
					if joined, err := r.copied.ObjectPacks(); err != nil || len(packs) < 2 || len(joined) != 1 {
						t.Fatalf("%d packs became %d, %v", len(packs), len(joined), err)
					}
				case "opened again":
					check(t, r.Close())
					r = s.openWith(c)
				}
				check(t, r.Fetch(t.Context()))
				want := ask(s)
				got, err := want.read(t, r)
				if err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{})); diff != "" {
					t.Errorf("%s: git says -, we read +\n%s", step, diff)
				}
			}
		})
	}
}

// TestOddTagsAreFollowed names the tip by tags that git follows to their commit.
func TestOddTagsAreFollowed(t *testing.T) {
	s := newShell(t)
	at := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	tag := func(object, kind, rest string) string {
		return s.object("tag", "object "+object+"\ntype "+kind+"\ntag x\n"+rest)
	}
	nested := at
	for i := range 20 {
		nested = tag(nested, map[bool]string{true: "commit", false: "tag"}[i == 0], "tagger "+someone+"\nx\n")
	}
	for name, id := range map[string]string{
		"no tagger":    tag(at, "commit", "\nx\n"),
		"no message":   tag(at, "commit", "tagger "+someone),
		"two taggers":  tag(at, "commit", "tagger "+someone+"tagger "+someone+"\nx\n"),
		"2 MiB":        tag(at, "commit", "tagger "+someone+"\n"+strings.Repeat("x\n", 1<<20)),
		"of tags":      nested,
		"a NUL inside": tag(at, "commit", "tagger "+someone+"\nx\x00\n"),
		"the commit":   at,
		"odd headers":  tag(at, "commit", "x y\n z\ntagger "+someone+"\nx\n"),
	} {
		s.ref("v1", id)
		for _, c := range []Config{{}, {Ref: "refs/tags/v1"}, {Ref: "v1"}} {
			rev := map[bool]string{true: "v1"}[c.Ref == ""]
			if got, err := s.openWith(c).Resolve(rev); err != nil || got != at {
				t.Errorf("%s, %q %q: %s, %v", name, c.Ref, rev, got, err)
			}
		}
	}
	s.ref("v1", tag(s.git("rev-parse", "HEAD^{tree}"), "tree", "\nx\n"))
	if got, err := s.open().Resolve("v1"); err == nil {
		t.Errorf("of a tree: %s", got)
	}
}

// TestGitPacksMeanwhile has git move every object and ref while a repository is open:
// what was open stays readable, and what is asked for next is found where it is now.
func TestGitPacksMeanwhile(t *testing.T) {
	long := strings.Repeat("# a line of a comment, so that the file is no small object\n", 1000)
	for name, first := range map[string][]string{"files of single objects": nil, "a pack": {"repack -q -a -d"}} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1)+long)
			at := s.commit(bob, "More", ordersFile, doc("orders", 2)+long)
			s.commands(first...)
			r := s.open()
			steps := []string{"repack -q -a -d -f", "-c pack.compression=0 repack -q -a -d -F", "pack-refs --all", "-c pack.compression=9 gc -q --prune=now"}
			tip, err := r.Resolve("")
			check(t, err)
			s.commands(steps[0])
			changes, err := r.Changes(t.Context(), tip, keysOf)
			if err != nil || changes["orders"].Commit != at {
				t.Fatalf("%v, %v", changes, err)
			}
			for _, step := range steps {
				tree, err := r.Tree(tip)
				check(t, err)
				s.commands(step)
				r.blobs = recent.NewWeighed[plumbing.Hash](0, func([]byte) int { return 1 }) // each is read again
				if data, err := fs.ReadFile(tree, ordersFile); err != nil || string(data) != doc("orders", 2)+long {
					t.Errorf("%s: %d bytes, %v", step, len(data), err)
				}
				if got, err := r.Resolve("main"); err != nil || got != at {
					t.Errorf("%s: %s, %v", step, got, err)
				}
			}
		})
	}
}

// folderFor is a folder that outlives the test that made it.
func folderFor(t *testing.T) string {
	dir, err := os.MkdirTemp("", "odd")
	if err != nil {
		t.Fatal(err)
	}
	oddFolders = append(oddFolders, dir)
	return dir
}

var oddFolders []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range oddFolders {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// answer is what git says of a history.
type answer struct {
	tip     string
	governs map[string]string // commit by topology
	gone    map[string]bool   // topologies that the tip lacks
	author  map[string]string // e-mail of the governing commit's author, if it is no merge
	files   map[string]string // ids of the topology files at the tip
	tags    map[string]string // objects by name
}

// ask has git answer.
func ask(s *shell) *answer {
	s.t.Helper()
	a := &answer{tip: s.plainly("rev-parse", "HEAD"), governs: map[string]string{}, gone: map[string]bool{}, author: map[string]string{}, files: map[string]string{}}
	before := map[string]string{}
	for _, commit := range strings.Fields(s.plainly("rev-list", "--first-parent", "--reverse", "HEAD")) {
		now := map[string][]string{}
		files := topologyFilesOf(s, commit)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			for _, d := range keysOf("", []byte(s.blobs(files[name]))) {
				now[d.Name] = append(now[d.Name], d.Hash)
			}
		}
		keys := map[string]string{}
		for name, hashes := range now {
			slices.Sort(hashes)
			keys[name] = strings.Join(hashes, "+")
		}
		for name := range before {
			if keys[name] == "" {
				a.governs[name], a.gone[name] = commit, true
			}
		}
		for name, key := range keys {
			if before[name] != key {
				a.governs[name], a.gone[name] = commit, false
			}
		}
		before, a.files = keys, files
	}
	for name, commit := range a.governs {
		if parents := strings.Fields(s.plainly("rev-list", "--parents", "-1", commit)); len(parents) <= 2 {
			a.author[name] = s.plainly("log", "-1", "--format=%ae", commit)
		}
	}
	a.tags = tagsOf(s)
	return a
}

// topologyFilesOf lists the ids of the topology files of a commit.
func topologyFilesOf(s *shell, commit string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(s.plainly("ls-tree", "-r", "-z", commit, "topologies/"), "\x00") {
		meta, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(meta)
		if len(fields) == 3 && strings.HasPrefix(fields[0], "100") && IsTopologyFile(name) {
			out[name] = fields[2]
		}
	}
	return out
}

func tagsOf(s *shell) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(s.plainly("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags/failover/")) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[name] = id
	}
	return out
}

// blobs reads a blob; one above MaxBlob holds no topology.
func (s *shell) blobs(id string) string {
	s.t.Helper()
	if text := s.plainly("cat-file", "blob", id); len(text) <= MaxBlob {
		return text
	}
	return ""
}

// plainly asks git without replacements and grafts, which have no effect with us.
func (s *shell) plainly(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = s.dir, s.env("GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE=/dev/null")
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("git %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// compare reads a repository and compares it with what git says.
func (a *answer) compare(t *testing.T, s *shell, path string, w way) {
	r, err := Open(t.Context(), Config{URL: path, Path: "topologies"})
	if w.problem != "" {
		if err == nil {
			_, err = a.read(t, r)
		}
		if !w.or && err == nil || err != nil && !strings.Contains(err.Error(), w.problem) {
			t.Fatalf("got %v, want %q", err, w.problem)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only read
	got, err := a.read(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, got, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("git says -, we read +\n%s", diff)
	}
}

// read answers as git did.
func (a *answer) read(t *testing.T, r *Repo) (*answer, error) {
	t.Helper()
	got := &answer{governs: map[string]string{}, gone: map[string]bool{}, author: map[string]string{}, files: map[string]string{}, tags: map[string]string{}}
	var err error
	if got.tip, err = r.Resolve(""); err != nil {
		return nil, err
	}
	changes, err := r.Changes(t.Context(), got.tip, keysOf)
	if err != nil {
		return nil, err
	}
	for name, c := range changes {
		got.governs[name], got.gone[name] = c.Commit, c.Removed
		want, asked := a.author[name]
		if !asked {
			continue
		}
		named := slices.ContainsFunc(c.Authors, func(p approval.Person) bool { return p.Email == want })
		usable := slices.ContainsFunc(c.Carriers, func(c approval.Carrier) bool { return c.Problem == "" })
		got.author[name] = fmt.Sprint(c.Authors)
		if c.Removed || named || !usable {
			got.author[name] = want // whose author is not known, that is never approved
		}
	}
	tree, err := r.Tree(got.tip)
	if err != nil {
		return nil, err
	}
	for file := range a.files {
		if got.files[file], err = tree.(interface{ ContentID(string) (string, error) }).ContentID(file); err != nil {
			return nil, err
		}
		if data, err := r.Blob(got.files[file]); err != nil && !errors.Is(err, errTooLarge) || len(data) > MaxBlob {
			return nil, err
		}
	}
	refs, err := r.store.References(tagPrefix)
	for _, ref := range refs {
		got.tags[ref.Name().String()] = ref.Hash().String()
	}
	return got, err
}
