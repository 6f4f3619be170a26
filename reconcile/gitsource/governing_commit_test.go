package gitsource

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/approval"
)

// facts is what a story must come to, for the topology orders.
type facts struct {
	governs  string // commit
	file     string
	removed  bool
	authors  []approval.Person
	carriers []string // commits, sorted
	previous string   // text in the file before
	greatest int64
}

const ordersFile = "topologies/orders.yaml"

// merge brings a branch in with a merge commit by Carol.
func (s *shell) merge(branch string) string {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	s.as(carol, "merge", "-q", "--no-ff", "-m", "Merge "+branch, branch)
	return s.head()
}

func (s *shell) branch(name, from string) {
	s.t.Helper()
	s.git("checkout", "-q", "-b", name, from)
}

func (s *shell) checkout(rev string) {
	s.t.Helper()
	s.git("checkout", "-q", rev)
}

// TestWhichCommitGoverns tells stories with the real git. Every one begins
// with generation 1 of orders, by Bob.
func TestWhichCommitGoverns(t *testing.T) {
	for _, c := range slices.Concat(storiesOfCommits(), storiesOfMerges()) {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t)
			begin := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			want := c.story(s, begin)
			if want.file == "" && !want.removed {
				want.file = ordersFile
			}
			got := s.change("orders")
			have := facts{
				governs: got.Commit, file: got.File, removed: got.Removed, authors: got.Authors,
				previous: previousOf(s.t, s.open(), got), greatest: got.GreatestEarlier,
			}
			for _, carrier := range got.Carriers {
				have.carriers = append(have.carriers, carrier.Commit)
			}
			have.carriers = sorted(have.carriers...)
			if diff := cmp.Diff(want, have, cmp.AllowUnexported(facts{}), cmp.Comparer(samePeople)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func people(p ...approval.Person) []approval.Person { return p }

func sorted(s ...string) []string {
	slices.Sort(s)
	return s
}

func samePeople(a, b []approval.Person) bool {
	if len(a) != len(b) {
		return false
	}
	for _, p := range a {
		if !slices.Contains(b, p) {
			return false
		}
	}
	return true
}

// story goes on from a first commit and says what it must come to.
type story struct {
	name  string
	story func(s *shell, begin string) facts
}

func storiesOfCommits() []story {
	first := doc("orders", 1)
	return []story{
		{"a single commit", func(s *shell, begin string) facts {
			return facts{governs: begin, authors: people(bob), carriers: []string{begin}}
		}},
		{"a later commit that has nothing to do with it", func(s *shell, begin string) facts {
			s.commit(alice, "Other", "topologies/other.yaml", doc("payments", 1))
			s.commit(alice, "Docs", "README", "x")
			return facts{governs: begin, authors: people(bob), carriers: []string{begin}}
		}},
		{"a change of the file and not of the document", func(s *shell, begin string) facts {
			s.commit(alice, "Comment", ordersFile, "# a comment\n"+first+"\n\n")
			return facts{governs: begin, authors: people(bob), carriers: []string{begin}}
		}},
		{"a change of another document in the file", func(s *shell, begin string) facts {
			s.commit(alice, "More", ordersFile, first+"---\n"+doc("payments", 1))
			s.commit(alice, "More", ordersFile, first+"---\n"+doc("payments", 2))
			return facts{governs: begin, authors: people(bob), carriers: []string{begin}}
		}},
		{"a file that moved", func(s *shell, begin string) facts {
			s.git("mv", ordersFile, "topologies/moved.yml")
			s.commit(alice, "Move", "README", "x")
			return facts{governs: begin, file: "topologies/moved.yml", authors: people(bob), carriers: []string{begin}}
		}},
		{"a file that was split", func(s *shell, begin string) facts {
			both := s.commit(alice, "Join", ordersFile, first+"---\n"+doc("payments", 1))
			s.write("topologies/payments.yaml", doc("payments", 1))
			s.commit(alice, "Split", ordersFile, first)
			if c := s.change("payments"); c.Commit != both || c.File != "topologies/payments.yaml" {
				s.t.Errorf("payments is governed by %s in %s", c.Commit, c.File)
			}
			return facts{governs: begin, authors: people(bob), carriers: []string{begin}}
		}},
		{"a file that moved into a folder while it changed", func(s *shell, begin string) facts {
			s.git("mv", ordersFile, "topologies/x.yaml")
			s.git("rm", "-q", "--cached", "topologies/x.yaml")
			os.Remove(filepath.Join(s.dir, "topologies/x.yaml"))
			at := s.commit(alice, "Move", "topologies/eu/orders.yaml", doc("orders", 2))
			return facts{governs: at, file: "topologies/eu/orders.yaml", authors: people(alice), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a revert", func(s *shell, begin string) facts {
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			at := s.commit(carol, "Revert", ordersFile, first)
			return facts{governs: at, authors: people(carol), carriers: []string{at}, previous: doc("orders", 2), greatest: 2}
		}},
		{"a document that is gone", func(s *shell, begin string) facts {
			os.Remove(filepath.Join(s.dir, ordersFile))
			at := s.commit(alice, "Drop", "README", "x")
			return facts{governs: at, removed: true, previous: first, greatest: 1}
		}},
		{"a document that is gone and back, looser", func(s *shell, begin string) facts {
			os.Remove(filepath.Join(s.dir, ordersFile))
			s.commit(alice, "Drop", "README", "x")
			at := s.commit(alice, "Back", ordersFile, doc("orders", 2, "unavailableFor: 0s"))
			return facts{governs: at, authors: people(alice), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a topology under a new name", func(s *shell, begin string) facts {
			at := s.commit(alice, "Rename", ordersFile, doc("orders2", 1))
			if c := s.change("orders2"); c.Commit != at || len(versionsOf(c)) > 0 {
				s.t.Errorf("orders2 is governed by %s, earlier %+v", c.Commit, versionsOf(c))
			}
			return facts{governs: at, removed: true, previous: first, greatest: 1}
		}},
		{"a name that stands twice", func(s *shell, begin string) facts {
			at := s.commit(alice, "Twice", "topologies/again.yaml", doc("orders", 2))
			return facts{governs: at, file: "topologies/again.yaml", authors: people(alice), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a co-author", func(s *shell, begin string) facts {
			at := s.commit(alice, "Up\n\nCo-authored-by: Carol Lee <carol@example.com>", ordersFile, doc("orders", 2))
			return facts{governs: at, authors: people(alice, carol), carriers: []string{at}, previous: first, greatest: 1}
		}},
	}
}
