package gitsource

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// lostWays are how the file of one object may be found.
var lostWays = map[string]func(t *testing.T, path string){
	"missing":   func(t *testing.T, path string) { check(t, os.Remove(path)) },
	"empty":     func(t *testing.T, path string) { check(t, os.WriteFile(path, nil, 0o600)) },
	"truncated": func(t *testing.T, path string) { check(t, os.Truncate(path, 12)) },
	"NUL":       func(t *testing.T, path string) { check(t, os.WriteFile(path, make([]byte, 50), 0o600)) },
	"a folder":  func(t *testing.T, path string) { check(t, os.Remove(path)); check(t, os.Mkdir(path, 0o700)) },
}

// lose damages an object that is in a file of its own.
func (s *shell) lose(rev string, how func(t *testing.T, path string)) (id string) {
	s.t.Helper()
	id = s.git("rev-parse", rev)
	path := filepath.Join(s.dir, ".git", "objects", id[:2], id[2:])
	check(s.t.(*testing.T), os.Chmod(path, 0o600))
	how(s.t.(*testing.T), path)
	return id
}

// TestOneLostObject loses one object of a repository in every way. It costs at most
// the topology that it is of, which is refused with the id and what to do; every other
// one is read and approved as before, and once the object is back all is.
func TestOneLostObject(t *testing.T) {
	needs.Program(t, "ssh-keygen")
	base := newShell(t)
	base.sshKey(alice)
	base.commit(bob, "Begin", "topologies/other.yaml", doc("other", 1))
	base.commit(bob, "Begin", "topologies/team/orders.yaml", doc("orders", 1))
	base.commit(bob, "More", "topologies/team/orders.yaml", doc("orders", 2))
	base.commit(bob, "Elsewhere", "docs/deep/README", "x")
	base.commit(bob, "Rest", "topologies/other.yaml", doc("other", 2))
	base.branch("side", "main")
	base.commit(carol, "Side", "topologies/team/orders.yaml", doc("orders", 3))
	base.commit(carol, "Side again", "topologies/team/orders.yaml", doc("orders", 4))
	base.checkout("main")
	base.commit(bob, "Meanwhile", "README", "x")
	base.merge("side")
	base.commit(bob, "After", "README", "y")
	base.tag(alice, "failover/orders/4/alice", base.head(), approve(alice))
	base.tag(alice, "failover/other/2/alice", base.head(), strings.ReplaceAll(approve(alice), "orders/", "other/"))
	for what, c := range map[string]struct {
		rev    string
		orders string // is approved, denied, or not there
	}{
		"a topology file":                 {"main:topologies/team/orders.yaml", "unread"},
		"a folder of topology files":      {"main:topologies/team", "unread"},
		"an earlier version of a file":    {"main~2:topologies/team/orders.yaml", "denied"},
		"an earlier version of a folder":  {"main~2:topologies/team", "denied"},
		"a folder of something else":      {"main:docs", "approved"},
		"a folder in something else":      {"main:docs/deep", "approved"},
		"a file of something else":        {"main:README", "approved"},
		"a commit that a merge brought":   {"side~1", "denied"},
		"the branch that a merge brought": {"side", "denied"},
		"the tag of another topology":     {"failover/other/2/alice", "approved"},
		"the tag of the topology":         {"failover/orders/4/alice", "denied"},
	} {
		for way, how := range lostWays {
			t.Run(what+", "+way, func(t *testing.T) {
				s := base.copy(t)
				s.t = t
				id := s.lose(c.rev, how)
				r := s.open()
				tip, err := r.Resolve("")
				check(t, err)
				changes, err := r.Changes(t.Context(), tip, keysOf)
				if err != nil {
					t.Fatal(err)
				}
				judge := func(name string) (code, text string) {
					d := decide(changes[name], s.now, approval.Policy{AuthorMayApprove: true})
					return d.Code, fmt.Sprint(d.Denials, d.Detail)
				}
				if code, text := judge("other"); strings.HasPrefix(c.rev, "failover/other/") == (code == "") {
					t.Errorf("other: %q %s", code, text)
				}
				if got := changes["other"].Commit; got != s.git("rev-parse", "main~3") {
					t.Errorf("other is governed by %s", got)
				}
				code, text := judge("orders")
				tree, err := r.Tree(tip)
				check(t, err)
				_, unread := tree.Open("topologies/team/orders.yaml")
				switch {
				case c.orders == "approved" && (code != "" || unread != nil):
					t.Errorf("orders: %q %s, %v", code, text, unread)
				case c.orders == "denied" && (code == "" || unread != nil || !strings.Contains(text, id)):
					t.Errorf("orders: %q %s, %v", code, text, unread)
				case c.orders == "unread" && (code == "" || changes["orders"].Removed || unread == nil || !strings.Contains(unread.Error(), id) || !strings.Contains(unread.Error(), "git fetch --refetch")):
					t.Errorf("orders: %q %s, %v", code, text, unread)
				}
				// What is suggested brings it back.
				path := filepath.Join(s.dir, ".git", "objects", id[:2], id[2:])
				check(t, os.RemoveAll(path))
				s.git("fetch", "-q", "--refetch", base.dir, "+refs/*:refs/*", "--update-head-ok")
				check(t, r.Fetch(t.Context()))
				if changes, err = r.Changes(t.Context(), tip, keysOf); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"orders", "other"} {
					if code, text := judge(name); code != "" {
						t.Errorf("afterwards %s: %q %s", name, code, text)
					}
				}
			})
		}
	}
}

// TestMalformedFolderBelow puts a folder that git would not have made among those of
// the topologies, and then puts it right: topologies elsewhere are not touched, and
// what it held is not known while it is the newest.
func TestMalformedFolderBelow(t *testing.T) {
	for name, folder := range map[string]func(s *shell) string{
		"a name twice": func(s *shell) string {
			return entry("100644", "a.yaml", ordersNamed(s, "a")) + entry("100644", "a.yaml", ordersNamed(s, "b"))
		},
		"dots":             func(s *shell) string { return entry("100644", "..", ordersNamed(s, "a")) },
		"cut short":        func(s *shell) string { return entry("100644", "a.yaml", ordersNamed(s, "a"))[:20] },
		"a mode of no use": func(*shell) string { return "x a.yaml\x00" },
		"no folder at all": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", "topologies/other.yaml", doc("other", 1))
			began := s.commit(bob, "Begin", "topologies/team/orders.yaml", doc("orders", 1))
			whole := s.git("rev-parse", "main:topologies/team")
			bad := s.git("rev-parse", "main:topologies/other.yaml")
			if folder != nil {
				bad = s.object("tree", folder(s))
			}
			other := entry("100644", "other.yaml", unhex(s.git("rev-parse", "main:topologies/other.yaml")))
			for _, team := range []string{bad, whole} {
				root := s.object("tree", entry("40000", "topologies", unhex(s.object("tree", other+entry("40000", "team", unhex(team))))))
				s.tip(s.as(carol, "commit-tree", "-m", "x", "-p", "main", root))
				tip := s.git("rev-parse", "main")
				changes, err := s.open().Changes(t.Context(), tip, keysOf)
				check(t, err)
				if got := changes["other"]; got.Commit != s.git("rev-parse", began+"~1") || got.Removed {
					t.Errorf("other is governed by %s", got.Commit)
				}
				orders := changes["orders"]
				problem := fmt.Sprint(orders.Carriers)
				if orders.Removed || team == bad != strings.Contains(problem, "cannot be read, so it is not known what was approved") {
					t.Errorf("orders: %+v", orders)
				}
			}
		})
	}
}
