package gitsource

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// decide evaluates a change as a failover of orders to cluster-b.
func decide(c Change, now time.Time, policy approval.Policy) approval.Decision {
	policy.Configured = true
	return approval.Evaluate(approval.Request{
		Plan: plan.TopologyPlan{
			Name: c.Topology, Generation: c.Generation, Transition: plan.TransitionFailover,
			Primary: "cluster-b", Digest: "sha256:1",
		},
		Change: c.Change, Policy: policy, Now: now,
	})
}

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
	first := doc("orders", 1)
	for _, c := range []struct {
		name  string
		story func(s *shell, begin string) facts
	}{
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
			if c := s.change("orders2"); c.Commit != at || c.Previous != nil {
				s.t.Errorf("orders2 is governed by %s, previous %q", c.Commit, c.Previous)
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
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t)
			begin := s.commit(bob, "Begin", ordersFile, first)
			want := c.story(s, begin)
			if want.file == "" && !want.removed {
				want.file = ordersFile
			}
			got := s.change("orders")
			have := facts{
				governs: got.Commit, file: got.File, removed: got.Removed, authors: got.Authors,
				previous: string(got.Previous), greatest: got.GreatestEarlier,
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

// TestHistoryIsReadOnce holds that stepwise reading gives what reading at
// once gives, and that every commit can be asked for.
func TestHistoryIsReadOnce(t *testing.T) {
	s := newShell(t)
	var commits []string
	for i := range 12 {
		file := []string{"topologies/a.yaml", "topologies/b.yaml"}[i%2]
		commits = append(commits, s.commit(bob, "More", file, doc("orders"+file[11:12], i+1)))
	}
	stepwise := s.open()
	for _, at := range append(slices.Clone(commits), commits[3], commits[7]) {
		once, err := s.open().Changes(t.Context(), at, keysOf)
		if err != nil {
			t.Fatal(err)
		}
		step, err := stepwise.Changes(t.Context(), at, keysOf)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(once, step); diff != "" {
			t.Fatalf("at %s: %s", at, diff)
		}
	}
	versions := changeOf(t, stepwise, "ordersa").Versions
	if len(versions) != 5 || versions[0].Commit != commits[0] || versions[4].Generation != 9 {
		t.Errorf("versions: %+v", versions)
	}
	if data, err := stepwise.Blob(versions[0].Blob); err != nil || string(data) != doc("ordersa", 1) {
		t.Errorf("the first version: %q, %v", data, err)
	}
}

func TestApprovedByTheRealGit(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.sshKey(alice)
	s.commit(bob, "Want cluster-b", ordersFile, doc("orders", 2))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Code != approval.CodeMissing {
		t.Errorf("without an approval: %s %s", d.Code, d.Detail)
	}
	s.tag(alice, "failover/orders/2/alice", "HEAD", approve(alice))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Verdict != approval.VerdictApproved {
		t.Fatalf("by a tag: %s %s", d.Code, d.Detail)
	}
	s.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Code != approval.CodeSelfApproved {
		t.Errorf("the author's own commit: %s %s", d.Code, d.Detail)
	}
	if d := decide(s.change("orders"), s.now, approval.Policy{AuthorMayApprove: true}); d.Verdict != approval.VerdictApproved {
		t.Errorf("the author's own commit, allowed: %s %s", d.Code, d.Detail)
	}
}

// TestApprovalOnThePullRequest holds that an approval by tag on the head of a
// pull request stands for however it is merged.
func TestApprovalOnThePullRequest(t *testing.T) {
	for name, bring := range map[string]func(s *shell){
		"merge": func(s *shell) { s.merge("feature") },
		"squash": func(s *shell) {
			s.git("merge", "-q", "--squash", "feature")
			s.as(carol, "commit", "-q", "-m", "Squashed")
		},
		"rebase": func(s *shell) {
			s.checkout("feature")
			s.as(carol, "rebase", "-q", "main")
			s.checkout("main")
			s.git("merge", "-q", "--ff-only", "feature")
		},
		"cherry-pick": func(s *shell) { s.as(carol, "cherry-pick", "feature") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			s.branch("feature", "main")
			head := s.commit(bob, "Want cluster-b", ordersFile, doc("orders", 2))
			s.tag(alice, "failover/orders/2/alice", head, approve(alice))
			s.tag(carol, "failover/orders/2/carol", head, approve(carol))
			s.checkout("main")
			if got := s.change("orders"); len(got.Carriers) != 1 {
				t.Fatalf("before it is merged, %d carriers", len(got.Carriers))
			}
			s.commit(bob, "Meanwhile", "README", "x")
			bring(s)
			d := decide(s.change("orders"), s.now, approval.Policy{Quorum: approval.Quorum{Failover: 2}, AuthorMayApprove: true})
			if d.Verdict != approval.VerdictApproved || len(d.By) != 2 {
				t.Errorf("%s %s", d.Code, d.Detail)
			}
		})
	}
}

func TestIncompleteClones(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	base := s.head()
	s.commit(bob, "More", ordersFile, doc("orders", 2))
	s.git("config", "uploadpack.allowFilter", "true")
	clone := func(args ...string) *Repo {
		dir := filepath.Join(t.TempDir(), "clone")
		run(t, s.env(), "git", append(append([]string{"clone", "-q"}, args...), "file://"+s.dir, dir)...)
		r, err := Open(t.Context(), Config{URL: dir, Path: "topologies"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	shallow := clone("--depth=1")
	tip, err := shallow.Resolve("")
	if err != nil || tip != s.head() {
		t.Fatalf("%s, %v", tip, err)
	}
	if _, err := shallow.Changes(t.Context(), tip, keysOf); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("a shallow clone: %v", err)
	}
	if _, err := shallow.Resolve(base); !errors.Is(err, ErrIncomplete) {
		t.Errorf("a commit that it lacks: %v", err)
	}
	partial := clone("--filter=blob:none", "--no-checkout")
	if _, err := partial.Changes(t.Context(), tip, keysOf); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "--filter") {
		t.Errorf("a partial clone: %v", err)
	}
}

func TestChangesStopWithTheContext(t *testing.T) {
	s := newShell(t)
	tip := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	r := s.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Changes(ctx, tip, keysOf); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := r.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
