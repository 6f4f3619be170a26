package gitsource

import (
	"time"
)

// storiesOfMerges: a number in a name is a row of scenarios.md.
func storiesOfMerges() []story {
	first := doc("orders", 1)
	return []story{
		{"a merge", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.checkout("main")
			s.commit(bob, "Meanwhile", "README", "x")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge of a branch with an approval in its last commit", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			approved := s.commit(carol, approve(carol), "README", "y")
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice), carriers: sorted(at, approved), previous: first, greatest: 1}
		}},
		{"a merge of a branch whose approval came before another change (R15)", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.commit(bob, "Tweak", ordersFile, doc("orders", 2, "cluster c primary"))
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice, bob), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge of a branch in which an approval was taken back and the document put back", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.commit(bob, "Back", ordersFile, first)
			s.commit(bob, "Again", ordersFile, doc("orders", 2))
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice, bob), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge of a branch in which an approval was taken back by removing the file", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.git("rm", "-q", ordersFile)
			s.commit(bob, "Away", "README", "y")
			s.commit(bob, "Again", ordersFile, doc("orders", 2))
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice, bob), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge that puts back what its branch took back", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.commit(bob, "Back", ordersFile, first)
			s.checkout("main")
			s.commit(bob, "Meanwhile", "README", "x")
			s.as(carol, "merge", "-q", "--no-ff", "--no-commit", "feature")
			at := s.commit(carol, "Merge", ordersFile, doc("orders", 2))
			return facts{governs: at, authors: people(alice, bob, carol), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge of a branch whose own branch took an approval back, and lost", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.branch("side", "feature")
			s.commit(bob, "Back", ordersFile, first)
			s.checkout("feature")
			s.as(carol, "merge", "-q", "--no-ff", "--no-commit", "side")
			s.commit(carol, "Merge", ordersFile, doc("orders", 2))
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice, bob), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge of a branch that was approved again after an approval was taken back", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.commit(bob, "Back", ordersFile, first)
			again := s.commit(carol, approve(carol), ordersFile, doc("orders", 2))
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice, bob, carol), carriers: sorted(at, again), previous: first, greatest: 1}
		}},
		{"a hand-made merge that names an old approved commit (R16)", func(s *shell, begin string) facts {
			s.branch("old", "main")
			s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.checkout("main")
			s.commit(bob, "Otherwise", ordersFile, doc("orders", 3))
			s.write(ordersFile, doc("orders", 4, "cluster c primary"))
			s.git("add", "-A")
			tree := s.git("write-tree")
			at := s.as(carol, "commit-tree", "-p", "main", "-p", "old", "-m", "Merge", tree)
			s.git("reset", "-q", "--hard", at)
			return facts{governs: at, authors: people(alice, carol), carriers: []string{at}, previous: doc("orders", 3), greatest: 3}
		}},
		{"an old approved commit of the first parent, named as second again", func(s *shell, begin string) facts {
			old := s.commit(alice, approve(alice), ordersFile, doc("orders", 2))
			s.commit(bob, "Away", ordersFile, doc("orders", 3))
			tree := s.git("rev-parse", old+"^{tree}")
			at := s.as(carol, "commit-tree", "-p", "main", "-p", old, "-m", "Merge", tree)
			s.git("reset", "-q", "--hard", at)
			return facts{governs: at, authors: people(carol), carriers: []string{at}, previous: doc("orders", 3), greatest: 3}
		}},
		{"a merge that says what no parent said", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.checkout("main")
			s.as(carol, "merge", "-q", "--no-ff", "--no-commit", "feature")
			at := s.commit(carol, "Merge", ordersFile, doc("orders", 3))
			return facts{governs: at, authors: people(alice, carol), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"a merge that brings nothing for it", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Other", "topologies/other.yaml", doc("payments", 1))
			s.checkout("main")
			s.merge("feature")
			return facts{governs: begin, authors: people(bob), carriers: []string{begin}}
		}},
		{"a merge of main into the branch first", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.checkout("main")
			s.commit(bob, "Meanwhile", "README", "x")
			s.checkout("feature")
			s.merge("main")
			s.checkout("main")
			at := s.merge("feature")
			return facts{governs: at, authors: people(alice), carriers: []string{at}, previous: first, greatest: 1}
		}},
		{"an octopus", func(s *shell, begin string) facts {
			s.branch("one", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.branch("two", "main")
			s.commit(alice, "Other", "topologies/other.yaml", doc("payments", 1))
			s.checkout("main")
			s.now = s.now.Add(time.Minute)
			s.as(carol, "merge", "-q", "--no-ff", "-m", "Both", "one", "two")
			return facts{governs: s.head(), authors: people(alice), carriers: []string{s.head()}, previous: first, greatest: 1}
		}},
		{"a squash", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.commit(alice, "Up more", ordersFile, doc("orders", 2, "x"))
			s.checkout("main")
			s.git("merge", "-q", "--squash", "feature")
			s.now = s.now.Add(time.Minute)
			s.as(carol, "commit", "-q", "-m", "Squashed\n\nCo-authored-by: Alice Smith <alice@example.com>")
			return facts{governs: s.head(), authors: people(carol, alice), carriers: []string{s.head()}, previous: first, greatest: 1}
		}},
		{"a rebase onto main and a fast-forward", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.checkout("main")
			s.commit(bob, "Meanwhile", "README", "x")
			s.checkout("feature")
			s.as(carol, "rebase", "-q", "main")
			s.checkout("main")
			s.as(carol, "merge", "-q", "--ff-only", "feature")
			return facts{governs: s.head(), authors: people(alice), carriers: []string{s.head()}, previous: first, greatest: 1}
		}},
		{"a cherry-pick", func(s *shell, begin string) facts {
			s.branch("feature", "main")
			at := s.commit(alice, "Up", ordersFile, doc("orders", 2))
			s.checkout("main")
			s.commit(bob, "Meanwhile", "README", "x")
			s.as(carol, "cherry-pick", at)
			return facts{governs: s.head(), authors: people(alice), carriers: []string{s.head()}, previous: first, greatest: 1}
		}},
		{"two branches that raise to the same generation (R37)", func(s *shell, begin string) facts {
			s.branch("one", "main")
			s.commit(alice, "Up", ordersFile, doc("orders", 2, "a"))
			s.branch("two", "main")
			s.commit(bob, "Up", ordersFile, doc("orders", 2, "b"))
			s.checkout("main")
			s.merge("one")
			s.now = s.now.Add(time.Minute)
			s.as(carol, "merge", "-q", "--no-ff", "-X", "theirs", "-m", "Merge two", "two")
			return facts{governs: s.head(), authors: people(bob), carriers: []string{s.head()}, previous: doc("orders", 2, "a"), greatest: 2}
		}},
	}
}
