package gitsource

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/approval"
)

// treeAttack is a try to lead the reader out of the folder, to exhaust it, or to
// have it read what is not there. It is stopped by an error of Changes or, without
// one, by being no topology at all.
type treeAttack struct {
	name    string
	why     string
	tree    func(s *shell) string // of the topologies' folder
	problem error
}

func treeAttacks() []treeAttack {
	return []treeAttack{
		{"a symbolic link out of the tree", "only regular files are read", func(s *shell) string { return entry("120000", "orders.yaml", ordersBlob(s)) }, nil},
		{"a submodule", "only regular files are read", func(s *shell) string { return entry("160000", "orders.yaml", ordersBlob(s)) }, nil},
		{"a file of a mode that git does not have", "only regular files are read", func(s *shell) string { return entry("060000", "orders.yaml", ordersBlob(s)) }, nil},
		{"the name ..", "the whole folder is refused", func(s *shell) string { return entry("100644", "..", ordersBlob(s)) }, errTree},
		{"a name with a slash", "the whole folder is refused", func(s *shell) string { return entry("100644", "../x.yaml", ordersBlob(s)) }, errTree},
		{"an empty name", "the whole folder is refused", func(s *shell) string { return entry("100644", "", ordersBlob(s)) }, errTree},
		{"a name that appears twice", "it is not clear which of the two counts", func(s *shell) string {
			return entry("100644", "a.yaml", ordersBlob(s)) + entry("100755", "a.yaml", ordersBlob(s))
		}, errTree},
		{"a name that is not UTF-8", "a path that is not UTF-8 holds no topology", func(s *shell) string { return entry("100644", "\xff.yaml", ordersBlob(s)) }, nil},
		{"a huge file", "a file above 1 MiB is not read", func(s *shell) string {
			id := s.object("blob", doc("orders", 9, strings.Repeat("x", MaxBlob)))
			return entry("100644", "orders.yaml", unhex(id))
		}, nil},
		{"a folder that unfolds to billions of files", "at most 100,000 entries are read", func(s *shell) string {
			tree := entry("100644", "a.yaml", ordersBlob(s))
			for range 8 {
				id := unhex(s.object("tree", tree))
				tree = ""
				for i := range 10 {
					tree += entry("40000", fmt.Sprint("d", i), id)
				}
			}
			return tree
		}, errTooMany},
		{"a folder that is too deep", "at most 64 levels are read", func(s *shell) string {
			tree := entry("100644", "a.yaml", ordersBlob(s))
			for range maxDepth {
				tree = entry("40000", "d", unhex(s.object("tree", tree)))
			}
			return tree
		}, errTooMany},
		{"a pointer of Git LFS", "it is read as a file, and is not a topology", func(s *shell) string {
			return entry("100644", "orders.yaml", unhex(s.object("blob", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n")))
		}, nil},
	}
}

// ordersBlob stores a topology and gives its raw id.
func ordersBlob(s *shell) []byte { return unhex(s.object("blob", doc("orders", 9))) }

// entry is one entry of a raw tree.
func entry(mode, name string, id []byte) string { return mode + " " + name + "\x00" + string(id) }

// plant makes a commit whose topologies folder is this tree.
func plant(s *shell, tree string) string {
	root := s.object("tree", entry("40000", "topologies", unhex(s.object("tree", tree))))
	commit := s.git("commit-tree", "-m", "x", root)
	s.tip(commit)
	return commit
}

func TestAttacksOnTheTree(t *testing.T) {
	for _, c := range treeAttacks() {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t)
			at := plant(s, c.tree(s))
			r := s.open()
			got, err := r.Changes(t.Context(), at, keysOf)
			if c.problem != nil {
				if err == nil || !strings.Contains(err.Error(), c.problem.Error()) {
					t.Errorf("got %v, want %v", err, c.problem)
				}
				return
			}
			if err != nil || len(got) > 0 {
				t.Errorf("it knows %v, %v", got, err)
			}
		})
	}
}

// TestABadFolderIsLeftBehind has a folder merged that cannot be read. While it is
// the newest, nothing goes on; once it is put right, everything does, and what was
// known of the topologies before it still is.
func TestABadFolderIsLeftBehind(t *testing.T) {
	for _, c := range treeAttacks() {
		if c.problem == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 4))
			s.commit(bob, "More", ordersFile, doc("orders", 5))
			root := s.object("tree", entry("40000", "topologies", unhex(s.object("tree", c.tree(s)))))
			s.as(mallory, "update-ref", "refs/heads/main", s.as(mallory, "commit-tree", "-m", "x", "-p", "main", root))
			still := s.as(mallory, "commit-tree", "-m", "still", "-p", "main", root)
			s.tip(still)
			r := s.open()
			if _, err := r.Changes(t.Context(), still, keysOf); !isMalformedFolder(err) {
				t.Fatalf("at the tip: %v", err)
			}
			good := s.git("rev-parse", "main~2^{tree}")
			at := s.as(carol, "commit-tree", "-m", "Repair", "-p", "main", good)
			s.tip(at)
			for how, r := range map[string]*Repo{"as before": r, "again": s.open()} {
				if err := r.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := changeOf(t, r, "orders")
				if got.Commit != at || got.Removed || got.GreatestEarlier != 5 || previousOf(t, r, got) != doc("orders", 5) || len(versionsOf(got)) != 2 {
					t.Errorf("%s: governed by %s, greatest %d, previous %q, %d versions", how, got.Commit, got.GreatestEarlier, previousOf(t, r, got), len(versionsOf(got)))
				}
			}
			side := s.as(carol, "commit-tree", "-m", "Merge", "-p", at, "-p", still, good)
			s.tip(side)
			if got := s.change("orders"); got.Commit != at {
				t.Errorf("next to a merged branch with it, governed by %s", got.Commit)
			}
		})
	}
}

func unhex(s string) []byte {
	out := make([]byte, len(s)/2)
	for i := range out {
		fmt.Sscanf(s[2*i:2*i+2], "%02x", &out[i])
	}
	return out
}

// TestTagsAreCheap has anybody push tags on commits that would be costly to
// read. One file of each is read, once.
func TestTagsAreCheap(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.branch("bomb", "main")
	for i := range 50 {
		s.write(fmt.Sprintf("topologies/bomb%d.yaml", i), doc(fmt.Sprint("bomb", i), 1))
	}
	head := s.commit(mallory, "Bomb", "README", "x")
	s.checkout("main")
	s.as(mallory, "tag", "-a", "-m", approve(alice), tagName, head)
	parsed := 0
	r := s.open()
	for range 3 {
		all, err := r.Changes(t.Context(), s.head(), func(blob string, data []byte) []Document {
			parsed++
			return keysOf(blob, data)
		})
		if err != nil || len(all["orders"].Carriers) != 2 {
			t.Fatalf("%d carriers, %v", len(all["orders"].Carriers), err)
		}
	}
	if parsed != 1 {
		t.Errorf("%d files were parsed", parsed)
	}
}

// TestATamperedObjectIsNoticed changes the content of a loose object on disk: it is
// never taken for what the commit names.
func TestATamperedObjectIsNoticed(t *testing.T) {
	s := newShell(t)
	at := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	id := s.git("rev-parse", "HEAD:"+ordersFile)
	other := s.object("blob", doc("orders", 1, "cluster-c primary"))
	path := func(id string) string { return filepath.Join(s.dir, ".git/objects", id[:2], id[2:]) }
	data, err := os.ReadFile(path(other))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path(id)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(id), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.open()
	changes, err := r.Changes(t.Context(), at, keysOf)
	check(t, err)
	if d := decide(changes["orders"], s.now, approval.Policy{}); d.Code == "" {
		t.Errorf("a change to what nobody wrote is judged: %+v", d)
	}
	tree, err := r.Tree(at)
	check(t, err)
	if _, err := tree.Open(ordersFile); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), id) {
		t.Errorf("got %v", err)
	}
}

// TestPayloadWithoutSignature holds that what is marked as spent does not
// depend on who signed it, or how.
func TestPayloadWithoutSignature(t *testing.T) {
	s := newShell(t)
	payload := s.tagPayload("x", strings.Repeat("1", 40), "commit", "m\n")
	one, err := parseTag([]byte(payload + s.sign(alice, payload)))
	if err != nil {
		t.Fatal(err)
	}
	two, err := parseTag([]byte(payload + s.sign(carol, payload)))
	if err != nil {
		t.Fatal(err)
	}
	if one.payloadHash() != two.payloadHash() || !bytes.Equal(one.payload, []byte(payload)) || slices.Equal([]byte(one.signature), []byte(two.signature)) {
		t.Error("the payload depends on the signature")
	}
}
